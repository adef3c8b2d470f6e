import {spawn} from 'node:child_process';
import {closeSync, openSync, readFileSync} from 'node:fs';
import {PraError, systemCodeOf} from '../errors.ts';
import {formatDuration} from '../std/duration.ts';

const TAIL_EVERY_MS = 200;
/** Terraform stops in order when it is asked to; only then it knows all that it made. */
const KILL_AFTER_MS = 120_000;

export interface TerraformProcess {
  binary: string;
  args: readonly string[];
  env: Record<string, string>;
  logFile: string;
  timeoutMs: number;
  signal?: AbortSignal | undefined;
  onLine?: ((line: string) => void) | undefined;
  onSpawn?: ((pid: number) => void) | undefined;
}

/**
 * Runs terraform with its output in a file. It has a process group of its own and no pipe to pra: Ctrl-C does not
 * reach it, and it outlives a killed pra, so that its state always names what it made.
 * @throws PraError PROCESS_FAILED with the last lines, TIMEOUT, INTERRUPTED, TOOL_MISSING.
 */
export async function runTerraform(run: TerraformProcess): Promise<void> {
  run.signal?.throwIfAborted();
  const fd = openSync(run.logFile, 'a', 0o600);
  const from = readFileSync(run.logFile).length;
  const printed = () => readFileSync(run.logFile).subarray(from).toString('utf8');
  const child = spawn(run.binary, run.args, {
    stdio: ['ignore', fd, fd],
    detached: true,
    env: {...process.env, ...run.env},
  });
  closeSync(fd);
  if (child.pid !== undefined) run.onSpawn?.(child.pid);

  const tail = followLines(printed, run.onLine);
  const ended = Promise.withResolvers<number>();
  child.once('error', ended.reject);
  child.once('exit', code => ended.resolve(code ?? -1));
  let stoppedFor: 'timeout' | 'abort' | undefined;
  const stop = (reason: 'timeout' | 'abort') => {
    stoppedFor ??= reason;
    child.kill('SIGINT');
    setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS).unref();
  };
  const onAbort = () => stop('abort');
  const timer = setTimeout(() => stop('timeout'), run.timeoutMs);
  run.signal?.addEventListener('abort', onAbort, {once: true});
  try {
    const exitCode = await ended.promise;
    if (exitCode === 0) return;
    if (stoppedFor === 'abort') throw new PraError('INTERRUPTED', 'terraform was stopped');
    if (stoppedFor === 'timeout')
      throw new PraError(
        'TIMEOUT',
        `terraform ${run.args[1]} did not end within ${formatDuration(run.timeoutMs)}`,
      );
    throw new PraError('PROCESS_FAILED', `terraform ${run.args[1]} failed with exit code ${exitCode}`, {
      why: lastLines(printed()),
    });
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT') throw error;
    throw new PraError('TOOL_MISSING', `${run.binary} is not installed`, {
      next: ['pra doctor'],
      cause: error,
    });
  } finally {
    clearTimeout(timer);
    run.signal?.removeEventListener('abort', onAbort);
    tail.stop();
  }
}

/** Terraform draws a box around its errors; its last lines without the box say what went wrong. */
function lastLines(text: string): string {
  const lines = text.split('\n').map(line => line.replace(/^[│╷╵]\s?/, '').trimEnd());
  const errorAt = lines.findIndex(line => line.startsWith('Error:'));
  const told = errorAt >= 0 ? lines.slice(errorAt) : lines;
  return told
    .filter(line => line !== '')
    .slice(-12)
    .join('\n');
}

function followLines(
  printed: () => string,
  onLine: ((line: string) => void) | undefined,
): {stop: () => void} {
  if (!onLine) return {stop: () => undefined};
  let seen = 0;
  const read = () => {
    const lines = printed().split('\n');
    for (const line of lines.slice(seen, -1)) onLine(line);
    seen = Math.max(seen, lines.length - 1);
  };
  const timer = setInterval(read, TAIL_EVERY_MS);
  return {
    stop() {
      clearInterval(timer);
      read();
    },
  };
}
