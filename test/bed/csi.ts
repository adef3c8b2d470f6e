import {mkdir, readdir, readFile, rm, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {parse} from 'yaml';
import {z} from 'zod';
import {applyObject} from '../../src/cluster/apply.ts';
import {type Cluster, connectCluster} from '../../src/cluster/client.ts';
import {CORE_TYPES} from '../../src/cluster/core-types.ts';
import type {KubeObject, ResourceType} from '../../src/cluster/object.ts';
import {requireAlive, startDaemon} from '../../src/local/daemon.ts';
import {type Layout, layoutFor} from '../../src/local/layout.ts';
import {NODE_NAME} from '../../src/local/node.ts';
import {type LocalProcess, readState} from '../../src/local/state.ts';
import {waitEstablished} from '../../src/restore/established.ts';
import {arrayAt, stringAt} from '../../src/std/json-at.ts';
import {packageRoot} from '../../src/std/paths.ts';
import {isSameProcess} from '../../src/std/pid.ts';
import {runProcess} from '../../src/std/process.ts';
import {sleep, waitFor} from '../../src/std/wait.ts';
import {resolveTool} from '../../src/tool/resolve.ts';
import {typeOf} from '../restore/objects.ts';
import {goModule} from './go-module.ts';
import type {TestCluster} from './local-cluster.ts';

/** Name of the driver and, as the cluster knows them, of its classes. */
export const CSI = {
  driver: 'csi.pra.test',
  storageClass: 'csi-test',
  /** Deleting a snapshot of this class deletes what it is of the driver; of the other, it stays. */
  snapshotClass: 'csi-test',
  retainClass: 'csi-test-retain',
} as const;

const clusterWide = (type: ResourceType): ResourceType => ({...type, namespaced: false});
const SNAPSHOTS = 'snapshot.storage.k8s.io/v1';

export const SNAPSHOT_TYPES = {
  VolumeSnapshot: typeOf(SNAPSHOTS, 'VolumeSnapshot'),
  VolumeSnapshotContent: clusterWide(typeOf(SNAPSHOTS, 'VolumeSnapshotContent')),
  VolumeSnapshotClass: clusterWide(typeOf(SNAPSHOTS, 'VolumeSnapshotClass')),
} as const;

/** What can be made to go wrong. */
export type CsiRpc =
  | 'CreateVolume'
  | 'DeleteVolume'
  | 'CreateSnapshot'
  | 'DeleteSnapshot'
  | 'ListSnapshots'
  | 'NodeStageVolume'
  | 'NodeUnstageVolume'
  | 'NodePublishVolume'
  | 'NodeUnpublishVolume';

/** A real CSI driver with snapshots, and the controllers that every cluster with CSI snapshots runs. */
export interface TestCsi {
  /** Ids of the volumes that the driver has, each the file `volumes/ID.img` of `dir`. */
  volumes(): Promise<string[]>;
  /** Ids of its snapshots, each the file `snapshots/ID.img` of `dir`. */
  snapshots(): Promise<string[]>;
  dir: string;
  /**
   * Makes an RPC go wrong until the answer is called: a gRPC code with a message (`UNAVAILABLE the array is away`) fails
   * it, `HANG` holds it up, `PENDING` makes CreateSnapshot and ListSnapshots say that a snapshot is not ready to use.
   */
  fault(rpc: CsiRpc, fault: string): Promise<() => Promise<void>>;
  /** Ends the driver and the controllers. What they made goes with the cluster. */
  stop(): Promise<void>;
}

const READY_TIMEOUT_MS = 60_000;
const END_TIMEOUT_MS = 25_000;

/**
 * Gives a cluster with a kubelet volumes and snapshots by CSI (about 3 s). All its parts run in the cluster's network
 * namespace, so that they end with the cluster even when `stop` is never called.
 */
export async function startCsi(bed: TestCluster, signal?: AbortSignal): Promise<TestCsi> {
  const layout = layoutFor(bed.name);
  const dir = join(layout.dir, 'csi');
  const processes: LocalProcess[] = [];
  const stop = () => endAll(processes);
  const cluster = await connectCluster({kubeconfig: bed.kubeconfig});
  try {
    await mkdir(dir, {recursive: true, mode: 0o700});
    await Promise.all([
      installObjects(cluster, signal ?? new AbortController().signal),
      startDriver(layout, dir, started => processes.push(started)),
    ]);
    await untilRegistered(cluster, layout, processes);
    for (const [name, args] of Object.entries(controllers(layout, bed.kubeconfig))) {
      const {path} = await resolveTool(name, {signal});
      processes.push(startDaemon({layout, name, file: path, args}));
    }
    return {
      dir,
      volumes: () => images(join(dir, 'volumes')),
      snapshots: () => images(join(dir, 'snapshots')),
      fault: (rpc, fault) => makeFault(join(dir, 'fault', rpc), fault),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  } finally {
    await cluster.close();
  }
}

const manifest = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({name: z.string()}),
});

/** The definitions as the project releases them; its groups of snapshots are not used. */
async function definitions(): Promise<KubeObject[]> {
  const released = await goModule(
    'github.com/kubernetes-csi/external-snapshotter/client/v8',
    'v8.7.0',
    'h1:HVaSUeRRHPu49aSiL8eXOjS9Re9G6pM0NzdTGI7mM14=',
  );
  const kinds = Object.values(SNAPSHOT_TYPES).map(({group, plural}) => `${group}_${plural}.yaml`);
  return Promise.all(
    kinds.map(async file => {
      const text = await readFile(join(released, 'config', 'crd', file), 'utf8');
      return manifest.parse(JSON.parse(JSON.stringify(parse(text))));
    }),
  );
}

async function installObjects(cluster: Cluster, signal: AbortSignal): Promise<void> {
  const crds = await definitions();
  await Promise.all(
    crds.map(crd => applyObject(cluster, CORE_TYPES.CustomResourceDefinition, crd, {signal})),
  );
  await waitEstablished(cluster, crds, signal);
  const storage = 'storage.k8s.io/v1';
  const driver: KubeObject = {
    apiVersion: storage,
    kind: 'CSIDriver',
    metadata: {name: CSI.driver},
    spec: {attachRequired: false, podInfoOnMount: false, fsGroupPolicy: 'File'},
  };
  const storageClass: KubeObject = {
    apiVersion: storage,
    kind: 'StorageClass',
    metadata: {name: CSI.storageClass},
    provisioner: CSI.driver,
    volumeBindingMode: 'WaitForFirstConsumer',
    reclaimPolicy: 'Delete',
  };
  const snapshotClass = (name: string, deletionPolicy: 'Delete' | 'Retain'): KubeObject => ({
    apiVersion: SNAPSHOTS,
    kind: 'VolumeSnapshotClass',
    metadata: {name},
    driver: CSI.driver,
    deletionPolicy,
  });
  await Promise.all([
    applyObject(cluster, clusterWide(typeOf(storage, 'CSIDriver')), driver, {signal}),
    applyObject(cluster, CORE_TYPES.StorageClass, storageClass, {signal}),
    ...[snapshotClass(CSI.snapshotClass, 'Delete'), snapshotClass(CSI.retainClass, 'Retain')].map(object =>
      applyObject(cluster, SNAPSHOT_TYPES.VolumeSnapshotClass, object, {signal}),
    ),
  ]);
}

/** Where the kubelet looks for drivers. */
const socketOf = (layout: Layout) => join(layout.dir, 'kubelet', 'plugins_registry', 'csi.sock');

/** The driver mounts what pods see, so it shares the mounts of the kubelet. */
async function startDriver(
  layout: Layout,
  dir: string,
  record: (started: LocalProcess) => void,
): Promise<void> {
  const file = join(dir, 'csi-driver');
  await runProcess('go', ['build', '-mod=readonly', '-trimpath', '-ldflags', '-s -w', '-o', file, '.'], {
    cwd: join(packageRoot(), 'test', 'bed', 'csi-driver'),
    env: {CGO_ENABLED: '0', GOWORK: 'off', GOFLAGS: ''},
  });
  const mountsOf = readState(layout.stateFile)?.processes.find(({name}) => name === 'mounts');
  if (!mountsOf) throw new Error(`the cluster ${layout.name} has no kubelet`);
  const args = [`-dir=${dir}`, `-socket=${socketOf(layout)}`, `-node=${NODE_NAME}`];
  record(startDaemon({layout, name: 'csi-driver', file, args, mountsOf}));
}

/** The controllers as they are deployed elsewhere, except that they try again soon: tests wait for them. */
function controllers(layout: Layout, kubeconfig: string): Record<string, string[]> {
  const common = [
    `--kubeconfig=${kubeconfig}`,
    '--retry-interval-start=200ms',
    '--retry-interval-max=2s',
    '--kube-api-qps=100',
    '--kube-api-burst=200',
  ];
  const sidecar = [
    ...common,
    `--csi-address=${socketOf(layout)}`,
    '--timeout=60s',
    '--extra-create-metadata',
  ];
  // A snapshot that was given up and then taken all the same is deleted no sooner than its controller looks again.
  const snapshots = ['--feature-gates=CSIVolumeGroupSnapshot=false', '--resync-period=3s'];
  return {
    'snapshot-controller': [...common, ...snapshots],
    'csi-snapshotter': [...sidecar, ...snapshots],
    'csi-provisioner': [...sidecar, '--default-fstype=ext4', '--strict-topology'],
  };
}

async function untilRegistered(cluster: Cluster, layout: Layout, processes: LocalProcess[]): Promise<void> {
  await waitFor(
    async () => {
      requireAlive(layout, processes);
      const path = `/apis/storage.k8s.io/v1/csinodes/${NODE_NAME}`;
      const node = await cluster.request('GET', path).catch(() => undefined);
      const drivers = arrayAt(node, 'spec', 'drivers');
      return drivers.some(driver => stringAt(driver, 'name') === CSI.driver) ? true : undefined;
    },
    {waitingFor: 'the kubelet to know the CSI driver', timeoutMs: READY_TIMEOUT_MS, intervalMs: 50},
  );
}

const images = async (folder: string) =>
  (await readdir(folder)).filter(file => file.endsWith('.img')).map(file => file.slice(0, -'.img'.length));

async function makeFault(file: string, fault: string): Promise<() => Promise<void>> {
  await writeFile(file, fault);
  return () => rm(file, {force: true});
}

/** The driver ends by itself once it has thawed what it froze. The controllers first, or they ask it for more. */
async function endAll(processes: readonly LocalProcess[]): Promise<void> {
  for (const {pid, startedAt} of processes.toReversed()) {
    const runs = () => isSameProcess(pid, startedAt);
    if (runs()) process.kill(pid, 'SIGTERM');
    for (let waitedMs = 0; runs() && waitedMs < END_TIMEOUT_MS; waitedMs += 20) await sleep(20);
    if (runs()) process.kill(pid, 'SIGKILL');
  }
}
