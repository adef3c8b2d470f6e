import {randomBytes} from 'node:crypto';
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import fc from 'fast-check';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {openStore} from '../../src/repository/open.ts';
import type {Store} from '../../src/repository/store.ts';
import {BUCKET, type S3Server, startS3} from '../bed/versitygw.ts';

/** What src/repository/store.ts promises, kept by every implementation, on a real file system and a real S3 server. */

let dir: string;
let s3: S3Server;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pra-store-'));
  s3 = await startS3();
  Object.assign(process.env, s3.env);
});

afterAll(async () => {
  for (const name of Object.keys(s3?.env ?? {})) delete process.env[name];
  await s3?.stop();
  await rm(dir, {recursive: true, force: true});
});

const places = {
  'file://': () => `file://${dir}/${randomBytes(4).toString('hex')}`,
  's3://': () => `s3://${BUCKET}/${randomBytes(4).toString('hex')}`,
  's3:// at the root of a bucket': () => `s3://${BUCKET}`,
};

const bytes = (text: string) => Buffer.from(text);
const keysOf = async (store: Store, prefix: string) => {
  const keys: string[] = [];
  for await (const {key} of store.list(prefix)) keys.push(key);
  return keys;
};

describe.each(Object.entries(places))('a store at %s', (_name, place) => {
  let store: Store;
  beforeAll(async () => {
    store = await openStore(place());
  });

  test('gives back what was put, and the last of several', async () => {
    await store.put('a/b', bytes('one'));
    await store.put('a/b', bytes('two'));
    expect(Buffer.from(await store.get('a/b')).toString()).toBe('two');
    expect(await store.has('a/b')).toBe(true);
    await store.put('a/empty', Buffer.alloc(0));
    expect(await store.get('a/empty')).toHaveLength(0);
  });

  test('keeps any bytes, also many', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({maxLength: 5000}), async content => {
        await store.put('bytes/any', content);
        expect(Buffer.from(await store.get('bytes/any')).equals(content)).toBe(true);
      }),
      {numRuns: 20},
    );
    const large = randomBytes(20 << 20);
    await store.put('bytes/large', large);
    expect(Buffer.from(await store.get('bytes/large')).equals(large)).toBe(true);
  });

  test('reads ranges, and past the end what there is', async () => {
    await store.put('range', bytes('0123456789'));
    const range = async (offset: number, length: number) =>
      Buffer.from(await store.get('range', {range: {offset, length}})).toString();
    expect(await range(2, 3)).toBe('234');
    expect(await range(8, 100)).toBe('89');
    expect(await range(10, 1)).toBe('');
  });

  test('says that a key is missing, by its name', async () => {
    await expect(store.get('not/there')).rejects.toMatchObject({
      code: 'STORE_MISSING',
      message: expect.stringContaining('not/there'),
    });
    expect(await store.has('not/there')).toBe(false);
    await store.delete('not/there');
  });

  test('of several writers of one new key exactly one succeeds, and its bytes are there', async () => {
    const contents = Array.from({length: 8}, (_, index) => Buffer.alloc(50_000, index));
    const outcomes = await Promise.allSettled(
      contents.map(content => store.put('race/key', content, {ifAbsent: true})),
    );
    const won = outcomes.flatMap((outcome, index) => (outcome.status === 'fulfilled' ? [index] : []));
    expect(won).toHaveLength(1);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({code: 'STORE_CONFLICT'});
    }
    const winner = contents[won[0] ?? -1] ?? Buffer.alloc(0);
    expect(Buffer.from(await store.get('race/key')).equals(winner)).toBe(true);
    await expect(store.put('race/key', bytes('late'), {ifAbsent: true})).rejects.toMatchObject({
      code: 'STORE_CONFLICT',
    });
  });

  test('lists what begins with a prefix, once, in order, over more than one page', async () => {
    const keys = Array.from({length: 1100}, (_, index) => `many/${index.toString(36)}`);
    for (let from = 0; from < keys.length; from += 50)
      await Promise.all(keys.slice(from, from + 50).map(key => store.put(key, bytes(key))));
    const byCodePoint = keys.toSorted((a, b) => (a < b ? -1 : 1));
    expect(await keysOf(store, 'many/')).toEqual(byCodePoint);
    expect(await keysOf(store, 'many/a')).toEqual(byCodePoint.filter(key => key.startsWith('many/a')));
    expect(await keysOf(store, 'none/')).toEqual([]);
  });

  test('forgets what is deleted', async () => {
    await store.put('gone', bytes('x'));
    await store.delete('gone');
    expect(await store.has('gone')).toBe(false);
    expect(await keysOf(store, 'gone')).toEqual([]);
  });

  test.each(['../x', '/etc/passwd', 'a/../b', 'a//b', '', 'a/.hidden', 'x'.repeat(600), 'a b', 'a\0b'])(
    'refuses the key %j',
    async key => {
      for (const use of [
        () => store.put(key, bytes('x')),
        () => store.get(key),
        () => store.has(key),
        () => store.delete(key),
      ])
        await expect(use()).rejects.toMatchObject({code: 'STORE_FAILED'});
    },
  );

  test('stops when it is told to', async () => {
    const signal = AbortSignal.abort(new Error('stop'));
    await expect(store.put('stopped', bytes('x'), {signal})).rejects.toThrow();
    expect(await store.has('stopped')).toBe(false);
  });
});

describe('an S3 store', () => {
  const secretless = (error: Error) =>
    expect(JSON.stringify(error)).not.toContain(s3.env.AWS_SECRET_ACCESS_KEY);

  test('that refuses our key says so', async () => {
    process.env.AWS_SECRET_ACCESS_KEY = 'wrong';
    try {
      const store = await openStore(`s3://${BUCKET}/denied`);
      await expect(store.get('key')).rejects.toMatchObject({code: 'STORE_DENIED'});
      await store.get('key').catch(secretless);
    } finally {
      process.env.AWS_SECRET_ACCESS_KEY = s3.env.AWS_SECRET_ACCESS_KEY;
    }
  });

  test('without its bucket says so', async () => {
    const store = await openStore('s3://no-such-bucket/x');
    await expect(store.get('key')).rejects.toMatchObject({code: 'REPOSITORY_ABSENT'});
    await expect(store.put('key', bytes('x'))).rejects.toMatchObject({code: 'REPOSITORY_ABSENT'});
  });

  test('that goes away is an error within seconds, and works again when it is back', async () => {
    const store = await openStore(`s3://${BUCKET}/away`);
    await store.put('key', bytes('before'));
    await s3.halt();
    const began = performance.now();
    await expect(store.get('key')).rejects.toMatchObject({code: 'STORE_UNREACHABLE'});
    await expect(store.put('other', bytes('x'))).rejects.toMatchObject({code: 'STORE_UNREACHABLE'});
    expect(performance.now() - began).toBeLessThan(20_000);
    await s3.start();
    expect(Buffer.from(await store.get('key')).toString()).toBe('before');
    expect(await store.has('other')).toBe(false);
  });
});
