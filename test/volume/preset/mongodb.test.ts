import {chmod, mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, afterEach, beforeAll, describe, expect, test} from 'vitest';
import {containerExec, type Userland} from '../../bed/container.ts';
import {ordinaryFolder} from '../../bed/daemon.ts';
import {startTrip, type Trip} from './trip.ts';

const PASSWORD = `a"$b c'd`;
let trip: Trip;
let bin: string;
let home: string;

/**
 * Fakes, because no package of a registry has the programs of MongoDB: they show what they are given, and an archive is bytes.
 * What is tested is what the scripts do around them.
 */
const FAKES: Record<string, string> = {
  mongosh: 'echo "$FAKE_SET"',
  mongodump: `printf '%s\\n' "$@" > $HOME/dump; cat /dev/fd/9 > $HOME/dump.config
    case $(cat $HOME/dump.config) in *wrong*) echo 'error connecting: Authentication failed.' >&2; exit 1;; esac
    head -c 3000000 /dev/urandom | tee $HOME/archive; exit \${FAKE_CODE-0}`,
  mongorestore: `printf '%s\\n' "$@" > $HOME/restore; cat /dev/fd/9 > $HOME/restore.config; cat > $HOME/restored; exit \${FAKE_CODE-0}`,
};

beforeAll(async () => {
  trip = await startTrip();
  bin = await mkdtemp(join(tmpdir(), 'pra-mongo-'));
  home = await ordinaryFolder('mongo-home');
  await chmod(bin, 0o755);
  for (const [name, text] of Object.entries(FAKES))
    await writeFile(join(bin, name), `#!/bin/sh\n${text}\n`, {mode: 0o755});
});
afterEach(() => rm(join(home, 'restored'), {force: true}));
afterAll(async () => {
  trip?.end();
  for (const dir of [bin, home]) if (dir) await rm(dir, {recursive: true, force: true});
});

const variables = {MONGO_INITDB_ROOT_USERNAME: 'root', MONGO_INITDB_ROOT_PASSWORD: PASSWORD};
const inside = (env: Record<string, string> = {}, userland: Userland = 'debian') =>
  containerExec({env: {HOME: home, ...variables, ...env}, userland, path: [bin]});
const text = (name: string) => readFile(join(home, name), 'utf8');
const bytes = (name: string) => readFile(join(home, name));

describe('preset mongodb', () => {
  test.each<[Userland, string, string]>([
    ['debian', '', ''],
    ['alpine', 'rs0', '--oplog'],
  ])('gives an archive back byte for byte (%s, replica set %j)', async (userland, set, oplog) => {
    const record = await trip.save(inside({FAKE_SET: set}, userland), {preset: 'mongodb'});
    await trip.restore(inside({}, userland), record);
    expect((await bytes('restored')).equals(await bytes('archive'))).toBe(true);
    const login = '--username=root\n--authenticationDatabase=admin\n--config=/dev/fd/9\n';
    expect(await text('dump')).toBe(`--archive\n${login}${oplog && `${oplog}\n`}`);
    expect(await text('restore')).toBe(
      `--archive\n${login}--drop\n--stopOnError\n${oplog && '--oplogReplay\n'}`,
    );
    // The password is in YAML, in a pipe, and nowhere else.
    expect(await text('dump.config')).toBe(`password: 'a"$b c''d'\n`);
    expect(await text('restore.config')).toBe(await text('dump.config'));
  });

  test('asks no password of a server that has none, and takes one database', async () => {
    const env = {MONGO_INITDB_ROOT_USERNAME: '', MONGO_INITDB_ROOT_PASSWORD: '', FAKE_SET: 'rs0'};
    const record = await trip.save(inside(env), {preset: 'mongodb', database: 'shop', port: 27_018});
    await trip.restore(inside(env), record);
    expect(await text('dump')).toBe('--archive\n--port=27018\n--db=shop\n');
    expect(await text('restore')).toBe(
      '--archive\n--port=27018\n--drop\n--stopOnError\n--nsInclude=shop.*\n',
    );
  });

  test.each([1, 16, 100_000])('refuses a dump whose last %i bytes are missing', async missing => {
    const record = await trip.save(inside(), {preset: 'mongodb'});
    const cut = await trip.restoreCut(inside(), record, all => all.length - missing);
    expect(cut).toMatchObject({exitCode: 1, stderr: expect.stringContaining('the dump was cut off')});
    expect((await trip.restoreCut(inside(), record, () => 0)).stderr).toContain('does not begin as');
  });

  test('fails with the words of the tools, and without the password', async () => {
    const secrets = [PASSWORD, 'wrong-secret'];
    const wrong = inside({MONGO_INITDB_ROOT_PASSWORD: 'wrong-secret'});
    expect(await trip.failure(wrong, {preset: 'mongodb'}, secrets)).toMatchObject({
      code: 'VOLUME_DUMP_FAILED',
      why: expect.stringContaining('Authentication failed'),
    });
    expect((await trip.failure(inside({FAKE_CODE: '3'}), {preset: 'mongodb'}, secrets)).code).toBe(
      'VOLUME_DUMP_FAILED',
    );
    const record = await trip.save(inside(), {preset: 'mongodb'});
    await expect(trip.restore(inside({FAKE_CODE: '3'}), record)).rejects.toMatchObject({
      code: 'VOLUME_RESTORE_FAILED',
      message: expect.stringContaining('exit code 3'),
    });
  });
});
