import {randomBytes} from 'node:crypto';
import {existsSync} from 'node:fs';
import {appendFile, chown, mkdir, mkdtemp, readFile, rm, symlink, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, afterEach, beforeAll, describe, expect, test, vi} from 'vitest';
import {deleteObject} from '../../src/cluster/apply.ts';
import {CORE_TYPES} from '../../src/cluster/core-types.ts';
import {listAll} from '../../src/cluster/list.ts';
import {layoutFor} from '../../src/local/layout.ts';
import {readState} from '../../src/local/state.ts';
import {Repository} from '../../src/repository/repository.ts';
import type {ClaimRecord} from '../../src/repository/snapshot-root.ts';
import type {SnapshotEvent} from '../../src/snapshot/event.ts';
import {waitFor} from '../../src/std/wait.ts';
import {MOVER_LABEL} from '../../src/volume/mover/job.ts';
import {execWatched} from '../../src/volume/watched-exec.ts';
import {CSI, startCsi, type TestCsi} from '../bed/csi.ts';
import {errorOf} from '../bed/error-of.ts';
import {type FakeTokenService, startFakeTokenService} from '../bed/fake-token-service.ts';
import {startFaultyProxy} from '../bed/faulty-proxy.ts';
import {atData, nothing} from '../bed/faulty-store.ts';
import {startVersitygw, type TestS3} from '../bed/versitygw.ts';
import {claimObject, startVolumeBed, type VolumeBed} from '../bed/volume-bed.ts';
import {differences, type Filling, fillVolume, makeClaim, type Saving, saveVolume} from './saving.ts';

const {Pod, Job} = CORE_TYPES;
const MIB = 1024 ** 2;
const DATA_BYTES = 80 * MIB;
/** For a failure that is told in the moment that it is seen; a pod has to start and go. */
const SOON_MS = 25_000;

let bed: VolumeBed;
let csi: TestCsi;
let s3: TestS3;
let source: string;
let copies = 0;
let notes: string[] = [];

beforeAll(async () => {
  bed = await startVolumeBed();
  // Where a cluster that is not isolated would reach it.
  s3 = await startVersitygw({users: true, address: bed.hostAddress});
  csi = await startCsi(bed);
  for (const [name, value] of Object.entries(s3.env)) vi.stubEnv(name, value);
  source = await makeClaim(bed, 'source');
  await mkdir(join(source, 'rows'));
  for (let i = 0; i < 8; i += 1) await writeFile(join(source, `rows/${i}`), randomBytes(DATA_BYTES / 8));
  await writeFile(join(source, 'key'), 'only for its owner', {mode: 0o600});
  await chown(join(source, 'key'), 1000, 1000);
  await symlink('rows/0', join(source, 'first'));
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await csi?.stop();
  await bed?.stop();
  await s3?.stop();
});
afterEach(async () => {
  notes = [];
  expect(await bed.leftovers()).toEqual([]);
});

/** What was told of what is tried again. */
const again = () => notes.filter(text => text.endsWith('; again'));
const note = (event: SnapshotEvent) => {
  if (event.type === 'volume-note') notes.push(event.message);
};
const save = (saving: Pick<Saving, 'restic'> & Partial<Saving>): Promise<ClaimRecord> =>
  saveVolume(bed, {
    namespace: 'source',
    rules: [{select: {app: 'app'}, method: 'filesystem'}, {method: 'none'}],
    onEvent: note,
    ...saving,
    settings: {runAs: 'root', ...saving.settings},
  });
const fill = (filling: Pick<Filling, 'restic' | 'record' | 'claim'> & Partial<Filling>) =>
  fillVolume(bed, {namespace: 'source', onMessage: message => notes.push(message), ...filling});

/** An empty claim. */
async function newClaim(spec: Record<string, unknown> = {}): Promise<string> {
  copies += 1;
  const claim = `copy-${copies}`;
  await bed.create(claimObject('source', claim, spec));
  return claim;
}

const movers = async (type: typeof Pod) => {
  const found = await listAll(bed.cluster, type, {labelSelector: MOVER_LABEL});
  if (found.length === 0) throw new Error(`there is no ${type.kind}`);
  return found.map(({metadata: {name, namespace}}) => ({name, namespace}));
};

const FAULTS: Record<string, () => Promise<void>> = {
  'its pod is deleted': async () => {
    for (const pod of await movers(Pod)) await deleteObject(bed.cluster, Pod, pod);
  },
  'its pod is evicted': async () => {
    for (const {name, namespace} of await movers(Pod))
      await bed.cluster.request('POST', `/api/v1/namespaces/${namespace}/pods/${name}/eviction`, {
        body: {apiVersion: 'policy/v1', kind: 'Eviction', metadata: {name, namespace}},
      });
  },
  'its Job is deleted': async () => {
    for (const job of await movers(Job)) await deleteObject(bed.cluster, Job, job);
  },
};

test.each(Object.keys(FAULTS))(
  'a save and a restore go on in a new pod when %s',
  async fault => {
    const act = FAULTS[fault] ?? (() => Promise.reject(new Error('no such fault')));
    const {restic, store} = await bed.keep();
    store.before = atData('put', 3, act);
    const record = await save({restic});
    expect(again()).toEqual([
      expect.stringMatching(/^data: the pod of Job .* ended while it was at work; again$/),
    ]);
    expect(record.bytes).toBeGreaterThan(DATA_BYTES);
    notes = [];
    const claim = await newClaim();
    let marker: string | undefined;
    store.before = atData('get', 3, async () => {
      marker = await readFile(join(await bed.folderOf('source', claim), '.pra-restoring'), 'utf8');
      await act();
    });
    await fill({restic, record, claim});
    expect(marker).toBe(`${record.resticSnapshot}\n`);
    expect(again()).toEqual([
      expect.stringMatching(/^source: the pod of Job .* ended while it was at work; again$/),
    ]);
    const copy = await bed.folderOf('source', claim);
    expect(await differences(source, copy)).toBe('');
    expect(existsSync(join(copy, '.pra-restoring'))).toBe(false);
  },
  120_000,
);

describe('with a snapshot', () => {
  let kept: Awaited<ReturnType<VolumeBed['keep']>>;
  let record: ClaimRecord;
  beforeAll(async () => {
    kept = await bed.keep();
    record = await save(kept);
  });
  afterEach(() => {
    kept.store.before = nothing;
  });

  test('a claim that holds something is refused, and nothing in it is touched', async () => {
    const folder = await makeClaim(bed, 'taken');
    await writeFile(join(folder, 'mine'), 'precious');
    const before = await mkdtemp(join(tmpdir(), 'pra-before-'));
    try {
      await writeFile(join(before, 'mine'), 'precious');
      const error = await errorOf(fill({...kept, record, claim: 'data', namespace: 'taken'}), {
        limitMs: SOON_MS,
      });
      expect(error).toMatchObject({
        code: 'VOLUME_NOT_EMPTY',
        message: 'claim taken/data is not empty, so nothing is restored into it',
        why: 'the volume is not empty: it holds "mine"',
      });
      expect((await differences(before, folder)).replaceAll(/^\.[fd]\S+ .*\n/gm, '')).toBe('');
    } finally {
      await rm(before, {recursive: true});
    }
  });

  test('a half filled claim is marked, and only the same restore goes on with it', async () => {
    const claim = await newClaim();
    const stop = new AbortController();
    kept.store.before = atData('get', 3, async () => stop.abort());
    await expect(fill({...kept, record, claim, signal: stop.signal})).rejects.toThrow();
    kept.store.before = nothing;
    const folder = await bed.folderOf('source', claim);
    const marker = () => readFile(join(folder, '.pra-restoring'), 'utf8');
    expect(await marker()).toBe(`${record.resticSnapshot}\n`);
    const other = {...record, resticSnapshot: 'f'.repeat(64)};
    expect(await errorOf(fill({...kept, record: other, claim}), {limitMs: SOON_MS})).toMatchObject({
      code: 'VOLUME_HALF_FILLED',
      why: 'the volume is half filled by a restore of another snapshot',
    });
    expect(await marker()).toBe(`${record.resticSnapshot}\n`);
    await fill({...kept, record, claim});
    expect(await differences(source, folder)).toBe('');
    // What holds just this is whole; with anything else in it, it is not touched.
    await fill({...kept, record, claim});
    await writeFile(join(folder, 'of today'), 'not to be lost');
    expect((await errorOf(fill({...kept, record, claim}), {limitMs: SOON_MS})).code).toBe('VOLUME_NOT_EMPTY');
    // Half of something is not saved as if it were all.
    await writeFile(join(source, '.pra-restoring'), 'another\n');
    try {
      expect((await errorOf(save(kept), {limitMs: SOON_MS})).code).toBe('VOLUME_HALF_FILLED');
    } finally {
      await rm(join(source, '.pra-restoring'));
    }
  });

  test('a claim that is too small is one error that says so, and stays marked', async () => {
    const storage = {storageClassName: CSI.storageClass, resources: {requests: {storage: '48Mi'}}};
    const claim = await newClaim(storage);
    const error = await errorOf(fill({...kept, record, claim}), {limitMs: 60_000});
    expect(error).toMatchObject({
      code: 'VOLUME_RESTORE_FAILED',
      message: `the data of claim ${claim} could not be restored`,
      next: [expect.stringContaining('give the claim more room in the target')],
    });
    expect(error.why).toMatch(/no space left on device/);
    expect(again()).toEqual([]);
    const refused = await errorOf(
      fill({...kept, record: {...record, resticSnapshot: 'f'.repeat(64)}, claim}),
      {
        limitMs: SOON_MS,
      },
    );
    expect(refused.why).toBe('the volume is half filled by a restore of another snapshot');
    // A larger one, with what a new file system has in its root.
    const larger = await newClaim({...storage, resources: {requests: {storage: '128Mi'}}});
    await fill({...kept, record, claim: larger});
  });

  test('another key is one error, and nothing is tried again', async () => {
    const {repository, restic} = kept;
    const other = {
      ...restic,
      repository: new Repository(repository.id, repository.store, Buffer.alloc(32, 1)),
    };
    const claim = await newClaim();
    for (const action of [save({restic: other}), fill({restic: other, record, claim})])
      expect(await errorOf(action, {limitMs: SOON_MS, secrets: [repository.volumePassword()]})).toMatchObject(
        {
          code: 'REPOSITORY_WRONG_KEY',
          message: 'the volumes were saved with another key',
        },
      );
    expect(again()).toEqual([]);
  });

  test('an image that is not there is one error that names it, soon', async () => {
    const settings = {image: 'localhost/none:1'};
    const error = await errorOf(save({...kept, settings}), {limitMs: SOON_MS});
    expect(error).toMatchObject({code: 'MOVER_FAILED', message: expect.stringContaining('cannot start')});
    expect(error.why).toContain('localhost/none:1');
    expect(error.next[0]).toContain('spec.mover.image');
  });

  test('a quota that keeps the pod from being made is told', async () => {
    await makeClaim(bed, 'poor');
    await bed.cluster.request('POST', '/api/v1/namespaces/poor/resourcequotas', {
      body: {apiVersion: 'v1', kind: 'ResourceQuota', metadata: {name: 'few'}, spec: {hard: {pods: '1'}}},
    });
    await waitFor(
      async () =>
        JSON.stringify(
          await bed.cluster.request('GET', '/api/v1/namespaces/poor/resourcequotas/few'),
        ).includes('"used":{"pods":"1"}') || undefined,
      {waitingFor: 'the quota to count', timeoutMs: 10_000},
    );
    const settings = {times: {startMs: 5000}};
    const error = await errorOf(save({...kept, namespace: 'poor', settings}), {limitMs: SOON_MS});
    expect(error).toMatchObject({code: 'MOVER_FAILED', message: expect.stringContaining('does not start')});
    expect(error.why).toMatch(/exceeded quota: few/);
  });

  test('one volume takes no longer than it may, and is not tried again', async () => {
    kept.store.before = atData('get', 2, () => waitGone());
    const claim = await newClaim();
    const error = await errorOf(fill({...kept, record, claim, settings: {timeoutMs: 8000}}), {
      limitMs: 60_000,
    });
    expect(error).toMatchObject({code: 'MOVER_FAILED', why: 'one volume may not take longer'});
    expect(error.next[0]).toContain('spec.mover.timeout');
    expect(again()).toEqual([]);
  });

  const waitGone = () =>
    waitFor(
      async () =>
        (await listAll(bed.cluster, Pod, {labelSelector: MOVER_LABEL})).every(
          ({metadata}) => metadata.deletionTimestamp !== undefined,
        ) || undefined,
      {waitingFor: 'the pod to be ended', timeoutMs: 40_000},
    ).then(() => undefined);
});

describe('in a namespace that enforces the restricted standard', () => {
  const namespace = 'strict';
  let folder: string;
  beforeAll(async () => {
    folder = await makeClaim(bed, namespace, {'pod-security.kubernetes.io/enforce': 'restricted'});
    await writeFile(join(folder, 'mine'), 'rows', {mode: 0o600});
    await chown(join(folder, 'mine'), 1000, 1000);
  });

  test('the user of the workload saves and restores', async () => {
    const kept = await bed.keep();
    const record = await save({...kept, namespace, settings: {runAs: 'auto'}});
    expect(record.runAs).toBe('user 1000');
    await bed.create(claimObject(namespace, 'copy'));
    await chownAll('mine', 1000, 1000);
    const filled = await fill({...kept, record, namespace, claim: 'copy'});
    expect(filled.runAs).toBe('user 1000');
    expect(notes.join()).toContain('root is not allowed in strict: user 1000 does it');
    expect(filled.comparison.differing).toBe(0);
  });

  test('what that user may not read is an error, and so are owners that it may not set', async () => {
    const kept = await bed.keep();
    await writeFile(join(folder, 'other'), 'rows', {mode: 0o600});
    const error = await errorOf(save({...kept, namespace, settings: {runAs: 'workload'}}), {
      limitMs: SOON_MS,
    });
    expect(error).toMatchObject({
      code: 'VOLUME_SAVE_FAILED',
      message: 'not all files of claim data could be read',
    });
    expect(error.why).toMatch(/other.*permission denied/);
    await chownAll('other', 1000, 4711);
    const record = await save({...kept, namespace, settings: {runAs: 'auto'}});
    await bed.create(claimObject(namespace, 'foreign'));
    const refused = await errorOf(fill({...kept, record, namespace, claim: 'foreign'}), {limitMs: SOON_MS});
    expect(refused.code).toBe('VOLUME_RESTORE_FAILED');
    expect(refused.why).toBe('"other" has another owner');
    expect(refused.next[0]).toContain('if only owners differ: let the namespace allow root');
  });

  const chownAll = (name: string, uid: number, gid: number) => chown(join(folder, name), uid, gid);
});

describe('a bucket', () => {
  const errorsOf = (action: Promise<unknown>, limitMs: number) =>
    errorOf(action, {limitMs, secrets: s3.secrets});
  const settings = {times: {stallMs: 1500}};
  const bucket = (prefix: string, endpoint = s3.endpoint) =>
    bed.keep(`s3://${s3.bucket}/${prefix}`, {endpoint, profile: s3.profiles.right, silenceMs: 3000});

  test('that pods of an isolated cluster do not reach is reached through pra', async () => {
    vi.stubEnv('MOVER_ACCESS_KEY_ID', s3.credentials.accessKeyId);
    vi.stubEnv('MOVER_SECRET_ACCESS_KEY', s3.credentials.secretAccessKey);
    const kept = await bucket('isolated');
    const record = await save({
      ...kept,
      settings: {transport: 'auto', credentials: {credentialsEnv: 'MOVER'}},
    });
    expect(record.transport).toBe('stream');
  });

  test('that refuses half of what it is asked is asked again', async () => {
    const proxy = await startFaultyProxy(s3.endpoint);
    try {
      const kept = await bucket('half', proxy.endpoint);
      const half = Array.from({length: 200}, (_, i) =>
        i % 2 ? ('pass' as const) : {status: 503, code: 'SlowDown'},
      );
      proxy.next.push(...half);
      const record = await save(kept);
      const claim = await newClaim();
      await fill({...kept, record, claim});
      expect(await differences(source, await bed.folderOf('source', claim))).toBe('');
      expect(proxy.next.length).toBeLessThan(150);
    } finally {
      await proxy.stop();
    }
  });

  test('that goes in the middle is one clear error in a bounded time', async () => {
    const kept = await bucket('down');
    kept.store.before = atData('put', 3, () => s3.kill());
    try {
      const error = await errorsOf(save({...kept, settings}), 30_000);
      expect(error).toMatchObject({code: 'STORE_UNREACHABLE'});
      expect(error.next).toEqual(['check spec.repository.endpoint and the network']);
    } finally {
      await s3.start();
    }
    kept.store.before = nothing;
    const record = await save(kept);
    const claim = await newClaim();
    kept.store.before = atData('get', 3, () => s3.kill());
    try {
      const error = await errorsOf(fill({...kept, record, claim, settings}), 30_000);
      expect(error).toMatchObject({code: 'STORE_UNREACHABLE'});
    } finally {
      await s3.start();
    }
  });

  describe('whose credentials end', () => {
    let sts: FakeTokenService;
    let dir: string;
    beforeAll(async () => {
      dir = await mkdtemp(join(tmpdir(), 'pra-token-'));
      await writeFile(join(dir, 'token'), 'a-token-of-the-cluster');
      sts = await startFakeTokenService();
      sts.sessions = [await s3.addUser('SESSION1', 'admin'), await s3.addUser('SESSION2', 'admin')];
      const variables = {
        AWS_ROLE_ARN: 'arn:aws:iam::123456789012:role/pra',
        AWS_WEB_IDENTITY_TOKEN_FILE: join(dir, 'token'),
        AWS_ENDPOINT_URL_STS: sts.endpoint,
        AWS_REGION: 'us-east-1',
      };
      for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
    });
    afterAll(async () => {
      await sts.stop();
      await rm(dir, {recursive: true});
    });

    test('midway are renewed, and when they cannot be, that is the error', async () => {
      const proxy = await startFaultyProxy(s3.endpoint);
      try {
        sts.lifetimeMs = 2000;
        const kept = await bed.keep(`s3://${s3.bucket}/ending`, {endpoint: proxy.endpoint, silenceMs: 3000});
        kept.store.before = atData('put', 3, () => new Promise(resolve => setTimeout(resolve, 2500)));
        const asked = sts.requests.length;
        await save(kept);
        expect(sts.requests.length).toBeGreaterThan(asked);
        await appendFile(join(source, 'key'), ' now');
        await writeFile(join(source, 'rows/new'), randomBytes(40 * MIB));
        kept.store.before = atData('put', 2, async () => {
          sts.refuses = true;
          await new Promise(resolve => setTimeout(resolve, 2500));
        });
        const error = await errorsOf(save({...kept, settings}), 40_000);
        expect(error.code).toBe('STORE_CREDENTIALS_MISSING');
        expect(error.why).toContain('not authorized');
      } finally {
        await proxy.stop();
        await rm(join(source, 'rows/new'), {force: true});
      }
    });
  });
});

test('files that change while they are saved are counted, and fail no restore', async () => {
  const folder = await makeClaim(bed, 'busy');
  await writeFile(join(folder, 'log'), 'first\n');
  await writeFile(join(folder, 'still'), randomBytes(20 * MIB));
  const kept = await bed.keep();
  kept.store.before = atData('put', 1, () => appendFile(join(folder, 'log'), 'second\n'));
  const record = await save({...kept, namespace: 'busy'});
  expect(record.manifest.unstable).toBe(1);
  expect(notes.join()).toContain('1 of 3 entries changed while they were saved');
  const claim = await newClaim();
  const {comparison} = await fill({...kept, record, claim});
  expect(comparison).toMatchObject({differing: 0, expected: {unstable: 1}});
  // What did not change is compared all the same.
  expect(comparison.found.files).toBe(2);
});

test('a node that does not answer any more ends in an error', async () => {
  const kept = await bed.keep();
  const kubelet = readState(layoutFor(bed.name).stateFile)?.processes.find(({name}) => name === 'kubelet');
  if (!kubelet) throw new Error('there is no kubelet');
  kept.store.before = atData('put', 2, async () => void process.kill(kubelet.pid, 'SIGSTOP'));
  const dump = errorOf(
    execWatched(bed.cluster, {namespace: 'source', pod: 'app', command: ['sleep', '600']}),
    {limitMs: 110_000},
  );
  try {
    const settings = {times: {lookMs: 1000, goneMs: 1000, startMs: 2000}};
    const error = await errorOf(save({...kept, settings}), {limitMs: 110_000});
    expect(error.code).toBe('MOVER_FAILED');
    expect(notes.join()).toMatch(/ended while it was at work; again/);
    expect((await dump).code).toBe('EXEC_FAILED');
    expect((await dump).why).toMatch(/^its node .* does not answer$/);
  } finally {
    process.kill(kubelet.pid, 'SIGCONT');
  }
  await waitFor(async () => (await bed.leftovers()).length === 0 || undefined, {
    waitingFor: 'what was left to go',
    timeoutMs: 60_000,
  });
});
