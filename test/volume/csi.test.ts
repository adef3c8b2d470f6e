import {spawn} from 'node:child_process';
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {PassThrough} from 'node:stream';
import {text} from 'node:stream/consumers';
import {afterAll, afterEach, beforeAll, expect, test} from 'vitest';
import {deleteObject, patchObject, readObject} from '../../src/cluster/apply.ts';
import {CORE_TYPES} from '../../src/cluster/core-types.ts';
import {execInPod} from '../../src/cluster/exec.ts';
import {listAll} from '../../src/cluster/list.ts';
import type {KubeObject, ResourceType} from '../../src/cluster/object.ts';
import {layoutFor} from '../../src/local/layout.ts';
import {readState} from '../../src/local/state.ts';
import {stringAt} from '../../src/std/json-at.ts';
import {runProcess} from '../../src/std/process.ts';
import {waitFor} from '../../src/std/wait.ts';
import {type CsiSettings, chooseSnapshotClass} from '../../src/volume/csi.ts';
import {MOVER_LABEL} from '../../src/volume/mover/job.ts';
import type {Restic} from '../../src/volume/restic.ts';
import {SNAPSHOT_TYPES} from '../../src/volume/snapshot-types.ts';
import {CSI, startCsi, type TestCsi} from '../bed/csi.ts';
import {errorOf} from '../bed/error-of.ts';
import {atData} from '../bed/faulty-store.ts';
import {claimObject, idlePod, namespaceObject, startVolumeBed, type VolumeBed} from '../bed/volume-bed.ts';
import {differences, fillVolume, type Saving, saveVolume, saveVolumes} from './saving.ts';

const {VolumeSnapshot, VolumeSnapshotContent, VolumeSnapshotClass} = SNAPSHOT_TYPES;
const namespace = 'shop';
/** Where root may restore, so that also the folder of the volume itself is as it was. */
const TARGET = 'target';
const CLASSES = [CSI.snapshotClass, CSI.retainClass] as const;

let bed: VolumeBed;
let csi: TestCsi;
let restic: Restic;
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pra-csi-'));
  bed = await startVolumeBed();
  csi = await startCsi(bed);
  ({restic} = await bed.keep());
  const spec = {storageClassName: CSI.storageClass, resources: {requests: {storage: '64Mi'}}};
  await bed.create(
    namespaceObject(TARGET),
    namespaceObject(namespace, {'pod-security.kubernetes.io/enforce': 'restricted'}),
    claimObject(namespace, 'orders', spec),
    claimObject(namespace, 'stock', spec),
    idlePod(namespace, 'orders', 'orders', {fsGroup: 2000}),
    idlePod(namespace, 'stock', 'stock', {fsGroup: 2000}),
  );
  await inPod(
    'orders',
    'mkdir /data/2026; head -c 3000000 /dev/urandom > /data/2026/rows; ln -s 2026 /data/now',
  );
  await inPod('orders', 'echo secret > /data/key; chmod 600 /data/key; touch -d 2001-02-03 /data/2026');
  await inPod('stock', 'echo 12 > /data/count');
});
afterAll(async () => {
  await csi?.stop();
  await bed?.stop();
  await rm(dir, {recursive: true, force: true});
});
afterEach(async () => expect(await leftAfterAWhile()).toEqual([]));

async function inPod(pod: string, command: string): Promise<string> {
  const stdout = new PassThrough();
  const [output, result] = await Promise.all([
    text(stdout),
    execInPod(bed.cluster, {namespace, pod, command: ['sh', '-c', command], stdout}),
  ]);
  if (result.exitCode !== 0) throw new Error(`${command}: ${result.stderr}`);
  return output.trim();
}

type Options = Partial<Saving> & {csi?: Partial<CsiSettings>; claim?: string};
const savingOf = ({csi: settings, claim, ...saving}: Options): Saving => ({
  restic,
  namespace,
  rules: [
    {
      ...(claim === undefined ? {} : {select: {app: claim}}),
      storageClasses: [CSI.storageClass],
      method: 'csi',
      csi: {snapshotClass: CSI.snapshotClass, timeoutMs: 30_000, keep: false, ...settings},
    },
    {method: 'none'},
  ],
  ...saving,
});
const save = (options: Options = {}) => saveVolume(bed, savingOf({claim: 'orders', ...options}));
const saveAll = (options: Options = {}) => saveVolumes(bed, savingOf(options));

const namesOf = async (type: typeof VolumeSnapshot) =>
  (await listAll(bed.cluster, type)).map(({kind, metadata}) => `${kind} ${metadata.name}`);

/** Everything of a snapshot that a cluster and its storage can be left with. */
const leftovers = async (): Promise<string[]> => [
  ...(await bed.leftovers()),
  ...(await namesOf(VolumeSnapshot)),
  ...(await namesOf(VolumeSnapshotContent)),
  ...(await csi.snapshots()),
  ...(await csi.volumes()).slice(2).map(() => 'a volume'),
];

/** Volumes that nobody claims any more go a moment later. */
async function leftAfterAWhile(): Promise<string[]> {
  let left: string[] = [];
  await waitFor(
    async () => {
      left = await leftovers();
      return left.length === 0 || undefined;
    },
    {waitingFor: 'nothing to be left', timeoutMs: 30_000, intervalMs: 200},
  ).catch(() => undefined);
  return left;
}

const isThere = (count: number) =>
  waitFor(
    async () => {
      const snapshots: KubeObject[] = await listAll(bed.cluster, VolumeSnapshot);
      return snapshots.length === count || undefined;
    },
    {waitingFor: `${count} VolumeSnapshots`, timeoutMs: 20_000, intervalMs: 50},
  );

/** A copy of the tree in a pod, made past Kubernetes and pra. */
async function copyOf(pod: string): Promise<string> {
  const layout = layoutFor(bed.name);
  const [found] = (await listAll(bed.cluster, CORE_TYPES.Pod, {namespace})).filter(
    ({metadata}) => metadata.name === pod,
  );
  const mounts = readState(layout.stateFile)?.processes.find(({name}) => name === 'mounts');
  const target = await mkdtemp(join(dir, 'copy-'));
  const volumes = join(layout.dir, 'kubelet/pods', found?.metadata.uid ?? '', 'volumes/kubernetes.io~csi');
  await runProcess('nsenter', [
    `--mount=/proc/${mounts?.pid}/ns/mnt`,
    ...['--', 'sh', '-c', `rsync -aHAX --exclude=/lost+found ${volumes}/*/mount/ ${target}/`],
  ]);
  return target;
}

test('two claims are cut at once, and come back as they were at that moment', async () => {
  const before = {orders: await copyOf('orders'), stock: await copyOf('stock')};
  const release = await csi.fault('CreateSnapshot', 'HANG');
  const saving = saveAll({
    afterCut: async () => {
      await inPod('orders', 'echo later > /data/key; rm /data/now; echo new > /data/new');
      await inPod('stock', 'echo 11 > /data/count');
    },
  });
  // The storage system has not answered to the first when it is asked for the second.
  await isThere(2);
  await release();
  const records = await saving;
  expect(records.map(({pvcs: [claim]}) => claim)).toEqual(['orders', 'stock']);
  for (const record of records) {
    expect(record).toMatchObject({
      method: 'csi',
      driver: CSI.driver,
      storageClass: CSI.storageClass,
      snapshotClass: CSI.snapshotClass,
      runAs: 'user 1000, groups 2000',
      user: {uid: 1000, groups: [2000]},
      manifest: {unstable: 0},
    });
    const [claim] = record.pvcs;
    await bed.create(claimObject(TARGET, claim));
    const filled = await fillVolume(bed, {restic, record, namespace: TARGET, claim});
    expect(filled.comparison.differing).toBe(0);
    const copy = await bed.folderOf(TARGET, claim);
    const original = claim === 'orders' ? before.orders : before.stock;
    expect(await differences(original, copy)).toBe('');
  }
});

/** Deletes the movers at the first bytes that they send, and lets these on when their pods are gone. */
const deletingMovers = (kind: 'Pod' | 'Job') =>
  atData('put', 1, async () => {
    const find = (type: ResourceType) => listAll(bed.cluster, type, {labelSelector: MOVER_LABEL});
    for (const {metadata} of await find(CORE_TYPES[kind]))
      await deleteObject(bed.cluster, CORE_TYPES[kind], {name: metadata.name, namespace: metadata.namespace});
    await waitFor(async () => (await find(CORE_TYPES.Pod)).length === 0 || undefined, {
      waitingFor: 'the pods of movers to be gone',
      timeoutMs: 30_000,
    });
  });

test('what is moved when its pod is deleted is moved by another one', async () => {
  const original = await copyOf('orders');
  const kept = await bed.keep();
  kept.store.before = deletingMovers('Pod');
  const notes: string[] = [];
  const record = await save({
    restic: kept.restic,
    onEvent: event => void (event.type === 'volume-note' && notes.push(event.message)),
  });
  expect(notes).toContainEqual(expect.stringMatching(/ended while it was at work; again$/));
  await bed.create(claimObject(TARGET, 'moved'));
  await fillVolume(bed, {restic: kept.restic, record, namespace: TARGET, claim: 'moved'});
  expect(await differences(original, await bed.folderOf(TARGET, 'moved'))).toBe('');
});

test('with its Job the clone and the snapshot go, and that is one clear error', async () => {
  const kept = await bed.keep();
  kept.store.before = deletingMovers('Job');
  const error = await errorOf(save({restic: kept.restic}), {limitMs: 60_000});
  expect(error).toMatchObject({
    code: 'VOLUME_SAVE_FAILED',
    why: 'its clone went with the Job that was to read it, which somebody deleted',
  });
});

test.each(CLASSES)('nothing of it stays with the class %s', async snapshotClass => {
  const record = await save({csi: {snapshotClass}});
  expect(record.snapshotClass).toBe(snapshotClass);
});

test.each([
  [CSI.snapshotClass, 'RESOURCE_EXHAUSTED'],
  [CSI.snapshotClass, 'INTERNAL'],
  [CSI.retainClass, 'INTERNAL'],
])('a driver that fails is an error in its words, with the class %s and %s', async (snapshotClass, code) => {
  const mend = await csi.fault('CreateSnapshot', `${code} the array is full`);
  try {
    const error = await errorOf(save({csi: {snapshotClass, timeoutMs: 2000}}), {limitMs: 30_000});
    expect(error.code).toBe('VOLUME_SAVE_FAILED');
    expect(error.message).toBe('the storage system did not take a snapshot of claim orders');
    expect(error.why).toContain('the array is full');
  } finally {
    await mend();
  }
});

test.each(CLASSES)(
  'a snapshot that is never ready is an error in time, with the class %s',
  async snapshotClass => {
    const mends = [await csi.fault('CreateSnapshot', 'PENDING'), await csi.fault('ListSnapshots', 'PENDING')];
    try {
      const error = await errorOf(save({csi: {snapshotClass, timeoutMs: 2000}}), {limitMs: 30_000});
      expect(error).toMatchObject({code: 'VOLUME_SAVE_FAILED'});
      expect(error.why).toContain(
        'gave up waiting for the VolumeSnapshot of claim shop/orders to be ready after 2.0s',
      );
    } finally {
      for (const mend of mends) await mend();
    }
  },
);

test('a class that is not there is found before a snapshot is taken, and those that there are, are named', async () => {
  let cuts = 0;
  const error = await errorOf(
    saveAll({
      csi: {snapshotClass: 'gold'},
      onEvent: event => {
        if (event.type === 'volume-note') cuts += 1;
      },
    }),
  );
  expect(error).toMatchObject({
    code: 'VOLUME_SAVE_FAILED',
    message: `there is no VolumeSnapshotClass gold for driver ${CSI.driver}`,
    why: `${CSI.snapshotClass}, ${CSI.retainClass} are for driver ${CSI.driver}`,
  });
  expect(cuts).toBe(0);
});

test('the class is the one of the plan, else the default of the driver, else its only one', async () => {
  const {cluster} = bed;
  const {signal} = new AbortController();
  const choose = (snapshotClass?: string, driver: string = CSI.driver) =>
    chooseSnapshotClass(cluster, {driver, csi: {snapshotClass, timeoutMs: 1000, keep: false}}, signal);
  const annotate = (name: string, value: string | null) =>
    patchObject(
      cluster,
      VolumeSnapshotClass,
      {name},
      {
        metadata: {annotations: {'snapshot.storage.kubernetes.io/is-default-class': value}},
      },
    );
  expect(await choose(CSI.retainClass)).toBe(CSI.retainClass);
  expect(await errorOf(choose())).toMatchObject({
    message: `no VolumeSnapshotClass can be chosen for driver ${CSI.driver}`,
    why: `${CSI.snapshotClass}, ${CSI.retainClass} are for driver ${CSI.driver}`,
  });
  expect((await errorOf(choose(undefined, 'csi.other.test'))).why).toBe('none is for driver csi.other.test');
  expect((await errorOf(choose(CSI.snapshotClass, 'csi.other.test'))).code).toBe('VOLUME_SAVE_FAILED');
  await annotate(CSI.retainClass, 'true');
  expect(await choose()).toBe(CSI.retainClass);
  await annotate(CSI.retainClass, null);
  const [kept] = (await listAll(cluster, VolumeSnapshotClass)).filter(
    ({metadata}) => metadata.name === CSI.retainClass,
  );
  await deleteObject(cluster, VolumeSnapshotClass, {name: CSI.retainClass});
  expect(await choose()).toBe(CSI.snapshotClass);
  await cluster.request('POST', '/apis/snapshot.storage.k8s.io/v1/volumesnapshotclasses', {
    body: {
      apiVersion: 'snapshot.storage.k8s.io/v1',
      kind: 'VolumeSnapshotClass',
      metadata: {name: CSI.retainClass},
      driver: kept?.driver,
      deletionPolicy: kept?.deletionPolicy,
    },
  });
});

test.each(CLASSES)(
  'a snapshot of class %s that is to be kept stays, and nothing else',
  async snapshotClass => {
    const {kept = ''} = await save({csi: {keep: true, snapshotClass}});
    const [snapshot, ...others] = await listAll(bed.cluster, VolumeSnapshot);
    expect([snapshot?.metadata.name, others]).toEqual([kept, []]);
    await waitFor(async () => (await csi.volumes()).length === 2 || undefined, {
      waitingFor: 'the clone to go',
      timeoutMs: 20_000,
    });
    const content = stringAt(snapshot, 'status', 'boundVolumeSnapshotContentName');
    expect(await leftovers()).toEqual([
      `VolumeSnapshot ${kept}`,
      `VolumeSnapshotContent ${content}`,
      expect.stringContaining('@'),
    ]);
    // As its class wants it, for whoever deletes it.
    const policy = snapshotClass === CSI.retainClass ? 'Retain' : 'Delete';
    const found = await readObject(bed.cluster, VolumeSnapshotContent, {name: content ?? ''});
    expect(stringAt(found, 'spec', 'deletionPolicy')).toBe(policy);
    const spec = {deletionPolicy: 'Delete'};
    await patchObject(bed.cluster, VolumeSnapshotContent, {name: content ?? ''}, {spec});
    await deleteObject(bed.cluster, VolumeSnapshot, {namespace, name: kept});
  },
);

test('what was to be kept goes when the snapshot that would name it is not written', async () => {
  const beforeRoot = () => Promise.reject(new Error('the store is full'));
  await expect(save({csi: {keep: true, snapshotClass: CSI.retainClass}, beforeRoot})).rejects.toThrow(
    'the store is full',
  );
});

test.each([
  ['while the storage system works', 'CreateSnapshot', false],
  ['between the cut and the move', undefined, false],
  ['and the snapshot was to be kept', undefined, true],
] as const)(
  'a run that is stopped %s leaves nothing',
  async (_when, hanging, keep) => {
    const stop = new AbortController();
    const release = hanging && (await csi.fault(hanging, 'HANG'));
    const saving = errorOf(
      save({
        csi: {keep, snapshotClass: CSI.retainClass},
        signal: stop.signal,
        afterCut: async () => stop.abort(),
      }).catch((error: unknown) => {
        expect(stop.signal.aborted).toBe(true);
        throw error;
      }),
      {limitMs: 40_000},
    ).catch(() => undefined);
    if (release) {
      await isThere(1);
      stop.abort();
      setTimeout(release, 1000);
    }
    await saving;
    expect(stop.signal.aborted).toBe(true);
  },
  60_000,
);

test.each([
  [CSI.snapshotClass, false],
  [CSI.retainClass, false],
  [CSI.retainClass, true],
])(
  'what a killed run leaves goes by itself, with the class %s and keep: %s',
  async (snapshotClass, keep) => {
    const {repository} = await bed.keep();
    await inPod('orders', 'head -c 20000000 /dev/urandom > /data/more');
    const args = [bed.kubeconfig, repository.store.url, namespace, 'orders', snapshotClass, String(keep)];
    const script = join(import.meta.dirname, 'endless-save.ts');
    const child = spawn(process.execPath, [script, ...args], {stdio: ['ignore', 'pipe', 'inherit']});
    try {
      for await (const said of child.stdout) if (String(said).includes('moving')) break;
      const left = (await leftovers()).map(text => text.replace(/ .*/, ''));
      expect(left).toEqual(expect.arrayContaining(['Job', 'Pod', 'PersistentVolumeClaim', 'VolumeSnapshot']));
    } finally {
      child.kill('SIGKILL');
    }
  },
  90_000,
);
