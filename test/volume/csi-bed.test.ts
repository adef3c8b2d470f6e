import {readdirSync} from 'node:fs';
import {join} from 'node:path';
import {PassThrough} from 'node:stream';
import {text} from 'node:stream/consumers';
import {afterAll, beforeAll, expect, test, vi} from 'vitest';
import {createObject, deleteObject, patchObject, readObject} from '../../src/cluster/apply.ts';
import {type Cluster, connectCluster} from '../../src/cluster/client.ts';
import {CORE_TYPES} from '../../src/cluster/core-types.ts';
import {execInPod} from '../../src/cluster/exec.ts';
import {listAll} from '../../src/cluster/list.ts';
import type {KubeObject, ResourceType} from '../../src/cluster/object.ts';
import {layoutFor} from '../../src/local/layout.ts';
import type {JsonObject} from '../../src/std/json.ts';
import {at, stringAt} from '../../src/std/json-at.ts';
import {stateDir} from '../../src/std/paths.ts';
import {sleep, waitFor} from '../../src/std/wait.ts';
import {CSI, SNAPSHOT_TYPES, startCsi, type TestCsi} from '../bed/csi.ts';
import {startLocalCluster, type TestCluster} from '../bed/local-cluster.ts';
import {leftOf, tracesOf} from '../local/footprint.ts';

const namespace = 'default';
const {Pod, PersistentVolumeClaim, PersistentVolume} = CORE_TYPES;
const {VolumeSnapshot, VolumeSnapshotContent} = SNAPSHOT_TYPES;

let bed: TestCluster;
let csi: TestCsi;
let cluster: Cluster;

beforeAll(async () => {
  bed = await startLocalCluster();
  csi = await startCsi(bed);
  cluster = await connectCluster({kubeconfig: bed.kubeconfig});
  await createClaim('data');
  await createPod('writer', 'data');
});
afterAll(async () => {
  await cluster?.close();
  await csi?.stop();
  await bed?.stop();
});

async function createClaim(name: string, snapshot?: string): Promise<void> {
  const group = VolumeSnapshot.group;
  const source = snapshot && {dataSource: {apiGroup: group, kind: 'VolumeSnapshot', name: snapshot}};
  await createObject(cluster, PersistentVolumeClaim, {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {name, namespace},
    spec: {
      storageClassName: CSI.storageClass,
      accessModes: ['ReadWriteOnce'],
      resources: {requests: {storage: '256Mi'}},
      ...source,
    },
  });
}

async function createPod(
  name: string,
  claimName: string,
  {readOnly = false, spec = {}}: {readOnly?: boolean; spec?: JsonObject} = {},
): Promise<void> {
  const container = {
    name: 'main',
    image: 'localhost/busybox:1',
    imagePullPolicy: 'IfNotPresent',
    command: ['sleep', '3600'],
    volumeMounts: [{name: 'data', mountPath: '/data'}],
  };
  await createObject(cluster, Pod, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {name, namespace},
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [container],
      volumes: [{name: 'data', persistentVolumeClaim: {claimName, readOnly}}],
      ...spec,
    },
  });
  await until(Pod, name, pod => stringAt(pod, 'status', 'phase') === 'Running');
}

const createSnapshot = (name: string, className: string = CSI.snapshotClass) =>
  createObject(cluster, VolumeSnapshot, {
    apiVersion: 'snapshot.storage.k8s.io/v1',
    kind: 'VolumeSnapshot',
    metadata: {name, namespace},
    spec: {volumeSnapshotClassName: className, source: {persistentVolumeClaimName: 'data'}},
  });

const isReady = (snapshot: KubeObject) => at(snapshot, 'status', 'readyToUse') === true;
const untilReady = (name: string) => until(VolumeSnapshot, name, isReady);

function until(type: ResourceType, name: string, is: (object: KubeObject) => boolean): Promise<KubeObject> {
  let last: KubeObject | undefined;
  return waitFor(
    async () => {
      last = await readObject(cluster, type, {namespace, name});
      return last && is(last) ? last : undefined;
    },
    {
      waitingFor: `${type.kind} ${name}`,
      timeoutMs: 30_000,
      intervalMs: 50,
      lastSeen: () => JSON.stringify(last?.status),
    },
  );
}

async function remove(type: ResourceType, ...names: string[]): Promise<void> {
  for (const name of names) await deleteObject(cluster, type, {namespace, name});
  const left = async () => (await listAll(cluster, type, {namespace})).map(({metadata}) => metadata.name);
  await untilEmpty(`${type.kind}`, async () => (await left()).filter(name => names.includes(name)));
}

async function untilEmpty(what: string, find: () => Promise<string[]>): Promise<void> {
  let last: string[] = [];
  await waitFor(
    async () => {
      last = await find();
      return last.length === 0 || undefined;
    },
    {waitingFor: `no ${what}`, timeoutMs: 30_000, intervalMs: 50, lastSeen: () => last.join(', ')},
  );
}

async function run(pod: string, command: string): Promise<string> {
  const stdout = new PassThrough();
  const [output, result] = await Promise.all([
    text(stdout),
    execInPod(cluster, {namespace, pod, command: ['sh', '-c', command], stdout}),
  ]);
  if (result.exitCode !== 0) throw new Error(`${command}: ${result.stderr}`);
  return output.trim();
}

const contents = async () =>
  (await listAll(cluster, VolumeSnapshotContent)).map(({metadata}) => metadata.name);

test('a volume of a snapshot has the bytes of the moment when it was taken', async () => {
  await run('writer', 'head -c 3000000 /dev/urandom > /data/bytes');
  const before = await run('writer', 'sha256sum /data/bytes');
  await createSnapshot('first');
  const snapshot = await untilReady('first');
  expect(stringAt(snapshot, 'status', 'restoreSize')).toBe('256Mi');
  await run('writer', 'echo later > /data/bytes; echo more > /data/more');
  await createClaim('restored', 'first');
  await createPod('reader', 'restored', {readOnly: true});
  expect(await run('reader', 'sha256sum /data/bytes')).toBe(before);
  expect(await run('reader', 'ls /data')).toBe('bytes\nlost+found');
  await expect(run('reader', 'echo x > /data/x')).rejects.toThrow(/Read-only file system/);
  const claim = await until(PersistentVolumeClaim, 'restored', () => true);
  const volume = await readObject(cluster, PersistentVolume, {
    name: stringAt(claim, 'spec', 'volumeName') ?? '',
  });
  expect(JSON.stringify(volume?.spec?.nodeAffinity)).toContain('csi.pra.test/node');
});

test('a snapshot taken while two files are written is of one moment', async () => {
  const loop = 'i=0; while [ ! -e /data/stop ]; do i=$((i+1)); echo $i >> /data/a; echo $i >> /data/b; done';
  await run('writer', `head -c 100000000 /dev/urandom > /data/bulk; (${loop}) > /dev/null 2>&1 &`);
  await sleep(300);
  await createSnapshot('busy');
  await untilReady('busy');
  await run('writer', 'touch /data/stop');
  await createClaim('busy', 'busy');
  const spec = {securityContext: {runAsUser: 1000, runAsNonRoot: true, fsGroup: 2000}};
  await createPod('busy', 'busy', {spec});
  const [a = 0, b = 0] = (await run('busy', 'wc -l < /data/a; wc -l < /data/b')).split('\n').map(Number);
  expect(b).toBeGreaterThan(10);
  expect([0, 1]).toContain(a - b);
  expect(await run('busy', 'tail -n 1 /data/a; tail -n 1 /data/b')).toBe(`${a}\n${b}`);
  // It grew on after the snapshot, and the volume is the pod's group's to write.
  expect(Number(await run('writer', 'wc -l < /data/a'))).toBeGreaterThan(a);
  await run('busy', 'echo mine > /data/mine');
});

test('a driver that fails, or is not done, is seen in the snapshot', async () => {
  const mend = await csi.fault('CreateSnapshot', 'RESOURCE_EXHAUSTED the array is full');
  await createSnapshot('failed');
  const failed = await until(VolumeSnapshot, 'failed', object => at(object, 'status', 'error') !== undefined);
  expect(stringAt(failed, 'status', 'error', 'message')).toContain('the array is full');
  const done = await csi.fault('CreateSnapshot', 'PENDING');
  await until(VolumeSnapshot, 'failed', object => stringAt(object, 'status', 'creationTime') !== undefined);
  await sleep(500);
  expect(isReady(await until(VolumeSnapshot, 'failed', () => true))).toBe(false);
  await Promise.all([mend(), done()]);
  await untilReady('failed');
  const made = await csi.snapshots();
  const release = await csi.fault('CreateSnapshot', 'HANG');
  await createSnapshot('slow');
  await sleep(500);
  expect(await csi.snapshots()).toEqual(made);
  await release();
  await untilReady('slow');
});

test('a driver that was stopped leaves no process, and when it comes back it has its volumes', async () => {
  const processes = async () =>
    (await leftOf(bed.name)).filter(line => /^process.*(csi|snapshot)/.test(line));
  expect(await processes()).toHaveLength(4);
  await csi.stop();
  expect(await processes()).toEqual([]);
  csi = await startCsi(bed);
  await createSnapshot('later');
  await untilReady('later');
});

test('what is deleted is gone from the driver too, unless it is to be retained', async () => {
  await createSnapshot('retained', CSI.retainClass);
  await untilReady('retained');
  await remove(VolumeSnapshot, 'first', 'busy', 'failed', 'slow', 'later', 'retained');
  const [kept = '', ...others] = await contents();
  expect(others).toEqual([]);
  expect(await csi.snapshots()).toHaveLength(1);
  await patchObject(cluster, VolumeSnapshotContent, {name: kept}, {spec: {deletionPolicy: 'Delete'}});
  await deleteObject(cluster, VolumeSnapshotContent, {name: kept});
  await untilEmpty('snapshot', csi.snapshots);
  await untilEmpty('VolumeSnapshotContent', contents);
  await remove(Pod, 'writer', 'reader', 'busy');
  await remove(PersistentVolumeClaim, 'data', 'restored', 'busy');
  await untilEmpty('volume', csi.volumes);
  expect(readdirSync(join(csi.dir, 'volumes'))).toEqual([]);
});

test('nothing is left when a cluster goes while its volumes are in use', async () => {
  await createClaim('last');
  await createPod('last', 'last');
  const {name} = bed;
  const [dir, traces] = [stateDir(), tracesOf(name)];
  const loops = (await leftOf(name, traces)).filter(line => line.startsWith('loop device'));
  expect(loops).toEqual([expect.stringContaining(join(layoutFor(name).dir, 'csi', 'volumes'))]);
  await cluster.close();
  await bed.stop();
  vi.stubEnv('PRA_STATE_DIR', dir);
  await untilEmpty('rest of the cluster', () => leftOf(name, traces));
  vi.unstubAllEnvs();
});
