/**
 * One measured phase, in a process of its own, so that its memory and its compiled code are its own. Prints one JSON line.
 * usage: phase.ts PHASE KUBECONFIG REPOSITORY
 */
import {readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {constants, createZstdCompress} from 'node:zlib';
import {Pool} from 'undici';
import {connectCluster} from '../../src/cluster/client.ts';
import {readCredentials} from '../../src/cluster/credentials.ts';
import {discoverResources} from '../../src/cluster/discover.ts';
import {collectionPath} from '../../src/cluster/resource-map.ts';
import {readEntries, readEntryObject, readObjects} from '../../src/repository/object-set.ts';
import {openStore} from '../../src/repository/open.ts';
import {openOrInitRepository} from '../../src/repository/repository.ts';
import {findRoot, listRoots} from '../../src/repository/snapshot-root.ts';
import {verifyPacks} from '../../src/repository/verify.ts';
import {executeRestore} from '../../src/restore/execute.ts';
import {RestoreJournal} from '../../src/restore/journal.ts';
import {planRestore} from '../../src/restore/preview.ts';
import {snapshotSource} from '../../src/restore/source.ts';
import {readTargetFacts} from '../../src/restore/target-facts.ts';
import {createSnapshot} from '../../src/snapshot/create.ts';
import {diffSnapshots} from '../../src/snapshot/diff.ts';
import {compileSelect} from '../../src/snapshot/select.ts';
import {showSnapshot} from '../../src/snapshot/show.ts';
import {mapPool} from '../../src/std/pool.ts';

const [phase = '', kubeconfig = '', url = ''] = process.argv.slice(2);
const select = {namespaces: ['*'], clusterScoped: 'referenced' as const};
const {signal} = new AbortController();

const PAGE = 2000;
const CONNECTIONS = 4;

/** LIST and JSON.parse of everything that a snapshot lists, and nothing else: four connections, one thread. */
async function raw() {
  const cluster = await connectCluster({kubeconfig});
  const credentials = await readCredentials(cluster.kubeConfig);
  const types = await discoverResources(cluster);
  const selection = compileSelect(select);
  const pool = new Pool(cluster.server, {
    connections: CONNECTIONS,
    pipelining: 1,
    allowH2: false,
    connect: {...credentials.tls},
  });
  const queue = types.filter(type => type.namespaced && selection.type(type));
  const began = performance.now();
  let objects = 0;
  await Promise.all(
    Array.from({length: CONNECTIONS}, async () => {
      for (let type = queue.shift(); type; type = queue.shift()) {
        let token = '';
        do {
          const path = `${collectionPath(type)}?limit=${PAGE}&continue=${encodeURIComponent(token)}`;
          const {body} = await pool.request({method: 'GET', path, headers: credentials.headers});
          const list = JSON.parse(await body.text());
          objects += list.items?.length ?? 0;
          token = list.metadata.continue ?? '';
        } while (token !== '');
      }
    }),
  );
  const ms = performance.now() - began;
  await pool.destroy();
  await cluster.close();
  return {ms, objects};
}

const open = async () =>
  (await openOrInitRepository(await openStore(url), {passphrase: 'benchmark passphrase'})).repository;

async function capture() {
  const repository = await open();
  const cluster = await connectCluster({kubeconfig});
  const began = performance.now();
  const root = await createSnapshot({cluster, repository, select, volumes: [], tool: 'pra bench', signal});
  const ms = performance.now() - began;
  await cluster.close();
  return {ms, objects: root.counts.objects, written: root.bytes.written, raw: root.bytes.raw};
}

async function read() {
  const repository = await open();
  const timed = async <T>(work: () => Promise<T>) => {
    const began = performance.now();
    const result = await work();
    return {ms: performance.now() - began, result};
  };
  const list = await timed(() => listRoots(repository));
  const root = await findRoot(repository, 'latest');
  const older = list.result.at(-1) ?? root;
  const show = await timed(() => showSnapshot(repository, root));
  const [one] = await entriesOf(1000);
  const get = await timed(async () => one && readEntryObject(repository, root, one));
  const count = async (withoutFields: boolean) => {
    let different = 0;
    for await (const _ of diffSnapshots(repository, older, root, {withoutFields})) different += 1;
    return different;
  };
  const which = await timed(() => count(true));
  const diff = await timed(() => count(false));
  async function entriesOf(index: number) {
    let i = 0;
    for await (const entry of readEntries(repository, root)) if (i++ === index) return [entry];
    return [];
  }
  return {
    listMs: list.ms,
    showMs: show.ms,
    getMs: get.ms,
    diffWhichMs: which.ms,
    diffFieldsMs: diff.ms,
    different: diff.result,
  };
}

/** What one stream of zstd -3 makes of the same JSON. */
async function stream() {
  const repository = await open();
  const root = await findRoot(repository, 'latest');
  const zstd = createZstdCompress({params: {[constants.ZSTD_c_compressionLevel]: 3}});
  let compressed = 0;
  zstd.on('data', (chunk: Buffer) => {
    compressed += chunk.length;
  });
  const ended = new Promise(resolve => zstd.once('end', resolve));
  for await (const {object} of readObjects(repository, root))
    if (!zstd.write(`${JSON.stringify(object)}\n`)) await new Promise(resolve => zstd.once('drain', resolve));
  zstd.end();
  await ended;
  return {compressed};
}

/** Namespaces of the raw objects, so that both sets fit into one cluster. */
const RAW_PREFIX = 'raw-';
/** What load.ts calls the namespaces that it fills. */
const LOADED = 'team-';
const IN_FLIGHT = 64;

/**
 * Creates the objects of the snapshot by one POST each, of bytes that are ready, 64 at once over HTTP/2, and nothing
 * else: namespaces first, then what is in them, kind by kind, under other names.
 */
async function rawCreate() {
  const repository = await open();
  const root = await findRoot(repository, 'latest');
  const cluster = await connectCluster({kubeconfig});
  const bodies: {path: string; body: Buffer}[] = [];
  const namespaces: typeof bodies = [];
  for await (const {type, object} of readObjects(repository, root)) {
    const {namespace, name} = object.metadata;
    if (object.kind === 'Namespace' && name.startsWith(LOADED)) {
      const body = Buffer.from(JSON.stringify({...object, metadata: {name: RAW_PREFIX + name}}));
      namespaces.push({path: collectionPath(type), body});
    }
    if (!namespace?.startsWith(LOADED)) continue;
    const copy = {...object, metadata: {...object.metadata, namespace: RAW_PREFIX + namespace}};
    bodies.push({
      path: collectionPath(type, RAW_PREFIX + namespace),
      body: Buffer.from(JSON.stringify(copy)),
    });
  }
  const began = performance.now();
  for (const set of [namespaces, bodies])
    await mapPool(set, IN_FLIGHT, async ({path, body}) => {
      await cluster.requestBytes('POST', path, {body});
    });
  const ms = performance.now() - began;
  await cluster.close();
  return {ms, objects: namespaces.length + bodies.length};
}

/** A restore of the whole snapshot into an empty target, from reading the snapshot to the last object and the journal. */
async function restore() {
  const repository = await open();
  const root = await findRoot(repository, 'latest');
  const cluster = await connectCluster({kubeconfig});
  process.env.PRA_STATE_DIR = join(fileURLToPath(url), '..', 'state');
  const began = performance.now();
  await verifyPacks(repository, root, {signal});
  const target = await readTargetFacts(cluster, {signal});
  const plan = await planRestore({
    objects: await snapshotSource(repository, root, {signal}),
    mode: 'recover',
    target,
  });
  const plannedMs = performance.now() - began;
  const journal = await RestoreJournal.begin({
    repository: url,
    snapshot: root.id,
    mode: 'recover',
    target: {uid: 'bench', server: cluster.server},
    select: {namespaces: ['*'], clusterScoped: 'all'},
    namespaces: {},
    existing: {all: 'skip', kinds: {}},
    allowEmptyVolumes: false,
  });
  const {result, summary, error} = await executeRestore({
    cluster,
    plan,
    target,
    existing: () => 'skip',
    journal,
    readyTimeoutMs: 0,
    signal,
  });
  await journal.close();
  const ms = performance.now() - began;
  await cluster.close();
  if (result !== 'complete')
    throw new Error(`the restore is ${result}: ${summary.failures[0]?.reason}`, {cause: error});
  return {ms, objects: summary.kinds.reduce((sum, kind) => sum + kind.restored, 0), plannedMs};
}

const phases: Record<string, () => Promise<object>> = {
  raw,
  capture,
  read,
  stream,
  'raw-create': rawCreate,
  restore,
};
const run = phases[phase];
if (!run) throw new Error(`no phase ${phase}`);
await readFile(kubeconfig);
const result = await run();
process.stdout.write(
  `${JSON.stringify({...result, peakMiB: Math.round(process.resourceUsage().maxRSS / 1024)})}\n`,
);
