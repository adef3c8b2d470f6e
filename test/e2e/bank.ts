import {randomBytes} from 'node:crypto';
import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {Readable} from 'node:stream';
import {applyObject, deleteObject, patchObject} from '../../src/cluster/apply.ts';
import {type Cluster, connectCluster} from '../../src/cluster/client.ts';
import {CORE_TYPES} from '../../src/cluster/core-types.ts';
import {discoverResources} from '../../src/cluster/discover.ts';
import {execInPod} from '../../src/cluster/exec.ts';
import {listAll} from '../../src/cluster/list.ts';
import type {KubeObject} from '../../src/cluster/object.ts';
import {ResourceMap} from '../../src/cluster/resource-map.ts';
import {waitHealthy} from '../../src/cluster/wait-healthy.ts';
import {parseRecord} from '../../src/evidence/parse.ts';
import type {DrillRecord} from '../../src/evidence/record.ts';
import {moverImage} from '../../src/image/mover.ts';
import {shopImages} from '../../src/image/shop.ts';
import {stateDir} from '../../src/std/paths.ts';
import {waitFor} from '../../src/std/wait.ts';
import {MOVER_LABEL} from '../../src/volume/mover/job.ts';
import {type CliResult, runPra, startPra} from '../bed/cli.ts';
import {SNAPSHOT_TYPES, startCsi} from '../bed/csi.ts';
import {startLocalCluster} from '../bed/local-cluster.ts';
import {lastOf, seedBank} from './bank-load.ts';
import {ARCHIVE, databaseObjects, PAPERS, quietObjects} from './bank-objects.ts';
import {bankPlan, databaseOf, METHODS, NAMESPACES} from './bank-plan.ts';

export interface BankRun extends CliResult {
  record: DrillRecord;
  /** What movers left in the source when the snapshot was taken; a minute later what they forget goes by itself. */
  left: string[];
}

/** A bank whose databases lie on volumes of each kind, on a cluster with CSI snapshots, and `pra` pointed at it. */
export interface BankBed {
  dir: string;
  passphrase: string;
  cluster: Cluster;
  /** What is in the volumes that nobody uses, by claim and path. */
  contents: Record<string, Record<string, Buffer>>;
  /** Writes a plan which expects what is there now. @returns its path */
  plan(change?: (plan: ReturnType<typeof bankPlan>) => void): Promise<string>;
  pra(...args: string[]): Promise<CliResult>;
  drill(plan: string, ...args: string[]): Promise<BankRun>;
  stop(): Promise<void>;
}

const {StatefulSet, Pod, Job, PersistentVolumeClaim, Secret} = CORE_TYPES;
const {quiet} = NAMESPACES;

export async function makeBankBed(): Promise<BankBed> {
  const signal = AbortSignal.timeout(170_000);
  const dir = await mkdtemp(join(tmpdir(), 'pra-e2e-'));
  const passphrase = 'correct horse battery staple';
  await writeFile(join(dir, 'passphrase'), `${passphrase}\n`, {mode: 0o600});
  const images = [(await shopImages({signal})).postgres];
  const local = await startLocalCluster({images: [...images, await moverImage({signal})]});
  const stops = [() => rm(dir, {recursive: true, force: true}), local.stop];
  const stop = async () => {
    for (const step of stops.toReversed()) await step();
  };
  try {
    const csi = await startCsi(local, signal);
    stops.push(csi.stop);
    const cluster = await connectCluster({kubeconfig: local.kubeconfig});
    stops.push(() => cluster.close());
    const contents = await fill(cluster);
    const env = {
      PRA_STATE_DIR: stateDir(),
      PRA_PASSPHRASE_FILE: join(dir, 'passphrase'),
      PRA_KUBECONFIG: local.kubeconfig,
    };
    let plans = 0;
    return {
      dir,
      passphrase,
      cluster,
      contents,
      plan: async change => {
        const [csi, filesystem, dump] = await Promise.all(
          METHODS.map(method => lastOf(cluster, databaseOf(method))),
        );
        const before = {csi: csi ?? 0, filesystem: filesystem ?? 0, dump: dump ?? 0};
        const repository = `file://${join(dir, 'repository')}`;
        const plan = bankPlan({context: local.name, repository, before});
        change?.(plan);
        plans += 1;
        const file = join(dir, `plan-${plans}.yaml`);
        await writeFile(file, JSON.stringify(plan, undefined, 2));
        return file;
      },
      pra: (...args) => runPra(args, env),
      drill: async (plan, ...args) => {
        const vars = `images=${JSON.stringify(images)}`;
        const drill = startPra(['drill', 'run', plan, '--json', '--var', vars, ...args], env);
        let left: Promise<string[]> | undefined;
        drill.stderr.on('data', chunk => {
          if (String(chunk).includes('T0 declared')) left ??= leftoversIn(cluster);
        });
        const ran = await drill;
        if (!ran.stdout.includes('"identity"'))
          throw new Error(`the drill left no record: ${ran.stdout}${ran.stderr}`);
        const {exitCode = -1, stdout, stderr} = ran;
        return {exitCode, stdout, stderr, record: parseRecord(stdout), left: (await left) ?? ['no snapshot']};
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Puts everything into the cluster, and leaves nothing running in the namespace in which nothing runs. */
async function fill(cluster: Cluster): Promise<BankBed['contents']> {
  const objects = [...(await databaseObjects()), ...quietObjects()];
  const types = new ResourceMap(await discoverResources(cluster, {}));
  for (const object of objects) await applyObject(cluster, types.of(object), object);
  const workloads = objects.filter(({kind}) => kind === 'StatefulSet' || kind === 'Pod');
  const targets = workloads.map(object => ({type: types.of(object), ...object.metadata}));
  const {healthy, worst} = await waitHealthy(cluster, targets, {timeoutMs: 300_000, pollMs: 200});
  if (!healthy) throw new Error(`${worst?.ref}: ${worst?.reason}`);
  await Promise.all(METHODS.map(method => seedBank(cluster, databaseOf(method))));
  const contents = {[ARCHIVE]: makeFiles(), [PAPERS]: makeFiles()};
  await writeFiles(cluster, 'archive-0', contents[ARCHIVE] ?? {});
  await writeFiles(cluster, PAPERS, contents[PAPERS] ?? {});
  await patchObject(cluster, StatefulSet, {name: 'archive', namespace: quiet}, {spec: {replicas: 0}});
  await deleteObject(cluster, Pod, {name: PAPERS, namespace: quiet});
  const gone = async () =>
    (await listAll(cluster, Pod, {namespace: quiet})).length === 0 ? true : undefined;
  await waitFor(gone, {waitingFor: 'no pod in the quiet namespace', timeoutMs: 300_000});
  return contents;
}

/** Files of which no two volumes hold the same. */
const makeFiles = (): Record<string, Buffer> => ({
  'ledger.bin': randomBytes(3 << 20),
  'letters/2026/first letter, é.txt': Buffer.from(`dear ${randomBytes(8).toString('hex')}\n`),
  'letters/empty': Buffer.alloc(0),
});

async function writeFiles(cluster: Cluster, pod: string, files: Record<string, Buffer>): Promise<void> {
  for (const [path, bytes] of Object.entries(files)) {
    // The shell stays: containerd cuts off the input of a command that has let go of its output (its issue 13934).
    const script = 'mkdir -p "$(dirname "$1")" && cat >"$1"; exit $?';
    const command = ['sh', '-c', script, 'sh', `/data/${path}`];
    const stdin = Readable.from(bytes.length === 0 ? [] : [bytes]);
    const {exitCode, stderr} = await execInPod(cluster, {namespace: quiet, pod, command, stdin});
    if (exitCode !== 0) throw new Error(`${path} could not be written: ${stderr}`);
  }
}

async function leftoversIn(cluster: Cluster): Promise<string[]> {
  const snapshots = [SNAPSHOT_TYPES.VolumeSnapshot, SNAPSHOT_TYPES.VolumeSnapshotContent];
  const lists = await Promise.all([
    ...[Job, Pod, PersistentVolumeClaim, Secret].map(type =>
      listAll(cluster, type, {labelSelector: MOVER_LABEL}),
    ),
    // Of these there are none but those that a snapshot made, and a content has no labels.
    ...snapshots.map(type => listAll(cluster, type, {})),
  ]);
  return lists.flat().map(nameOf);
}

const nameOf = ({kind, metadata}: KubeObject) => `${kind} ${metadata.namespace}/${metadata.name}`;
