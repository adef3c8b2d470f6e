import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, afterEach, beforeAll, beforeEach, expect, test} from 'vitest';
import {CORE_TYPES} from '../../src/cluster/core-types.ts';
import {listAll} from '../../src/cluster/list.ts';
import {openStore} from '../../src/repository/open.ts';
import {initRepository} from '../../src/repository/repository.ts';
import {VolumeSaving} from '../../src/snapshot/save-volumes.ts';
import type {ClaimRequest} from '../../src/snapshot/volumes.ts';
import {numberAt} from '../../src/std/json-at.ts';
import type {MoverSettings} from '../../src/volume/mover/settings.ts';
import {openRestic, type Restic} from '../../src/volume/restic.ts';
import {SNAPSHOT_TYPES} from '../../src/volume/snapshot-types.ts';
import {errorOf} from '../bed/error-of.ts';
import {type FakeApi, startFakeApi} from '../bed/fake-api.ts';
import {claimObject, SETTINGS} from '../bed/volume-bed.ts';

const {Job} = CORE_TYPES;
const {VolumeSnapshotClass, VolumeSnapshotContent} = SNAPSHOT_TYPES;
const namespace = 'shop';

let dir: string;
let restic: Restic;
let api: FakeApi;
let notes: string[];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pra-save-volumes-'));
  const repository = await initRepository(await openStore(`file://${dir}/repository`), {passphrase: 'x'});
  restic = await openRestic({repository, signal: new AbortController().signal});
});
afterAll(() => rm(dir, {recursive: true, force: true}));
beforeEach(async () => {
  api = await startFakeApi();
  notes = [];
});
afterEach(() => api.stop());

const request = (name: string, more: Partial<ClaimRequest> = {}): ClaimRequest => ({
  method: 'filesystem',
  object: claimObject(namespace, name),
  workload: undefined,
  node: undefined,
  user: undefined,
  driver: undefined,
  csi: undefined,
  ...more,
});

const saving = (claims: ClaimRequest[], settings: Partial<MoverSettings>) =>
  new VolumeSaving({
    cluster: api.cluster,
    plan: {dumps: [], claims, unbound: []},
    engine: {restic, settings: {...SETTINGS, times: {startMs: 500}, ...settings}},
    run: 'snapshot',
    signal: new AbortController().signal,
    onEvent: event => void (event.type === 'volume-note' && notes.push(event.message)),
  });
const created = () => api.changes.filter(line => /^POST .*\/jobs$/.test(line)).length;

test('when a volume fails no other is begun, those under way end, and what failed first is told', async () => {
  const claims = ['a', 'b', 'c', 'd'].map(name => request(name));
  // The pod of the first is waited for in vain, until after the second was refused.
  api.before = line => (line.startsWith('POST') && created() > 1 ? 403 : undefined);
  const error = await errorOf(saving(claims, {parallel: 2}).whileQuiet());
  expect(error.code).toBe('CLUSTER_REQUEST_FAILED');
  expect(created()).toBe(2);
  expect(await listAll(api.cluster, Job, {namespace})).toEqual([]);
});

test('a pod that neither starts before it is needed nor goes fails no snapshot yet', async () => {
  api.before = line => (line.startsWith('DELETE') ? 500 : undefined);
  await saving([request('a')], {}).prepare();
  expect(created()).toBe(1);
  expect(notes).toContainEqual(expect.stringContaining('cannot delete batch/Job'));
});

test('the Job of a snapshot that waits for its turn has the time of those before it too', async () => {
  const metadata = {name: 'gold'};
  const apiVersion = 'snapshot.storage.k8s.io/v1';
  const driver = 'csi.test';
  api.put(VolumeSnapshotClass, {apiVersion, kind: 'VolumeSnapshotClass', metadata, driver});
  api.put(VolumeSnapshotContent, {apiVersion, kind: 'VolumeSnapshotContent', metadata});
  const status = {boundVolumeSnapshotContentName: 'gold', creationTime: '2026-01-01T00:00:00Z'};
  api.created = object => {
    if (object.kind === 'VolumeSnapshot') object.status = status;
  };
  const claims = ['a', 'b', 'c', 'd', 'e'].map(name =>
    request(name, {method: 'csi', driver, csi: {timeoutMs: 5000, keep: false}}),
  );
  const volumes = saving(claims, {parallel: 2, timeoutMs: 60_000});
  await volumes.whileQuiet();
  const jobs = await listAll(api.cluster, Job, {namespace});
  expect(jobs.map(job => numberAt(job, 'spec', 'activeDeadlineSeconds'))).toEqual([180, 180, 180, 180, 180]);
  await volumes.end();
  expect(await listAll(api.cluster, Job, {namespace})).toEqual([]);
});
