import {ListMultipartUploadsCommand, S3Client} from '@aws-sdk/client-s3';
import {afterAll, afterEach, beforeAll, describe, expect, it, vi} from 'vitest';
import {PraError} from '../../src/errors.ts';
import {checkRepository} from '../../src/repository/check.ts';
import {forgetSnapshot} from '../../src/repository/forget.ts';
import {type OpenStoreOptions, openStore} from '../../src/repository/open.ts';
import {pruneRepository} from '../../src/repository/prune.ts';
import {initRepository} from '../../src/repository/repository.ts';
import {listRoots} from '../../src/repository/snapshot-root.ts';
import type {Store} from '../../src/repository/store.ts';
import {errorOf as praErrorOf} from '../bed/error-of.ts';
import {type FaultyProxy, startFaultyProxy} from '../bed/faulty-proxy.ts';
import {startVersitygw, type TestS3} from '../bed/versitygw.ts';
import {seeded} from '../bench/mixed-objects.ts';
import {configMap, loadSnapshot, saveSnapshot} from './snapshots.ts';

const MIB = 1024 * 1024;

let s3: TestS3;
let proxy: FaultyProxy;
let made = 0;

beforeAll(async () => {
  s3 = await startVersitygw();
  proxy = await startFaultyProxy(s3.endpoint);
  for (const [name, value] of Object.entries(s3.env)) vi.stubEnv(name, value);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await proxy.stop();
  await s3.stop();
});
afterEach(() => {
  vi.restoreAllMocks();
  proxy.next.length = 0;
  proxy.requests.length = 0;
});

const openS3 = (options: OpenStoreOptions = {}) =>
  openStore(`s3://${s3.bucket}/p${made++}`, {
    endpoint: proxy.endpoint,
    profile: s3.profiles.right,
    silenceMs: 500,
    ...options,
  });
const text = (value: string) => Buffer.from(value);
const errorOf = (action: Promise<unknown>) => praErrorOf(action, {secrets: s3.secrets});
const methods = () => proxy.requests.map(({method}) => method);

/** The value of a header of every write, by the key that was written. */
function written(store: Store, header: string): [key: string, value: unknown][] {
  const prefix = new URL(store.url).pathname;
  return proxy.requests
    .filter(({method}) => method === 'PUT')
    .map(({url, headers}) => [
      new URL(url, s3.endpoint).pathname.slice(`/${s3.bucket}${prefix}/`.length),
      headers[header],
    ]);
}

async function snapshotIn(store: Store): Promise<void> {
  const repository = await initRepository(store, {passphrase: 'p'});
  await saveSnapshot(repository, [configMap('a', 'b', {c: 'd'})]);
  await store.put('locks/mine', text('x'), {ifAbsent: true});
}

describe('what is asked of the store with each write', () => {
  it('is the storage class for packs and trees, and for nothing that is small and read at each start', async () => {
    const store = await openS3({storageClass: 'STANDARD_IA'});
    await snapshotIn(store);
    const classes = written(store, 'x-amz-storage-class');
    const bulk = ([key]: [string, unknown]) => /^(packs|trees)\//.test(key);
    expect(classes.filter(bulk).length).toBeGreaterThan(1);
    expect(new Set(classes.filter(bulk).map(([, value]) => value))).toEqual(new Set(['STANDARD_IA']));
    const others = classes.filter(entry => !bulk(entry));
    expect(others.map(([key]) => key.split('/')[0])).toEqual(['keys', 'pra.json', 'snapshots', 'locks']);
    expect(new Set(others.map(([, value]) => value))).toEqual(new Set([undefined]));
  });

  it('is encryption by the server, for all', async () => {
    const store = await openS3({sse: {algorithm: 'AES256'}});
    await snapshotIn(store);
    const found = written(store, 'x-amz-server-side-encryption');
    expect(found.length).toBeGreaterThan(5);
    expect(new Set(found.map(([, value]) => value))).toEqual(new Set(['AES256']));
    const kms = await openS3({sse: {algorithm: 'aws:kms', kmsKeyId: 'alias/dr'}});
    proxy.requests.length = 0;
    await kms.put('k', text('x'));
    expect(written(kms, 'x-amz-server-side-encryption')).toEqual([['k', 'aws:kms']]);
    expect(written(kms, 'x-amz-server-side-encryption-aws-kms-key-id')).toEqual([['k', 'alias/dr']]);
  });

  it('is nothing of it where the plan says nothing, and always the digest and that the key is free', async () => {
    const store = await openS3();
    await snapshotIn(store);
    for (const {method, headers} of proxy.requests.filter(({method}) => method === 'PUT')) {
      expect(
        Object.keys(headers).filter(name => /storage-class|encryption|object-lock/.test(name)),
        method,
      ).toEqual([]);
      expect(headers['content-md5']).toMatch(/^[A-Za-z0-9+/]{22}==$/);
      expect(headers['if-none-match']).toBe('*');
    }
  });
});

describe('an object that is too large for one request', () => {
  const large = Buffer.alloc(17 * MIB, 'pra');
  const parted = (options: OpenStoreOptions = {}) =>
    openS3({partBytes: 5 * MIB, silenceMs: 5_000, ...options});

  async function uploadsLeft(): Promise<number> {
    const client = new S3Client({
      endpoint: s3.endpoint,
      region: s3.region,
      credentials: s3.credentials,
      forcePathStyle: true,
    });
    const {Uploads} = await client.send(new ListMultipartUploadsCommand({Bucket: s3.bucket}));
    client.destroy();
    return Uploads?.length ?? 0;
  }

  it('comes in parts and is whole, with the class and encryption of the whole', async () => {
    const store = await parted({storageClass: 'STANDARD_IA', sse: {algorithm: 'AES256'}});
    await store.put('packs/ab/x', large, {ifAbsent: true});
    expect(methods()).toEqual(['POST', 'PUT', 'PUT', 'PUT', 'PUT', 'POST']);
    expect(proxy.requests[0]?.headers).toMatchObject({
      'x-amz-storage-class': 'STANDARD_IA',
      'x-amz-server-side-encryption': 'AES256',
    });
    expect(proxy.requests.at(-1)?.headers['if-none-match']).toBe('*');
    expect(large.equals(await store.get('packs/ab/x'))).toBe(true);
    expect(await uploadsLeft()).toBe(0);
  });

  it('never replaces what is there, and leaves no parts of it', async () => {
    const store = await parted();
    await store.put('k', text('first'));
    const error = await errorOf(store.put('k', large, {ifAbsent: true}));
    expect(error).toMatchObject({code: 'STORE_CONFLICT', message: expect.stringContaining('k is already')});
    expect(Buffer.from(await store.get('k')).toString()).toBe('first');
    expect(await uploadsLeft()).toBe(0);
  });

  it('of many writers of one key exactly one wins', async () => {
    const store = await parted();
    const bodies = Array.from({length: 4}, (_, i) => Buffer.alloc(6 * MIB, i));
    const results = await Promise.allSettled(bodies.map(body => store.put('r', body, {ifAbsent: true})));
    const won = results.flatMap((result, i) => (result.status === 'fulfilled' ? [i] : []));
    expect(won).toHaveLength(1);
    for (const result of results)
      if (result.status === 'rejected') expect(result.reason).toMatchObject({code: 'STORE_CONFLICT'});
    expect(bodies[won[0] ?? -1]?.equals(await store.get('r'))).toBe(true);
    expect(await uploadsLeft()).toBe(0);
  });

  it.each([
    ['is told the second time that the key is taken', undefined],
    ['is told the second time that there is no such upload', {status: 404, code: 'NoSuchUpload'}],
  ])('whose last answer was lost and %s is taken for what it is: there', async (_what, second) => {
    const store = await parted();
    const whole = Buffer.alloc(6 * MIB, 1);
    // The parts come first: one POST, two PUTs, and then the POST that makes an object of them.
    const faults = [undefined, undefined, undefined, 'lose the answer' as const, second];
    vi.spyOn(proxy.next, 'shift').mockImplementation(() => faults.shift());
    await store.put('k', whole, {ifAbsent: true});
    expect(whole.equals(await store.get('k'))).toBe(true);
    expect(await uploadsLeft()).toBe(0);
  });

  it('of which a part fails for good is removed, and the error is that of the part', async () => {
    const store = await parted();
    const failing = {on: true};
    vi.spyOn(proxy.next, 'shift').mockImplementation(() =>
      failing.on && proxy.requests.at(-1)?.url.includes('partNumber=2')
        ? {status: 507, code: 'InsufficientStorage'}
        : undefined,
    );
    const error = await errorOf(store.put('k', large));
    failing.on = false;
    expect(error).toMatchObject({
      code: 'STORE_FAILED',
      message: expect.stringContaining('InsufficientStorage'),
    });
    expect(await store.has('k')).toBe(false);
    expect(await uploadsLeft()).toBe(0);
  });

  it('that is stopped in the middle is removed before the end is told', async () => {
    const store = await parted();
    const stop = new AbortController();
    const reason = new PraError('INTERRUPTED', 'stopped by SIGTERM');
    vi.spyOn(proxy.next, 'shift').mockImplementation(() => {
      if (proxy.requests.at(-1)?.url.includes('partNumber=3')) stop.abort(reason);
      return undefined;
    });
    expect(await errorOf(store.put('k', large, {signal: stop.signal}))).toBe(reason);
    expect(await uploadsLeft()).toBe(0);
    expect(await store.has('k')).toBe(false);
  });

  it('whose server is killed in the middle is one clear error, and nothing is there afterwards', async () => {
    const store = await parted();
    let killing: Promise<void> | undefined;
    vi.spyOn(proxy.next, 'shift').mockImplementation(() => {
      if (proxy.requests.at(-1)?.url.includes('partNumber=2')) killing ??= s3.kill();
      return undefined;
    });
    try {
      expect((await errorOf(store.put('k', large))).code).toBe('STORE_UNREACHABLE');
    } finally {
      await killing;
      await s3.start();
    }
    expect(await store.has('k')).toBe(false);
    await store.put('k', large, {ifAbsent: true});
  });
});

describe('asking again', () => {
  /** Pauses between the requests for one object that the store refuses for the time being. */
  async function pauses(random: number, fault: {status: number; code: string}): Promise<number[]> {
    const store = await openS3();
    vi.spyOn(Math, 'random').mockReturnValue(random);
    proxy.next.push(fault, fault, fault, fault);
    await store.put('k', text('x'));
    const times = proxy.requests.map(({atMs}) => atMs);
    return times.slice(1).map((time, i) => time - (times[i] ?? 0));
  }

  it.each([
    [500, 'InternalError'],
    [409, 'ConditionalRequestConflict'],
  ])('waits anything from nothing to an exponential bound after %i %s', async (status, code) => {
    const least = await pauses(0, {status, code});
    expect(least).toHaveLength(4);
    expect(Math.max(...least)).toBeLessThan(100);
    proxy.requests.length = 0;
    const most = await pauses(0.999, {status, code});
    expect(most).toHaveLength(4);
    for (const [i, pause] of most.entries())
      if (i > 0) expect(pause).toBeGreaterThan((most[i - 1] ?? 0) * 1.3);
    expect(most.reduce((sum, pause) => sum + pause)).toBeLessThan(8_000);
  });

  it('ends after five times, and soon when it is stopped', async () => {
    const store = await openS3();
    const down = {status: 503, code: 'SlowDown'};
    vi.spyOn(Math, 'random').mockReturnValue(0);
    proxy.next.push(...Array.from({length: 9}, () => down));
    const error = await errorOf(store.get('k'));
    expect(error).toMatchObject({code: 'STORE_FAILED', message: expect.stringContaining('503 SlowDown')});
    expect(proxy.requests).toHaveLength(5);
    vi.spyOn(Math, 'random').mockReturnValue(0.999);
    proxy.next.push(...Array.from({length: 9}, () => down));
    const began = performance.now();
    expect((await errorOf(store.get('k', {signal: AbortSignal.timeout(150)}))).code).toBe('INTERRUPTED');
    expect(performance.now() - began).toBeLessThan(2_000);
  });
});

describe('a refusal', () => {
  const denied = {status: 403, code: 'AccessDenied'};

  it('of a key that is not there is not one: AWS says so to whoever may list only a prefix', async () => {
    const store = await openS3();
    proxy.next.push(denied);
    expect((await errorOf(store.get('pra.json'))).code).toBe('STORE_MISSING');
    await store.put('pra.json-2', text('x'));
    proxy.next.push(denied);
    expect(await store.has('pra.json')).toBe(false);
  });

  it('of a key that is there, or where nothing may be listed, is one', async () => {
    const store = await openS3();
    await store.put('pra.json', text('x'));
    proxy.next.push(denied);
    expect((await errorOf(store.get('pra.json'))).code).toBe('STORE_DENIED');
    proxy.next.push(denied, denied);
    expect((await errorOf(store.has('none'))).code).toBe('STORE_DENIED');
  });

  it.each([
    ['ExpiredToken', 400, 'STORE_DENIED', /session token is no longer valid/, 'get new credentials'],
    ['InvalidStorageClass', 400, 'STORE_FAILED', /does not have this storage class/, 'storageClass'],
    ['AuthorizationHeaderMalformed', 400, 'STORE_FAILED', /is in another region/, 'spec.repository.region'],
  ])('%s is told as what it is', async (name, status, code, message, next) => {
    const store = await openS3();
    proxy.next.push(...Array.from({length: 5}, () => ({status, code: name})));
    const error = await errorOf(store.put('a/key', text('x')));
    expect(error).toMatchObject({code, message: expect.stringMatching(message)});
    expect(error.message).toContain('a/key');
    expect(error.next.join()).toContain(next);
  });
});

describe('a snapshot into a store', () => {
  const objects = Array.from({length: 30}, (_, i) =>
    configMap('a', `m-${String(i).padStart(2, '0')}`, {text: `${i}`.repeat(500)}),
  );

  it('that refuses a third of all requests, or loses its answers, is whole; and so is what is pruned', async () => {
    const store = await openS3({silenceMs: 5_000});
    const repository = await initRepository(store, {passphrase: 'p'});
    const random = seeded(11);
    const faults = [
      {status: 503, code: 'SlowDown'},
      {status: 500, code: 'InternalError'},
      'lose the answer' as const,
    ];
    const refused = new Map<string, number>();
    vi.spyOn(proxy.next, 'shift').mockImplementation(() => {
      // Never the same request five times, after which it is given up.
      const line = proxy.lines().at(-1) ?? '';
      const times = refused.get(line) ?? 0;
      if (times === 4 || random() > 0.33) return undefined;
      refused.set(line, times + 1);
      return faults[Math.floor(random() * faults.length)];
    });
    const first = await saveSnapshot(repository, objects);
    const second = await saveSnapshot(repository, objects.slice(1), first);
    await forgetSnapshot(repository, first.id);
    await pruneRepository(repository, {waitMs: 20_000, signal: new AbortController().signal});
    expect(await loadSnapshot(repository, second)).toEqual(objects.slice(1));
    expect((await checkRepository(repository, {readData: true})).findings).toEqual([]);
  });

  it('whose credentials end midway is one error that names the object; what was there stays, and the next is whole', async () => {
    const store = await openS3({silenceMs: 5_000});
    const repository = await initRepository(store, {passphrase: 'p'});
    const first = await saveSnapshot(repository, objects);
    for (const prefix of ['packs', 'trees', 'snapshots']) {
      const ended = {on: false};
      const shift = vi.spyOn(proxy.next, 'shift').mockImplementation(() => {
        const {method, url} = proxy.requests.at(-1) ?? {method: '', url: ''};
        ended.on ||= method === 'PUT' && url.includes(`/${prefix}/`);
        return ended.on ? {status: 400, code: 'ExpiredToken'} : undefined;
      });
      const changed = objects.map((object, i) => (i % 2 ? object : {...object, data: {prefix}}));
      const error = await errorOf(saveSnapshot(repository, changed, first));
      expect(error).toMatchObject({code: 'STORE_DENIED', message: expect.stringContaining(`${prefix}/`)});
      shift.mockRestore();
      expect(await listRoots(repository)).toHaveLength(1);
      expect((await checkRepository(repository, {readData: true})).findings).toEqual([]);
      const after = await saveSnapshot(repository, changed, first);
      expect(await loadSnapshot(repository, after)).toEqual(changed);
      await forgetSnapshot(repository, after.id);
    }
    expect(await loadSnapshot(repository, first)).toEqual(objects);
  });
});
