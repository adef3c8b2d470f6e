import {spawn} from 'node:child_process';
import {existsSync} from 'node:fs';
import {mkdtemp, readFile, rm, utimes, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, expect, test} from 'vitest';
import {pidStartedAt} from '../../src/std/pid.ts';
import {withFileLock} from '../../src/tool/lock.ts';

let dir: string;
let lock: string;
let log: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pra-lock-'));
  lock = join(dir, 'a', 'lock');
  log = join(dir, 'log');
});
afterEach(() => rm(dir, {recursive: true, force: true}));

function holder(rounds: number) {
  const script = join(import.meta.dirname, 'hold-lock.ts');
  const child = spawn(process.execPath, [script, lock, log, String(rounds)], {stdio: 'inherit'});
  return {child, ended: new Promise(resolve => child.once('exit', resolve))};
}

/** Each `in` must be followed by the `out` of the same process. */
async function expectOneAtATime(times: number): Promise<void> {
  const lines = (await readFile(log, 'utf8')).trim().split('\n');
  expect(lines).toHaveLength(times * 2);
  for (let at = 0; at < lines.length; at += 2) expect(lines[at + 1]).toBe(lines[at]?.replace('in', 'out'));
}

test('several processes go one at a time', async () => {
  const codes = await Promise.all([1, 2, 3].map(() => holder(10).ended));
  expect(codes).toEqual([0, 0, 0]);
  await expectOneAtATime(30);
  expect(existsSync(lock)).toBe(false);
});

test('the lock of a process that was killed is taken over by one of those that wait', async () => {
  const dead = holder(1000);
  while (!existsSync(log)) await new Promise(resolve => setTimeout(resolve, 5));
  dead.child.kill('SIGKILL');
  await dead.ended;
  await rm(log);
  await writeFile(lock, `${dead.child.pid} 12345 x`);
  const codes = await Promise.all([1, 2, 3].map(() => holder(5).ended));
  expect(codes).toEqual([0, 0, 0]);
  await expectOneAtATime(15);
});

test('the lock of a process whose pid was used again is taken over', async () => {
  await withFileLock(lock, {waitingFor: 'x', timeoutMs: 1000}, async () => undefined);
  await writeFile(lock, `${process.pid} 1 x`);
  const run = withFileLock(lock, {waitingFor: 'x', timeoutMs: 2000}, async () => 'got it');
  await expect(run).resolves.toBe('got it');
});

test('an empty lock is young, or its writer was killed', async () => {
  await withFileLock(lock, {waitingFor: 'x', timeoutMs: 1000}, async () => undefined);
  await writeFile(lock, '');
  const options = {waitingFor: 'the other', timeoutMs: 200};
  await expect(withFileLock(lock, options, async () => 1)).rejects.toThrow(/gave up waiting for the other/);
  await utimes(lock, new Date(0), new Date(0));
  await expect(withFileLock(lock, options, async () => 1)).resolves.toBe(1);
});

test('one that waits says so once, and gives up at its deadline', async () => {
  let told = 0;
  await withFileLock(lock, {waitingFor: 'x', timeoutMs: 1000}, async () => {
    const options = {waitingFor: 'the other', timeoutMs: 300, onWait: () => (told += 1)};
    await expect(withFileLock(lock, options, async () => 1)).rejects.toMatchObject({code: 'TIMEOUT'});
    expect((await readFile(lock, 'utf8')).split(' ')[1]).toBe(pidStartedAt(process.pid));
  });
  expect(told).toBe(1);
});

test('the lock is given back when the work fails', async () => {
  const failing = withFileLock(lock, {waitingFor: 'x', timeoutMs: 1000}, async () => {
    throw new Error('no');
  });
  await expect(failing).rejects.toThrow('no');
  expect(existsSync(lock)).toBe(false);
});
