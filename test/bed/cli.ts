import {join} from 'node:path';
import {execa} from 'execa';
import {packageRoot} from '../../src/std/paths.ts';

export interface CliResult {
  exitCode: number;
  stdout: string;
  stderr: string;
}

const script = join(packageRoot(), 'bin', 'dev.js');

/** Variables of whoever runs the tests that would change what the command does. */
const FOREIGN = [
  'PRA_REPOSITORY',
  'PRA_KUBECONFIG',
  'PRA_CONTEXT',
  'PRA_PASSPHRASE',
  'PRA_PASSPHRASE_FILE',
  'PRA_AGE_IDENTITY_FILE',
  'PRA_KMS_COMMAND',
  'KUBECONFIG',
  'PRA_DEBUG',
];

/** Starts `pra` as a user would, in a process of its own; its exit code is read, never thrown. */
export function startPra(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const inherited = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !FOREIGN.includes(name)),
  );
  return execa(process.execPath, [script, ...args], {
    reject: false,
    extendEnv: false,
    env: {...inherited, CI: '1', NO_COLOR: '1', ...env},
    stdin: 'ignore',
    // An orderly stop takes as long as it takes; execa would end it with SIGKILL after five seconds.
    forceKillAfterDelay: false,
    maxBuffer: 64 * 1024 * 1024,
  });
}

export async function runPra(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<CliResult> {
  const {exitCode, stdout, stderr} = await startPra(args, env);
  return {exitCode: exitCode ?? -1, stdout, stderr};
}
