import {randomBytes} from 'node:crypto';
import {readdir, readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {Readable} from 'node:stream';
import {afterAll, beforeAll, expect, it, vi} from 'vitest';
import {PraError} from '../../src/errors.ts';
import {type OpenStoreOptions, openStore} from '../../src/repository/open.ts';
import {initRepository, Repository} from '../../src/repository/repository.ts';
import {dumpVolume, type Exec, restoreDump} from '../../src/volume/dump.ts';
import {openRestic, type Restic} from '../../src/volume/restic.ts';
import {errorOf as praErrorOf} from '../bed/error-of.ts';
import {startVersitygw, type TestS3} from '../bed/versitygw.ts';
import {dumpRequest as request} from './dump-request.ts';

let s3: TestS3;
let store: OpenStoreOptions;
let repository: Repository;
let restic: Restic;
const {signal} = new AbortController();

beforeAll(async () => {
  s3 = await startVersitygw();
  for (const [name, value] of Object.entries(s3.env)) vi.stubEnv(name, value);
  store = {endpoint: s3.endpoint, profile: s3.profiles.right, silenceMs: 300};
  repository = await initRepository(await openStore(`s3://${s3.bucket}/shop`, store), {passphrase: 'p'});
  restic = await openRestic({repository, store, stallMs: 500, signal});
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await s3.stop();
});

/** Writes as exec does: held back by its reader, and with an error when that goes away. */
const dumping =
  (chunks: Iterable<Buffer> | AsyncIterable<Buffer>): Exec =>
  async ({stdout}) => {
    if (!stdout) throw new Error('no stdout');
    for await (const chunk of chunks) {
      if (stdout.destroyed) throw new Error('the output was closed too early');
      if (stdout.write(chunk)) continue;
      await new Promise<void>(resolve => {
        const go = () => {
          stdout.off('drain', go).off('close', go);
          resolve();
        };
        stdout.on('drain', go).on('close', go);
      });
    }
    await new Promise<void>(resolve => stdout.end(resolve));
    return {exitCode: 0, stderr: ''};
  };

const snapshots = () => readdir(join(s3.files, 'shop', 'volumes', 'snapshots')).catch((): string[] => []);

const errorOf = (action: Promise<unknown>, limitMs?: number) =>
  praErrorOf(action, {limitMs, secrets: [...s3.secrets, repository.volumePassword()]});

it('a dump comes back from a bucket byte for byte, also to whoever opens it anew', async () => {
  const data = randomBytes(24 * 1024 * 1024);
  const chunks = Array.from({length: 96}, (_, i) => data.subarray(i * 262_144, (i + 1) * 262_144));
  const record = await dumpVolume({exec: dumping(chunks), restic, request, tags: ['t'], signal});
  expect(record.bytes).toBe(data.length);
  const again = await openRestic({repository, store, signal});
  const received: Buffer[] = [];
  const exec: Exec = async ({stdin}) => {
    if (!stdin) throw new Error('no stdin');
    for await (const chunk of stdin) received.push(chunk);
    return {exitCode: 0, stderr: ''};
  };
  const restored = await restoreDump({exec, restic: again, record, pod: 'db-0', signal});
  expect(restored).toMatchObject({bytes: data.length, sha256Ok: true});
  expect(Buffer.concat(received).equals(data)).toBe(true);
  const [pack = ''] = await readdir(join(s3.files, 'shop', 'volumes', 'snapshots'));
  expect((await readFile(join(s3.files, 'shop', 'volumes', 'snapshots', pack))).includes('shop-db')).toBe(
    false,
  );
});

it('a restore command that fails before it has read its input is a failure with its last words', async () => {
  const data = [randomBytes(8 * 1024 * 1024)];
  const record = await dumpVolume({exec: dumping(data), restic, request, tags: [], signal});
  const exec: Exec = async () => ({exitCode: 3, stderr: 'psql: no such database'});
  const error = await errorOf(restoreDump({exec, restic, record, pod: 'db-0', signal}));
  expect(error).toMatchObject({code: 'VOLUME_RESTORE_FAILED', why: 'psql: no such database'});
  const broken: Exec = () => Promise.reject(new PraError('EXEC_FAILED', 'the connection was lost'));
  const lost = await errorOf(restoreDump({exec: broken, restic, record, pod: 'db-0', signal}));
  expect(lost).toMatchObject({code: 'VOLUME_RESTORE_FAILED', why: 'the connection was lost'});
});

it('a stop in the middle of a dump or of a restore is told as what it is', async () => {
  const before = await snapshots();
  const stop = new AbortController();
  const reason = new PraError('INTERRUPTED', 'stopped by SIGTERM');
  async function* endless() {
    for (let i = 0; ; i += 1) {
      if (i === 40) stop.abort(reason);
      yield randomBytes(65_536);
    }
  }
  const exec = dumping(endless());
  expect(await errorOf(dumpVolume({exec, restic, request, tags: [], signal: stop.signal}))).toBe(reason);
  expect(await snapshots()).toEqual(before);
  const record = await dumpVolume({exec: dumping([randomBytes(1e7)]), restic, request, tags: [], signal});
  const second = new AbortController();
  const slow: Exec = async ({stdin}) => {
    await new Promise(resolve => {
      stdin?.once('data', () => second.abort(reason));
      stdin?.once('close', resolve);
      stdin?.once('error', resolve);
    });
    throw new Error('the input broke');
  };
  const restoring = restoreDump({exec: slow, restic, record, pod: 'db-0', signal: second.signal});
  expect(await errorOf(restoring)).toBe(reason);
});

it.each([
  ['is down', () => s3.kill(), () => s3.start()],
  ['says nothing', () => s3.pause(), () => s3.resume()],
])('a bucket whose server %s is one clear error before restic is run', async (_what, fail, mend) => {
  await fail();
  try {
    const error = await errorOf(openRestic({repository, store, signal}));
    expect(error).toMatchObject({code: 'STORE_UNREACHABLE'});
    expect(error.next).toEqual(['check spec.repository.endpoint and the network']);
  } finally {
    await mend();
  }
});

it('wrong credentials are one clear error before restic is run', async () => {
  const wrong = {...store, profile: s3.profiles.wrong};
  const denied = new Repository(
    repository.id,
    await openStore(repository.store.url, wrong),
    Buffer.alloc(32),
  );
  const error = await errorOf(openRestic({repository: denied, store: wrong, signal}));
  expect(error.code).toBe('STORE_DENIED');
  expect(error.next).not.toEqual([]);
});

it('volumes that were saved with another key are not opened, and not made anew', async () => {
  const other = new Repository(repository.id, repository.store, Buffer.alloc(32, 1));
  const error = await errorOf(openRestic({repository: other, store, signal}));
  expect(error).toMatchObject({code: 'REPOSITORY_WRONG_KEY', exitCode: 12});
  expect(error.next).not.toEqual([]);
});

it('keys of the environment do not take the place of those of the profile', async () => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'SOMEBODYELSE');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'somebody-else');
  try {
    await openRestic({repository, store, signal});
  } finally {
    vi.stubEnv('AWS_ACCESS_KEY_ID', undefined);
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', undefined);
  }
});

it('a server that ends in the middle of a dump is one clear error in a bounded time, and nothing is saved', async () => {
  const before = await snapshots();
  async function* endless() {
    for (let i = 0; ; i += 1) {
      if (i === 40) await s3.kill();
      yield randomBytes(1024 * 1024);
    }
  }
  try {
    const exec = dumping(endless());
    const error = await errorOf(dumpVolume({exec, restic, request, tags: [], signal}), 15_000);
    expect(error).toMatchObject({code: 'STORE_UNREACHABLE', why: 'ECONNREFUSED'});
    expect(error.next).toEqual(['check spec.repository.endpoint and the network']);
  } finally {
    await s3.start();
  }
  expect(await snapshots()).toEqual(before);
  await dumpVolume({exec: dumping([Buffer.from('after')]), restic, request, tags: [], signal});
  expect(await snapshots()).toHaveLength(before.length + 1);
});

it('a server that ends when all data was sent is one clear error too', async () => {
  const before = await snapshots();
  const stream = Readable.from(
    (async function* () {
      yield randomBytes(1024 * 1024);
      await s3.kill();
    })(),
  );
  try {
    const error = await errorOf(restic.backup(stream, {filename: 'x', tags: [], signal}), 15_000);
    expect(error.code).toBe('STORE_UNREACHABLE');
  } finally {
    await s3.start();
  }
  expect(await snapshots()).toEqual(before);
});

it('a server that ends in the middle of a restore is one clear error in a bounded time', async () => {
  const data = Array.from({length: 48}, () => randomBytes(1024 * 1024));
  const record = await dumpVolume({exec: dumping(data), restic, request, tags: [], signal});
  const exec: Exec = async ({stdin}) => {
    let chunks = 0;
    for await (const _chunk of stdin ?? []) {
      chunks += 1;
      if (chunks === 2) await s3.kill();
    }
    return {exitCode: 0, stderr: ''};
  };
  try {
    const error = await errorOf(restoreDump({exec, restic, record, pod: 'db-0', signal}), 15_000);
    expect(error).toMatchObject({code: 'VOLUME_RESTORE_FAILED', exitCode: 3});
    expect(error.why).toMatch(/the store does not answer: ECONNREFUSED/);
    expect(error.next).toEqual(['check spec.repository.endpoint and the network']);
  } finally {
    await s3.start();
  }
});
