import {randomUUID} from 'node:crypto';
import {mkdir, readFile, rm, stat, writeFile} from 'node:fs/promises';
import {dirname} from 'node:path';
import {systemCodeOf} from '../errors.ts';
import {isSameProcess, pidStartedAt} from '../std/pid.ts';
import {waitFor} from '../std/wait.ts';

/** A takeover is two system calls; one that is older than this was killed half way. */
const TAKEOVER_STALE_MS = 10_000;

export interface FileLockOptions {
  /** What the other holder is doing, for the error when it takes too long. */
  waitingFor: string;
  timeoutMs: number;
  signal?: AbortSignal | undefined;
  onWait?: () => void;
}

/**
 * Runs `work` while no other process of this machine does so with the same file. A lock whose process is gone is taken over.
 * @throws PraError TIMEOUT when another process holds it for longer than `timeoutMs`.
 */
export async function withFileLock<T>(
  file: string,
  options: FileLockOptions,
  work: () => Promise<T>,
): Promise<T> {
  await mkdir(dirname(file), {recursive: true, mode: 0o700});
  // The last part tells apart two holders in one process.
  const mine = `${process.pid} ${pidStartedAt(process.pid) ?? 'unknown'} ${randomUUID()}`;
  let told = false;
  await waitFor(
    async () => {
      if (await take(file, mine)) return true;
      if (!told) options.onWait?.();
      told = true;
      return undefined;
    },
    {waitingFor: options.waitingFor, timeoutMs: options.timeoutMs, intervalMs: 50, signal: options.signal},
  );
  try {
    return await work();
  } finally {
    if ((await readHolder(file)) === mine) await rm(file, {force: true});
  }
}

async function take(file: string, mine: string): Promise<boolean> {
  if (await createFile(file, mine)) return true;
  if (await isAbandoned(file)) await removeAbandoned(file);
  return false;
}

/**
 * Removes a lock whose holder is gone. Two that see it at once must not remove it one after the other: the second
 * would remove the lock that a third has just taken. So they go one at a time, and look again.
 */
async function removeAbandoned(file: string): Promise<void> {
  const takeover = `${file}.takeover`;
  if (!(await createFile(takeover, ''))) {
    const held = await stat(takeover).catch(() => undefined);
    if (held && Date.now() - held.mtimeMs > TAKEOVER_STALE_MS) await rm(takeover, {force: true});
    return;
  }
  try {
    if (await isAbandoned(file)) await rm(file, {force: true});
  } finally {
    await rm(takeover, {force: true});
  }
}

async function isAbandoned(file: string): Promise<boolean> {
  const holder = await readHolder(file);
  if (holder === undefined) return false;
  const [pid, startedAt] = holder.split(' ');
  if (pid && startedAt) return !isSameProcess(Number(pid), startedAt);
  // Made and not yet written, or its writer was killed in between.
  const made = await stat(file).catch(() => undefined);
  return made !== undefined && Date.now() - made.mtimeMs > TAKEOVER_STALE_MS;
}

const readHolder = (file: string) => readFile(file, 'utf8').catch(() => undefined);

async function createFile(file: string, content: string): Promise<boolean> {
  try {
    await writeFile(file, content, {flag: 'wx', mode: 0o600});
    return true;
  } catch (error) {
    if (systemCodeOf(error) === 'EEXIST') return false;
    throw error;
  }
}
