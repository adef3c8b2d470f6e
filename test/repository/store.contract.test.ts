import {mkdir, mkdtemp, readdir, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {PutObjectCommand, S3Client} from '@aws-sdk/client-s3';
import {afterAll, afterEach, beforeAll, describe, expect, it, vi} from 'vitest';
import {PraError} from '../../src/errors.ts';
import {type OpenStoreOptions, openStore} from '../../src/repository/open.ts';
import type {Store, StoredFile} from '../../src/repository/store.ts';
import {mapPool} from '../../src/std/pool.ts';
import {errorOf as praErrorOf} from '../bed/error-of.ts';
import {type FaultyProxy, startFaultyProxy} from '../bed/faulty-proxy.ts';
import {startVersitygw, type TestS3} from '../bed/versitygw.ts';

let s3: TestS3;
let dir: string;

beforeAll(async () => {
  s3 = await startVersitygw();
  dir = await mkdtemp(join(tmpdir(), 'pra-store-'));
  for (const [name, value] of Object.entries(s3.env)) vi.stubEnv(name, value);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await s3.stop();
  await rm(dir, {recursive: true, force: true});
});

let made = 0;
const openS3 = (options: OpenStoreOptions = {}, url = `s3://${s3.bucket}/p${made++}`) =>
  openStore(url, {endpoint: s3.endpoint, profile: s3.profiles.right, silenceMs: 300, ...options});
const openFile = () => openStore(`file://${dir}/f${made++}`);

const text = (value: string) => Buffer.from(value);
const read = async (store: Store, key: string) => Buffer.from(await store.get(key)).toString();
async function filesOf(listing: AsyncIterable<StoredFile>): Promise<StoredFile[]> {
  const found: StoredFile[] = [];
  for await (const file of listing) found.push(file);
  return found;
}
const keysOf = async (store: Store, prefix = '') => (await filesOf(store.list(prefix))).map(({key}) => key);

const errorOf = (action: Promise<unknown>, limitMs?: number) =>
  praErrorOf(action, {limitMs, secrets: s3.secrets});

describe.each([
  ['a folder', openFile],
  ['a bucket', () => openS3()],
])('a store in %s', (_name, make: () => Promise<Store>) => {
  it('gives back what was put, at once, by get, has and list', async () => {
    const store = await make();
    const body = Buffer.from(Array.from({length: 70_000}, (_, i) => i % 251));
    await store.put('packs/ab/one', body);
    await store.put('empty', new Uint8Array());
    expect(body.equals(await store.get('packs/ab/one'))).toBe(true);
    expect((await store.get('empty')).length).toBe(0);
    expect([await store.has('packs/ab/one'), await store.has('empty')]).toEqual([true, true]);
    const listed = await filesOf(store.list(''));
    expect(listed.map(({key, size}) => [key, size])).toEqual([
      ['empty', 0],
      ['packs/ab/one', 70_000],
    ]);
    for (const {modified} of listed) expect(Math.abs(Date.now() - modified.getTime())).toBeLessThan(60_000);
  });

  it('takes and gives bytes that are a part of a larger buffer', async () => {
    const store = await make();
    await store.put('k', Buffer.from('0123456789').subarray(3, 6));
    expect(await read(store, 'k')).toBe('345');
  });

  it('replaces an object where it is not told otherwise', async () => {
    const store = await make();
    await store.put('k', text('a longer one'));
    await store.put('k', text('new'));
    expect(await read(store, 'k')).toBe('new');
  });

  it('never replaces an object that is written once', async () => {
    const store = await make();
    await store.put('keys/k', text('first'), {ifAbsent: true});
    const error = await errorOf(store.put('keys/k', text('second'), {ifAbsent: true}));
    expect(error).toMatchObject({code: 'STORE_CONFLICT', message: expect.stringContaining('keys/k')});
    expect(error.next).not.toEqual([]);
    expect(await read(store, 'keys/k')).toBe('first');
    const same = await errorOf(store.put('keys/k', text('first'), {ifAbsent: true}));
    expect(same.code).toBe('STORE_CONFLICT');
    await store.delete('keys/k');
    await store.put('keys/k', text('third'), {ifAbsent: true});
  });

  it('lets exactly one of many writers of a key win', async () => {
    const store = await make();
    const bodies = Array.from({length: 16}, (_, i) => Buffer.alloc(300_000, i));
    const results = await Promise.allSettled(bodies.map(body => store.put('r', body, {ifAbsent: true})));
    const won = results.flatMap((result, i) => (result.status === 'fulfilled' ? [i] : []));
    expect(won).toHaveLength(1);
    for (const result of results)
      if (result.status === 'rejected') expect(result.reason).toMatchObject({code: 'STORE_CONFLICT'});
    expect(bodies[won[0] ?? -1]?.equals(await store.get('r'))).toBe(true);
    expect(await keysOf(store)).toEqual(['r']);
  });

  it('shows readers a whole object or none while it is being written', async () => {
    const store = await make();
    const bodies = Array.from({length: 6}, (_, i) => Buffer.alloc(2_000_000, i + 1));
    const writing = {on: true};
    const seen: string[] = [];
    const reader = (async () => {
      while (writing.on) {
        const body = await store.get('k').catch((error: unknown) => {
          if (error instanceof PraError && error.code === 'STORE_MISSING') return undefined;
          throw error;
        });
        if (body) seen.push(`${body.length} ${new Set(body).size}`);
      }
    })();
    await Promise.all(bodies.map(body => store.put('k', body)));
    writing.on = false;
    await reader;
    seen.push(`${(await store.get('k')).length} ${new Set(await store.get('k')).size}`);
    expect(new Set(seen)).toEqual(new Set(['2000000 1']));
  });

  it('gives ranges, and of one that is beyond the end what there is', async () => {
    const store = await make();
    await store.put('k', text('0123456789'));
    await store.put('empty', new Uint8Array());
    const range = async (offset: number, length: number, key = 'k') =>
      Buffer.from(await store.get(key, {range: {offset, length}})).toString();
    expect(await range(0, 3)).toBe('012');
    expect(await range(7, 3)).toBe('789');
    expect(await range(7, 30)).toBe('789');
    expect(await range(10, 1)).toBe('');
    expect(await range(99, 5)).toBe('');
    expect(await range(4, 0)).toBe('');
    expect(await range(0, 5, 'empty')).toBe('');
  });

  it('says STORE_MISSING with the key for what is not there', async () => {
    const store = await make();
    await store.put('folder/object', text('x'));
    const wanted = ['none', 'folder', 'folder/none', 'folder/object/below'];
    for (const key of wanted) {
      expect(await store.has(key)).toBe(false);
      for (const range of [{}, {range: {offset: 0, length: 4}}, {range: {offset: 0, length: 0}}]) {
        const error = await errorOf(store.get(key, range));
        expect(error).toMatchObject({code: 'STORE_MISSING', message: expect.stringContaining(key)});
        expect(error.next).not.toEqual([]);
      }
    }
  });

  it('deletes, and does not mind what is not there', async () => {
    const store = await make();
    await store.put('a/b', text('x'));
    await store.put('a/c', text('y'));
    await store.delete('a/b');
    await store.delete('a/b');
    await store.delete('a/c/below');
    expect(await keysOf(store)).toEqual(['a/c']);
    expect(await store.has('a/b')).toBe(false);
  });

  it('lists by prefix, in code-point order, and nothing when there is nothing', async () => {
    const store = await make();
    expect(await keysOf(store)).toEqual([]);
    const keys = ['s/A', 's/_x', 's/a-b', 's/a.b', 's/a/b', 's/a/c/d', 's/ab', 't/x', 'sx'];
    for (const key of keys) await store.put(key, text(key));
    expect(await keysOf(store)).toEqual(keys.toSorted());
    expect(await keysOf(store, 's/')).toEqual(keys.filter(key => key.startsWith('s/')));
    expect(await keysOf(store, 's/a')).toEqual(['s/a-b', 's/a.b', 's/a/b', 's/a/c/d', 's/ab']);
    expect(await keysOf(store, 's/a/')).toEqual(['s/a/b', 's/a/c/d']);
    expect(await keysOf(store, 'none')).toEqual([]);
  });

  it('lists more keys than an answer of a server holds, each once', async () => {
    const store = await make();
    const keys = Array.from({length: 1203}, (_, i) => `trees/${String(i).padStart(5, '0')}`);
    await mapPool(keys, 24, key => store.put(key, text(key)));
    expect(await keysOf(store, 'trees/')).toEqual(keys);
    expect(await keysOf(store, 'trees/0120')).toEqual(['trees/01200', 'trees/01201', 'trees/01202']);
  });

  it('keeps an object that is much larger than a pack', async () => {
    const store = await make();
    const body = Buffer.alloc(48 * 1024 * 1024, 'pra');
    await store.put('large', body, {ifAbsent: true});
    expect(body.equals(await store.get('large'))).toBe(true);
    const range = {offset: body.length - 3, length: 3};
    expect(Buffer.from(await store.get('large', {range})).toString()).toBe(body.subarray(-3).toString());
  });

  it.each(['', '../x', '/etc/x', 'a//b', 'a/../b', '.hidden', 'a/.b', 'a b', 'ä', 'a\n', 'x'.repeat(513)])(
    'refuses the key %j',
    async key => {
      const store = await make();
      const actions = [
        () => store.get(key),
        () => store.has(key),
        () => store.put(key, text('')),
        () => store.delete(key),
      ];
      for (const action of actions) expect(await errorOf(action())).toMatchObject({code: 'STORE_FAILED'});
    },
  );

  it('ends with the reason of whoever stops it', async () => {
    const store = await make();
    await store.put('k', text('x'));
    const reason = new PraError('INTERRUPTED', 'stopped by SIGTERM');
    const actions = (signal: AbortSignal) => [
      () => store.get('k', {signal}),
      () => store.has('k', {signal}),
      () => store.put('k', text('y'), {signal}),
      () => store.delete('k', {signal}),
      () => filesOf(store.list('', {signal})),
    ];
    for (const action of actions(AbortSignal.abort(reason))) expect(await errorOf(action())).toBe(reason);
    for (const action of actions(AbortSignal.abort()))
      expect((await errorOf(action())).code).toBe('INTERRUPTED');
    expect(await read(store, 'k')).toBe('x');
  });
});

describe('a folder', () => {
  it('shows nothing of an object that a killed writer left half done', async () => {
    const store = await openFile();
    await store.put('a/b', text('x'));
    const folder = store.url.slice('file://'.length);
    await writeFile(join(folder, 'a', '.partial-1-abc'), 'half');
    expect(await keysOf(store)).toEqual(['a/b']);
    expect(await readdir(join(folder, 'a'))).toContain('.partial-1-abc');
  });

  it('leaves nothing beside what it wrote, also after a conflict', async () => {
    const store = await openFile();
    await store.put('a/b', text('x'), {ifAbsent: true});
    await errorOf(store.put('a/b', text('y'), {ifAbsent: true}));
    expect(await readdir(join(store.url.slice('file://'.length), 'a'))).toEqual(['b']);
  });

  it('that is a file is no conflict, but an error with a next step', async () => {
    const file = join(dir, 'plain-file');
    await writeFile(file, 'x');
    const store = await openStore(`file://${file}`);
    const error = await errorOf(store.put('pra.json', text('x'), {ifAbsent: true}));
    expect(error.code).toBe('STORE_FAILED');
    expect(error.next).not.toEqual([]);
    expect((await errorOf(keysOf(store))).code).toBe('STORE_FAILED');
  });

  it('whose key is a folder already is an error that names the key', async () => {
    const store = await openFile();
    await mkdir(join(store.url.slice('file://'.length), 'k'), {recursive: true});
    const error = await errorOf(store.put('k', text('x')));
    expect(error).toMatchObject({code: 'STORE_FAILED', message: expect.stringContaining('k could not')});
  });
});

describe('a bucket', () => {
  let faults: FaultyProxy;
  beforeAll(async () => {
    faults = await startFaultyProxy(s3.endpoint);
  });
  afterAll(() => faults.stop());
  afterEach(() => {
    faults.next.length = 0;
    faults.requests.length = 0;
  });
  const faulty = () => openS3({endpoint: faults.endpoint});

  it('is in the path of requests to an endpoint of one’s own', async () => {
    const store = await openS3({endpoint: faults.endpoint}, `s3://${s3.bucket}/deep/prefix/`);
    await store.put('a/b', text('x'));
    expect(faults.lines()[0]).toMatch(/^PUT \/recovery\/deep\/prefix\/a\/b(\?|$)/);
  });

  it('is found by AWS_ENDPOINT_URL_S3 where the plan names no endpoint', async () => {
    vi.stubEnv('AWS_ENDPOINT_URL_S3', faults.endpoint);
    try {
      const store = await openS3({endpoint: undefined});
      await store.put('k', text('x'));
      expect(faults.requests).toHaveLength(1);
    } finally {
      vi.stubEnv('AWS_ENDPOINT_URL_S3', undefined);
    }
  });

  it('holds several repositories that see nothing of each other', async () => {
    const [one, other, whole] = await Promise.all(
      ['many/a', 'many/ab', ''].map(prefix => openS3({}, `s3://${s3.bucket}/${prefix}`)),
    );
    await one?.put('k', text('one'));
    await other?.put('k', text('other'));
    expect(one && (await keysOf(one))).toEqual(['k']);
    expect(whole && (await keysOf(whole, 'many/'))).toEqual(['many/a/k', 'many/ab/k']);
    expect(one && (await read(one, 'k'))).toBe('one');
  });

  it('may have the empty objects that consoles make for folders', async () => {
    const store = await openS3({}, `s3://${s3.bucket}/console`);
    await store.put('snapshots/x', text('x'));
    const client = new S3Client({
      endpoint: s3.endpoint,
      region: s3.region,
      credentials: s3.credentials,
      forcePathStyle: true,
    });
    await client.send(
      new PutObjectCommand({
        Bucket: s3.bucket,
        Key: 'console/snapshots/sub/',
        Body: new Uint8Array(),
        ContentLength: 0,
      }),
    );
    client.destroy();
    const listed = await keysOf(store, 'snapshots/');
    expect(listed).toEqual(['snapshots/x']);
  });

  it('takes a write whose answer was lost for what it is: done', async () => {
    const store = await faulty();
    faults.next.push('lose the answer');
    await store.put('root', text('mine'), {ifAbsent: true});
    expect(faults.requests.map(({method}) => method)).toEqual(['PUT', 'PUT', 'GET']);
    expect(await read(store, 'root')).toBe('mine');
  });

  it('is still a conflict when another was first and an answer was lost as well', async () => {
    const store = await faulty();
    await store.put('root', text('theirs'));
    faults.next.push('lose the answer');
    expect((await errorOf(store.put('root', text('mine'), {ifAbsent: true}))).code).toBe('STORE_CONFLICT');
    expect(await read(store, 'root')).toBe('theirs');
  });

  it('that answers 409 to a conditional write has not said that the object is there', async () => {
    const store = await faulty();
    faults.next.push({status: 409, code: 'ConditionalRequestConflict'});
    await store.put('packs/ab/x', text('x'), {ifAbsent: true});
    expect(await read(store, 'packs/ab/x')).toBe('x');
  });

  it.each([
    [500, 'InternalError'],
    [503, 'SlowDown'],
  ])('that answers %i %s once is asked again', async (status, code) => {
    const store = await faulty();
    faults.next.push({status, code});
    await store.put('k', text('x'));
    faults.next.push({status, code});
    expect(await read(store, 'k')).toBe('x');
  });

  it('that always answers with an error is STORE_FAILED with its words', async () => {
    const store = await faulty();
    faults.next.push(...Array.from({length: 5}, () => ({status: 507, code: 'InsufficientStorage'})));
    const error = await errorOf(store.put('k', text('x')));
    expect(error).toMatchObject({
      code: 'STORE_FAILED',
      message: expect.stringContaining('InsufficientStorage'),
    });
    expect(error.next).not.toEqual([]);
  });

  it('whose answer is cut off never gives a part of an object', async () => {
    const store = await faulty();
    await store.put('k', Buffer.alloc(4_000_000, 1));
    faults.next.push('cut the answer', 'cut the answer');
    expect((await store.get('k')).length).toBe(4_000_000);
    faults.next.push('cut the answer', 'cut the answer', 'cut the answer');
    const error = await errorOf(store.get('k'));
    expect(error.code).toBe('STORE_UNREACHABLE');
    expect(error.next).not.toEqual([]);
  });
});

describe('a bucket that cannot be used', () => {
  const actions: [string, (store: Store) => Promise<unknown>][] = [
    ['get', store => store.get('a/key')],
    ['range', store => store.get('a/key', {range: {offset: 0, length: 3}})],
    ['put', store => store.put('a/key', text('x'))],
    ['put once', store => store.put('a/key', Buffer.alloc(3_000_000), {ifAbsent: true})],
    ['delete', store => store.delete('a/key')],
    ['list', store => keysOf(store, 'a/key')],
  ];
  const has: (typeof actions)[number] = ['has', store => store.has('a/key')];

  it.each([...actions, has])('with wrong credentials: %s is STORE_DENIED', async (_name, action) => {
    const error = await errorOf(action(await openS3({profile: s3.profiles.wrong})));
    expect(error).toMatchObject({code: 'STORE_DENIED', message: expect.stringContaining('a/key')});
    expect(error.next).toEqual(['check the credentials and the policy of the bucket']);
  });

  it.each([...actions, has])(
    'with no credentials: %s is STORE_CREDENTIALS_MISSING',
    async (_name, action) => {
      const error = await errorOf(action(await openS3({profile: 'not-in-the-file'})));
      expect(error).toMatchObject({code: 'STORE_CREDENTIALS_MISSING', exitCode: 2});
      expect(error.next.join()).toContain('AWS_ACCESS_KEY_ID');
    },
  );

  // HEAD has no body, so that `has` cannot tell a missing bucket from a missing key.
  it.each(actions)('because it is not there: %s is REPOSITORY_ABSENT', async (_name, action) => {
    const error = await errorOf(action(await openS3({}, 's3://no-such-bucket/p')));
    expect(error).toMatchObject({
      code: 'REPOSITORY_ABSENT',
      message: expect.stringContaining('there is no bucket no-such-bucket'),
    });
    expect(error.next).toEqual(['make the bucket, or mend spec.repository.url']);
  });

  it('because its name does not resolve is STORE_UNREACHABLE', async () => {
    const error = await errorOf((await openS3({endpoint: 'http://store.invalid'})).get('a/key'));
    expect(error.code).toBe('STORE_UNREACHABLE');
    expect(error.why).toMatch(/ENOTFOUND|EAI_AGAIN/);
  });

  it('because its CA file is not there is a mistake of usage', async () => {
    const error = await errorOf(openS3({caFile: '/nowhere/ca.pem'}));
    expect(error).toMatchObject({code: 'USAGE', message: expect.stringContaining('/nowhere/ca.pem')});
    expect(error.next).toEqual(['mend spec.repository.caFile']);
  });

  it('because the server is down is STORE_UNREACHABLE, and over when it is up again', async () => {
    const store = await openS3();
    await store.put('a/key', text('kept'));
    await s3.kill();
    try {
      for (const [, action] of [...actions, has]) {
        const error = await errorOf(action(store));
        expect(error).toMatchObject({code: 'STORE_UNREACHABLE', why: 'ECONNREFUSED'});
        expect(error.message).toContain('a/key');
        expect(error.next).toEqual(['check spec.repository.endpoint and the network']);
      }
    } finally {
      await s3.start();
    }
    expect(await read(store, 'a/key')).toBe('kept');
  });

  it('because the server says nothing any more is STORE_UNREACHABLE in a bounded time', async () => {
    const store = await openS3();
    await store.put('other', text('kept'));
    await s3.pause();
    try {
      const errors = await Promise.all([...actions, has].map(([, action]) => errorOf(action(store))));
      for (const error of errors) expect(error).toMatchObject({code: 'STORE_UNREACHABLE'});
      const stopped = await errorOf(store.get('a/key', {signal: AbortSignal.timeout(100)}), 2_000);
      expect(stopped.code).toBe('INTERRUPTED');
    } finally {
      s3.resume();
    }
    expect(await read(store, 'other')).toBe('kept');
  });

  it('because the server ended in the middle of a write keeps no half of it', async () => {
    const store = await openS3({silenceMs: 5_000});
    await store.put('before', text('x'));
    await s3.pause();
    const writing = errorOf(store.put('half', Buffer.alloc(32 * 1024 * 1024, 1)));
    await new Promise(resolve => setTimeout(resolve, 100));
    await s3.kill();
    expect((await writing).code).toBe('STORE_UNREACHABLE');
    await s3.start();
    expect(await keysOf(store)).toEqual(['before']);
  });

  it('because the server ended in the middle of a list never gives a part of it as the whole', async () => {
    const store = await openS3();
    const folder = join(s3.files, new URL(store.url).pathname, 'many');
    await mkdir(folder, {recursive: true});
    await mapPool(
      Array.from({length: 1001}, (_, i) => i),
      50,
      i => writeFile(join(folder, `${i}`), 'x'),
    );
    const listing = store.list('many/');
    await listing.next();
    await s3.kill();
    try {
      expect((await errorOf(filesOf(listing))).code).toBe('STORE_UNREACHABLE');
    } finally {
      await s3.start();
    }
    expect(await keysOf(store, 'many/')).toHaveLength(1001);
  });
});

describe('a URL', () => {
  it.each(['', 'nonsense', 'file://host/x', 'file:///', 's3://', 'http://h/x', '/srv/x'])(
    '%j is none of a repository',
    async url => {
      const error = await errorOf(openStore(url));
      expect(error.code).toBe('USAGE');
      expect(error.next).toEqual(['use file:///folder or s3://bucket/prefix']);
    },
  );
});
