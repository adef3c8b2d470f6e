import {type ChildProcess, spawn} from 'node:child_process';
import {chown, mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {waitFor} from '../../src/std/wait.ts';

/** Databases do not run as root, so for them the tests are nobody. */
export const ORDINARY = process.getuid?.() === 0 ? {uid: 65_534, gid: 65_534} : {};

/** A folder of its own for a server that an ordinary user runs. */
export async function ordinaryFolder(name: string): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), `pra-${name}-`));
  if (ORDINARY.uid !== undefined) await chown(dir, ORDINARY.uid, ORDINARY.gid);
  return dir;
}

export interface Daemon {
  /** As a crash: without a word to its clients. */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a server in its folder, and waits until it answers. Stopping takes the folder along. */
export async function startDaemon(options: {
  dir: string;
  command: readonly string[];
  answers: () => Promise<boolean>;
}): Promise<Daemon> {
  const [file = '', ...args] = options.command;
  const child = spawn(file, args, {cwd: options.dir, stdio: ['ignore', 'pipe', 'pipe'], ...ORDINARY});
  const words: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => words.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => words.push(chunk));
  const ended = new Promise<void>(resolve => child.once('close', resolve).once('error', () => resolve()));
  try {
    await waitFor(
      async () => {
        if (isOver(child)) throw new Error(`${file} ended: ${Buffer.concat(words)}`);
        return (await options.answers()) ? true : undefined;
      },
      {waitingFor: `${file} to answer`, timeoutMs: 300_000, intervalMs: 100},
    );
  } catch (error) {
    child.kill('SIGKILL');
    await ended;
    throw error;
  }
  const kill = async () => {
    if (!isOver(child)) child.kill('SIGKILL');
    await ended;
  };
  return {
    kill,
    stop: async () => {
      await kill();
      await rm(options.dir, {recursive: true, force: true});
    },
  };
}

const isOver = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null;
