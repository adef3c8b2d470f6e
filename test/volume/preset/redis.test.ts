import {readdir} from 'node:fs/promises';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {argumentsWith, containerExec, type Userland} from '../../bed/container.ts';
import {startRedis, type TestRedis} from '../../bed/redis.ts';
import {startTrip, type Trip} from './trip.ts';

const PASSWORD = `a"$b c'd`;
let source: TestRedis;
let trip: Trip;
const targets: TestRedis[] = [];
const fresh = async (settings: readonly string[] = []) => {
  const server = await startRedis(PASSWORD, settings);
  targets.push(server);
  return server;
};

/** Values that do not compress, so that a dump is larger than what pipes hold. */
const FILL = `math.randomseed(7) for i = 1, 300 do local t = {} for j = 1, 10000 do t[j] = string.char(math.random(0, 255)) end
  redis.call('set', 'big:' .. i, table.concat(t) .. string.rep('x', 30000)) end`;

beforeAll(async () => {
  [source, trip] = await Promise.all([startRedis(PASSWORD), startTrip()]);
  await source.command('EVAL', FILL, '0');
  await source.command('HSET', 'user:1', 'name', 'é "q"', 'n', '2');
  await source.command('ZADD', 'scores', '1.5', 'a', '2', 'b');
  await source.command('XADD', 'stream', '1-1', 'k', 'v');
  await source.command('SET', 'passing', 'x', 'EX', '100000');
  await source.command('-n', '3', 'SET', 'elsewhere', 'yes');
});
afterAll(async () => {
  trip?.end();
  for (const server of [source, ...targets]) await server?.stop();
});

const inside = (
  {bin}: TestRedis,
  userland: Userland = 'debian',
  env: Record<string, string> = {REDIS_PASSWORD: PASSWORD},
) => containerExec({env, userland, path: [bin]});
const rule = ({port}: TestRedis) => ({preset: 'redis', port}) as const;

/** The port is in the command, and a test has more than one server on its loopback. */
async function saveFor(target: TestRedis, userland: Userland = 'debian') {
  const record = await trip.save(inside(source, userland), rule(source));
  const swap = (word: string) => word.replaceAll(`-p ${source.port}`, `-p ${target.port}`);
  return {...record, restoreCommand: record.restoreCommand.map(swap)};
}

async function digest({command}: TestRedis): Promise<string[]> {
  return Promise.all([
    command(
      'EVAL',
      "local s = '' for i = 1, 300 do s = redis.sha1hex(s .. redis.call('get', 'big:' .. i)) end return s",
      '0',
    ),
    command('HGETALL', 'user:1'),
    command('ZRANGE', 'scores', '0', '-1', 'WITHSCORES'),
    command('XRANGE', 'stream', '-', '+'),
    command('-n', '3', 'GET', 'elsewhere'),
    command('EXPIRETIME', 'passing'),
    command('DBSIZE'),
  ]);
}

describe('preset redis', () => {
  test.each<[Userland, string[]]>([
    ['debian', []],
    ['alpine', ['--appendonly', 'yes', '--masterauth', PASSWORD]],
  ])('brings everything into a running server (%s, %j)', async (userland, settings) => {
    const target = await fresh(settings);
    await target.command('SET', 'old', 'gone afterwards');
    await trip.restore(inside(target, userland), await saveFor(target, userland));
    expect(await digest(target)).toEqual(await digest(source));
    expect(await target.command('INFO', 'replication')).toContain('role:master');
    expect(await target.command('EXISTS', 'old')).toBe('0');
    const files = await readdir(target.dir);
    expect(files).toContain('dump.rdb');
    expect(files.filter(name => name.startsWith('temp'))).toEqual([]);
  });

  test('shows a master user to its second server', async () => {
    const target = await fresh(['--masteruser', 'replica', '--masterauth', 'other-secret']);
    await trip.restore(inside(target), await saveFor(target));
    expect(await digest(target)).toEqual(await digest(source));
  });

  test.each([60, 5000])(
    'refuses a dump whose last %i bytes are missing, and leaves the server as it was',
    async missing => {
      const target = await fresh();
      await target.command('SET', 'old', 'still there');
      const {exitCode, stderr} = await trip.restoreCut(
        inside(target),
        await saveFor(target),
        bytes => bytes.length - missing,
      );
      expect(exitCode).not.toBe(0);
      expect(stderr).toContain('the dump was not loaded: it is not whole');
      expect(await target.command('GET', 'old')).toBe('still there');
      expect(await target.command('INFO', 'replication')).toContain('role:master');
    },
  );

  test('shows no password to who lists the processes', async () => {
    const seen: string[] = [];
    const onOutput = async () => {
      expect(argumentsWith('sh -c')).not.toEqual([]);
      seen.push(...argumentsWith(PASSWORD));
    };
    await trip.save(containerExec({env: {REDIS_PASSWORD: PASSWORD}, onOutput}), rule(source));
    expect(seen).toEqual([]);
  });

  test('a wrong password, a server that is not there or that dies fails the dump', async () => {
    const secrets = [PASSWORD, 'wrong-secret'];
    const wrong = inside(source, 'debian', {REDIS_PASSWORD: 'wrong-secret'});
    expect(await trip.failure(wrong, rule(source), secrets)).toMatchObject({
      code: 'VOLUME_DUMP_FAILED',
      why: expect.stringMatching(/WRONGPASS|NOAUTH/),
    });
    const server = await fresh();
    await server.command('EVAL', FILL, '0');
    const dying = containerExec({
      env: {REDIS_PASSWORD: PASSWORD},
      path: [server.bin],
      onOutput: () => server.kill(),
    });
    expect(await trip.failure(dying, rule(server), secrets)).toMatchObject({
      code: 'VOLUME_DUMP_FAILED',
      why: expect.stringContaining('I/O'),
    });
    expect((await trip.failure(inside(server), rule(server), secrets)).why).toContain('Connection refused');
  });

  test('does not restore with a wrong password or into a replica', async () => {
    const target = await fresh();
    const record = await saveFor(target);
    await expect(
      trip.restore(inside(target, 'debian', {REDIS_PASSWORD: 'wrong-secret'}), record),
    ).rejects.toMatchObject({
      code: 'VOLUME_RESTORE_FAILED',
      why: expect.stringContaining('NOAUTH'),
    });
    await target.command('REPLICAOF', '127.0.0.1', '1');
    await expect(trip.restore(inside(target), record)).rejects.toMatchObject({
      why: expect.stringContaining('is a replica'),
    });
  });
});
