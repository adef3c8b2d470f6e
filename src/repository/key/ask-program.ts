import {spawn} from 'node:child_process';
import {systemCodeOf} from '../../errors.ts';

const MAX_BYTES = 64 * 1024;
/** Secrets of pra that are no business of a program that it starts. */
const OWN_SECRETS = ['PRA_PASSPHRASE', 'PRA_PASSPHRASE_FILE', 'PRA_AGE_IDENTITY_FILE'];

export interface Answer {
  /** Undefined when it could not be started or was killed. */
  exitCode: number | undefined;
  stdout: string;
  stderr: string;
  /** Why it could not be started. */
  systemCode?: string | undefined;
}

/**
 * Gives a program a text on stdin and takes its answer, never through a shell. It has a process group of its own: when the
 * signal aborts, or it says more than a key can be, what it started ends with it. What it printed is in no error.
 */
export function askProgram(
  file: string,
  args: readonly string[],
  input: string,
  signal: AbortSignal,
): Promise<Answer> {
  return new Promise(resolve => {
    const env = Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !OWN_SECRETS.includes(name)),
    );
    const child = spawn(file, args, {detached: true, stdio: 'pipe', env});
    const said = {stdout: '', stderr: ''};
    const end = (exitCode: number | undefined, systemCode?: string) => {
      signal.removeEventListener('abort', kill);
      for (const stream of child.stdio) stream?.destroy();
      resolve({exitCode, systemCode, ...said});
    };
    const kill = () => {
      endGroup(child.pid);
      end(undefined);
    };
    child.on('error', error => end(undefined, systemCodeOf(error) ?? 'unknown'));
    child.on('close', code => end(code ?? undefined));
    child.stdin.on('error', () => undefined); // it need not read
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (text: string) => {
        said[name] += text;
        if (said[name].length > MAX_BYTES) kill();
      });
    }
    signal.addEventListener('abort', kill, {once: true});
    if (signal.aborted) kill();
    else child.stdin.end(input);
  });
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}
