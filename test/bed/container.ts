import {spawn} from 'node:child_process';
import {mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {PassThrough, type Readable} from 'node:stream';
import {pipeline} from 'node:stream/promises';
import {afterAll} from 'vitest';
import type {Exec} from '../../src/volume/dump.ts';
import {ORDINARY} from './daemon.ts';

export type Userland = 'debian' | 'alpine';

const APPLETS = ['sh', 'tee', 'tail', 'head', 'sed', 'tr', 'grep', 'cat', 'sleep'];
let applets: string | undefined;
afterAll(() => {
  if (applets !== undefined) rmSync(applets, {recursive: true});
});

/** A folder in which the programs of a shell are busybox, as in images of Alpine. */
function busyboxFolder(): string {
  if (applets !== undefined) return applets;
  applets = mkdtempSync(join(tmpdir(), 'pra-busybox-'));
  for (const name of APPLETS) symlinkSync('/usr/bin/busybox', join(applets, name));
  return applets;
}

/** Command lines of programs that run, other than servers, in which a secret can be read. */
export function argumentsWith(secret: string): string[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .flatMap(pid => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      } catch {
        return []; // it has just ended
      }
    })
    .filter(line => line.includes(secret) && !line.includes('-server '));
}

/** Runs commands as exec in a container would: its variables are all that they have, and they are no root. */
export function containerExec(options: {
  env: Record<string, string>;
  userland?: Userland;
  path?: readonly string[];
  /** Called with the first bytes of the output, which wait for it. */
  onOutput?: () => Promise<void>;
}): Exec {
  const {env, userland = 'debian', path = [], onOutput} = options;
  const folders = [
    ...(userland === 'alpine' ? [busyboxFolder()] : []),
    ...path,
    '/usr/local/bin',
    '/usr/bin',
    '/bin',
  ];
  return async ({command, stdin, stdout, signal}) => {
    const [file = '', ...args] = command;
    const variables = {HOME: '/nonexistent', ...env, PATH: folders.join(':')};
    const child = spawn(file, args, {cwd: '/', env: variables, signal, ...ORDINARY});
    const words: Buffer[] = [];
    child.stderr.on('data', (chunk: Buffer) => words.push(chunk));
    const exit = new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, killed) => resolve(code ?? (killed === null ? 1 : 137)));
    });
    // A command that ends early closes its stdin, which is no failure of ours.
    if (stdin) pipeline(stdin, child.stdin).catch(() => undefined);
    else child.stdin.end();
    const output = onOutput ? held(child.stdout, onOutput) : child.stdout;
    if (stdout) await pipeline(output, stdout).catch(() => undefined);
    else output.resume();
    return {exitCode: await exit, stderr: Buffer.concat(words).toString()};
  };
}

function held(output: Readable, onOutput: () => Promise<void>): Readable {
  const through = new PassThrough();
  output.once('data', (first: Buffer) => {
    output.pause();
    through.write(first);
    onOutput().then(
      () => output.pipe(through),
      (error: Error) => through.destroy(error),
    );
  });
  output.once('end', () => through.end());
  return through;
}
