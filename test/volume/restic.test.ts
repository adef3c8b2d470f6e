import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {Readable, Writable} from 'node:stream';
import {afterAll, beforeAll, describe, expect, it} from 'vitest';
import {FileStore} from '../../src/repository/file.ts';
import {initRepository, type Repository} from '../../src/repository/repository.ts';
import {runProcess} from '../../src/std/process.ts';
import {dumpVolume, type Exec, restoreDump} from '../../src/volume/dump.ts';
import {openRestic, type Restic} from '../../src/volume/restic.ts';
import {dumpRequest as request} from './dump-request.ts';

let dir: string;
let repository: Repository;
let restic: Restic;
const {signal} = new AbortController();

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'pra-volume-'));
  repository = await initRepository(new FileStore(dir), {passphrase: 'p'});
  restic = await openRestic({repository, signal});
});
afterAll(() => rmSync(dir, {recursive: true, force: true}));

const snapshots = async (): Promise<unknown[]> => {
  const env = {RESTIC_PASSWORD: repository.volumePassword(), RESTIC_REPOSITORY: join(dir, 'volumes')};
  return JSON.parse((await runProcess('restic', ['--no-cache', 'snapshots', '--json'], {env})).stdout);
};

/** A fake of exec: faults at chosen moments cannot be had from a real kubelet on demand. */
const fakeExec =
  (chunks: readonly Buffer[], result: {exitCode: number; stderr: string} | Error): Exec =>
  async ({stdout}) => {
    if (!stdout) throw new Error('no stdout');
    for (const chunk of chunks)
      if (!stdout.write(chunk)) await new Promise(resolve => stdout.once('drain', resolve));
    if (result instanceof Error) throw result;
    await new Promise<void>(resolve => stdout.end(resolve));
    return result;
  };

const chunks = Array.from({length: 40}, (_, i) => Buffer.alloc(256 * 1024, i + 1));

describe('a dump', () => {
  it('comes back byte for byte', async () => {
    const record = await dumpVolume({
      exec: fakeExec(chunks, {exitCode: 0, stderr: ''}),
      restic,
      request,
      tags: ['t'],
      signal,
    });
    expect(record.bytes).toBe(40 * 256 * 1024);
    const received: Buffer[] = [];
    const exec: Exec = async ({stdin}) => {
      if (!stdin) throw new Error('no stdin');
      for await (const chunk of stdin) received.push(chunk);
      return {exitCode: 0, stderr: ''};
    };
    const restored = await restoreDump({exec, restic, record, pod: 'db-0', signal});
    expect(restored).toMatchObject({bytes: record.bytes, sha256Ok: true});
    expect(Buffer.concat(received).equals(Buffer.concat(chunks))).toBe(true);
  });

  it.each([
    ['ends with an error', {exitCode: 1, stderr: 'pg_dump: error: no such database'}],
    ['loses its connection', new Error('socket hang up')],
  ])('that %s is saved nowhere', async (_what, result) => {
    const before = (await snapshots()).length;
    await expect(
      dumpVolume({exec: fakeExec(chunks, result), restic, request, tags: [], signal}),
    ).rejects.toMatchObject({code: 'VOLUME_DUMP_FAILED', exitCode: 3});
    expect(await snapshots()).toHaveLength(before);
  });

  it('whose restore command fails is a failure with its last words', async () => {
    const record = await dumpVolume({
      exec: fakeExec(chunks, {exitCode: 0, stderr: ''}),
      restic,
      request,
      tags: [],
      signal,
    });
    const exec: Exec = async ({stdin}) => {
      stdin?.resume();
      return {exitCode: 3, stderr: 'psql: ERROR: syntax error'};
    };
    await expect(restoreDump({exec, restic, record, pod: 'db-0', signal})).rejects.toMatchObject({
      code: 'VOLUME_RESTORE_FAILED',
      why: 'psql: ERROR: syntax error',
    });
  });
});

it('a stream that fails midway leaves no snapshot', async () => {
  const before = (await snapshots()).length;
  const broken = Readable.from(
    (async function* () {
      yield Buffer.alloc(1024 * 1024, 1);
      throw new Error('the disk went away');
    })(),
  );
  await expect(restic.backup(broken, {filename: 'x', tags: [], signal})).rejects.toMatchObject({
    code: 'RESTIC_FAILED',
  });
  expect(await snapshots()).toHaveLength(before);
});

it('does not let a reader see the end of a file that did not come whole', async () => {
  const {stream, done} = restic.restore({snapshotId: 'ffffffff', filename: 'none', signal});
  const sink = new Writable({write: (_chunk, _encoding, next) => next()});
  let ended = false;
  stream.on('error', () => undefined);
  stream.on('end', () => {
    ended = true;
  });
  stream.pipe(sink);
  await expect(done).rejects.toMatchObject({code: 'RESTIC_FAILED'});
  expect(ended).toBe(false);
});
