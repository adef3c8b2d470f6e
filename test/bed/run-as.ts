import {execFile} from 'node:child_process';
import {promisify} from 'node:util';
import {ORDINARY} from './daemon.ts';

const run = promisify(execFile);

/** Runs a program to its end as an ordinary user. */
export async function runAs([file = '', ...args]: readonly string[]): Promise<string> {
  return (await run(file, args, {cwd: '/', ...ORDINARY})).stdout;
}
