import {type ChildProcess, spawn} from 'node:child_process';
import {existsSync} from 'node:fs';
import {open, readdir, readFile} from 'node:fs/promises';
import {waitFor} from '../../src/std/wait.ts';

const SETPRIV = '/usr/bin/setpriv';

/** Starts a server of a test, its output in a file. On Linux it dies with the test process, so that an aborted run leaves nothing. */
export async function startChild(
  file: string,
  args: readonly string[],
  options: {log: string; env?: NodeJS.ProcessEnv},
): Promise<ChildProcess> {
  const log = await open(options.log, 'a', 0o600);
  const command = existsSync(SETPRIV) ? [SETPRIV, '--pdeathsig', 'KILL', file, ...args] : [file, ...args];
  const child = spawn(command[0] ?? file, command.slice(1), {
    env: options.env ?? process.env,
    stdio: ['ignore', log.fd, log.fd],
  });
  child.once('error', () => undefined);
  await log.close();
  return child;
}

/** Kills it, and waits until it is gone. */
export async function killChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise(resolve => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
}

/** Stops it, and waits until each of its threads has: the signal comes back before they have. */
export async function pauseChild(child: ChildProcess | undefined): Promise<void> {
  if (!child?.kill('SIGSTOP')) return;
  const tasks = `/proc/${child.pid}/task`;
  await waitFor(
    async () => {
      const stats = await Promise.all(
        (await readdir(tasks)).map(task => readFile(`${tasks}/${task}/stat`, 'utf8')),
      );
      return stats.every(stat => /\) T/.test(stat)) || undefined;
    },
    {waitingFor: 'the process to stop', timeoutMs: 300_000, intervalMs: 5},
  );
}
