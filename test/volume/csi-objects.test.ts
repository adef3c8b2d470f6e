import {randomBytes} from 'node:crypto';
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, afterEach, beforeAll, beforeEach, expect, test} from 'vitest';
import {CORE_TYPES} from '../../src/cluster/core-types.ts';
import type {KubeObject} from '../../src/cluster/object.ts';
import {objectPath} from '../../src/cluster/resource-map.ts';
import {openStore} from '../../src/repository/open.ts';
import {initRepository} from '../../src/repository/repository.ts';
import type {Json} from '../../src/std/json.ts';
import {stringAt} from '../../src/std/json-at.ts';
import {
  type CsiClaim,
  type CsiSettings,
  type CutOptions,
  cutSnapshot,
  disownSnapshot,
  keepSnapshot,
  ownershipOf,
} from '../../src/volume/csi.ts';
import {dropSnapshot} from '../../src/volume/drop-snapshot.ts';
import {ROOT} from '../../src/volume/mover/identity.ts';
import {Mover} from '../../src/volume/mover/mover.ts';
import {openRestic, type Restic} from '../../src/volume/restic.ts';
import {saveJob} from '../../src/volume/save-claim.ts';
import {SNAPSHOT_TYPES} from '../../src/volume/snapshot-types.ts';
import {StoreLink} from '../../src/volume/store-link.ts';
import {errorOf} from '../bed/error-of.ts';
import {type FakeApi, startFakeApi} from '../bed/fake-api.ts';
import {claimObject, SETTINGS} from '../bed/volume-bed.ts';

const {Job, PersistentVolume, PersistentVolumeClaim} = CORE_TYPES;
const {VolumeSnapshot, VolumeSnapshotContent} = SNAPSHOT_TYPES;
const namespace = 'shop';

let dir: string;
let restic: Restic;
let api: FakeApi;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pra-csi-objects-'));
  const repository = await initRepository(await openStore(`file://${dir}/repository`), {passphrase: 'x'});
  restic = await openRestic({repository, signal: new AbortController().signal});
});
afterAll(() => rm(dir, {recursive: true, force: true}));
beforeEach(async () => {
  api = await startFakeApi();
});
afterEach(() => api.stop());

const object = (kind: string, name: string, spec: Record<string, Json>): KubeObject => ({
  apiVersion: 'v1',
  kind,
  metadata: {name},
  spec,
});
const csiClaim = (csi: Partial<CsiSettings> = {}): CsiClaim => ({
  object: claimObject(namespace, 'orders'),
  driver: 'csi.test',
  csi: {timeoutMs: 5000, keep: false, ...csi},
});
const saving = (): CutOptions => ({
  cluster: api.cluster,
  link: new StoreLink({repository: restic.repository, store: restic.store, settings: SETTINGS}),
  restic,
  settings: SETTINGS,
  run: randomBytes(4).toString('hex'),
  signal: new AbortController().signal,
  snapshotClass: 'gold',
  identity: ROOT,
  turns: 1,
});
const createMover = () => {
  const options = saving();
  const job = saveJob({namespace, claim: 'orders', mounted: 'clone', placement: {}}, ROOT, options);
  return Mover.create(api.cluster, job, {signal: options.signal});
};

/** Snapshots are bound to a content as soon as they are made, and cut as soon as `cutAt` is given. */
function storage({boundAfterMs = 0, cutAt}: {boundAfterMs?: number; cutAt?: string}): void {
  api.put(VolumeSnapshotContent, object('VolumeSnapshotContent', 'content', {deletionPolicy: 'Retain'}));
  const bind = (snapshot: KubeObject) => {
    snapshot.status = {
      boundVolumeSnapshotContentName: 'content',
      ...(cutAt === undefined ? {} : {creationTime: cutAt}),
    };
  };
  api.created = made => {
    if (made.kind === 'VolumeSnapshot') setTimeout(() => bind(made), boundAfterMs);
  };
}

test('the disk of a clone whose pod never ran is let go of before the clone goes with its Job', async () => {
  const mover = await createMover();
  api.put(PersistentVolume, object('PersistentVolume', 'disk', {persistentVolumeReclaimPolicy: 'Retain'}));
  api.put(PersistentVolumeClaim, claimObject(namespace, 'clone', {volumeName: 'disk'}));
  api.changes = [];
  await dropSnapshot(api.cluster, {name: 'clone', namespace, mover, keep: false});
  expect(stringAt(api.get(PersistentVolume, {name: 'disk'}), 'spec', 'persistentVolumeReclaimPolicy')).toBe(
    'Delete',
  );
  expect(api.changes.slice(0, 2)).toEqual([
    `PATCH ${objectPath(PersistentVolume, {name: 'disk'})}`,
    `DELETE ${objectPath(Job, {namespace, name: mover.job})}`,
  ]);
});

test('a disk that cannot be let go of is told, and keeps nothing else from going', async () => {
  const mover = await createMover();
  api.put(PersistentVolume, object('PersistentVolume', 'disk', {persistentVolumeReclaimPolicy: 'Retain'}));
  api.put(PersistentVolumeClaim, claimObject(namespace, 'clone', {volumeName: 'disk'}));
  api.before = line => (line.startsWith('PATCH') ? 403 : undefined);
  const error = await errorOf(dropSnapshot(api.cluster, {name: 'clone', namespace, mover, keep: false}));
  expect(error.why).toContain('cannot change PersistentVolume disk');
  expect(api.get(PersistentVolumeClaim, {namespace, name: 'clone'})).toBeUndefined();
  expect(api.get(Job, {namespace, name: mover.job})).toBeUndefined();
});

test('the storage system has its time once, however it divides it', async () => {
  storage({boundAfterMs: 1500});
  const began = performance.now();
  const error = await errorOf(cutSnapshot(csiClaim({timeoutMs: 2000}), saving()));
  expect(performance.now() - began).toBeLessThan(3000);
  expect(error.why).toContain('to be taken after 2.0s');
  expect(api.get(VolumeSnapshotContent, {name: 'content'})).toBeUndefined();
  expect(api.changes.filter(line => line.startsWith('PATCH'))).not.toEqual([]);
});

test('a snapshot that is to be kept belongs to its Job until it counts, and then to nobody', async () => {
  storage({cutAt: '2026-01-01T00:00:00Z'});
  const cut = await cutSnapshot(csiClaim({keep: true}), saving());
  const about = {namespace, name: cut.name};
  const policy = () => stringAt(api.get(VolumeSnapshotContent, {name: 'content'}), 'spec', 'deletionPolicy');
  expect(api.get(VolumeSnapshot, about)?.metadata.ownerReferences).toEqual([cut.mover.owner]);
  expect(policy()).toBe('Delete');
  const {signal} = new AbortController();
  await disownSnapshot(api.cluster, cut, signal);
  await keepSnapshot(api.cluster, cut, signal);
  expect(api.get(VolumeSnapshot, about)?.metadata.ownerReferences).toBeUndefined();
  expect(policy()).toBe('Retain');
});

test('what is handed over belongs to both movers until all of it is, however far that comes', async () => {
  storage({cutAt: '2026-01-01T00:00:00Z'});
  const cut = await cutSnapshot(csiClaim(), saving());
  const about = {namespace, name: cut.name};
  api.put(PersistentVolumeClaim, {
    ...claimObject(namespace, cut.clone),
    metadata: {...about, ownerReferences: [cut.mover.owner]},
  });
  const owners = () =>
    [PersistentVolumeClaim, VolumeSnapshot].map(type => api.get(type, about)?.metadata.ownerReferences);
  const {adopt} = ownershipOf(
    api.cluster,
    {name: 'orders', namespace: 'shop'},
    cut,
    new AbortController().signal,
  );
  const [first, second, third] = [cut.mover, await createMover(), await createMover()];
  api.before = line => (line === `PATCH ${objectPath(VolumeSnapshot, about)}` ? 403 : undefined);
  await errorOf(adopt?.(second) ?? Promise.resolve());
  expect(owners()).toEqual([[first.owner, second.owner], [first.owner]]);
  expect(cut.mover).toBe(first);
  let patches = 0;
  api.before = line => {
    if (line.startsWith('PATCH')) patches += 1;
    return patches > 2 ? 403 : undefined;
  };
  await adopt?.(third);
  expect(owners()).toEqual([
    [first.owner, third.owner],
    [first.owner, third.owner],
  ]);
  expect(cut.mover).toBe(third);
  api.before = () => undefined;
  await adopt?.(second);
  expect(owners()).toEqual([[second.owner], [second.owner]]);
});
