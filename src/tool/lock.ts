import {mkdir, readFile, rm, writeFile} from 'node:fs/promises';
import {dirname} from 'node:path';
import {isSameProcess, pidStartedAt} from '../std/pid.ts';
import {waitFor} from '../std/wait.ts';

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
  const mine = `${process.pid} ${pidStartedAt(process.pid) ?? 'unknown'}`;
  let told = false;
  await waitFor(
    async () => {
      if (await take(file, mine)) return true;
      if (!told) options.onWait?.();
      told = true;
      return undefined;
    },
    {waitingFor: options.waitingFor, timeoutMs: options.timeoutMs, intervalMs: 200, signal: options.signal},
  );
  try {
    return await work();
  } finally {
    await rm(file, {force: true});
  }
}

async function take(file: string, mine: string): Promise<boolean> {
  try {
    await writeFile(file, mine, {flag: 'wx', mode: 0o600});
    return true;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
  const [pid, startedAt] = (await readFile(file, 'utf8').catch(() => '')).split(' ');
  // Just made and not yet written, or given back a moment ago: look again.
  if (!pid || !startedAt) return false;
  if (!isSameProcess(Number(pid), startedAt)) await rm(file, {force: true});
  return false;
}
