/**
 * One measured phase, in a process of its own, so that its memory and its compiled code are its own. Prints one JSON line.
 * usage: phase.ts PHASE KUBECONFIG REPOSITORY
 */
import {readFile} from 'node:fs/promises';
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
import {createSnapshot} from '../../src/snapshot/create.ts';
import {diffSnapshots} from '../../src/snapshot/diff.ts';
import {compileSelect} from '../../src/snapshot/select.ts';
import {showSnapshot} from '../../src/snapshot/show.ts';

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

const phases: Record<string, () => Promise<object>> = {raw, capture, read, stream};
const run = phases[phase];
if (!run) throw new Error(`no phase ${phase}`);
await readFile(kubeconfig);
const result = await run();
process.stdout.write(
  `${JSON.stringify({...result, peakMiB: Math.round(process.resourceUsage().maxRSS / 1024)})}\n`,
);
