import {createWriteStream} from 'node:fs';
import {stat} from 'node:fs/promises';
import {join} from 'node:path';
import {messageOf, PraError} from '../errors.ts';
import {runProcess} from '../std/process.ts';
import {parseTargetOutputs, type TargetOutputs} from './outputs.ts';
import {stateFile, type Workspace} from './workspace.ts';

export interface TerraformOptions {
  signal?: AbortSignal | undefined;
  timeoutMs: number;
  /** Each line that Terraform prints, also kept in the workspace's log. */
  onLine?: (line: string) => void;
  onSpawn?: (pid: number) => void;
}

/**
 * `init` and `apply`: brings up the target.
 * @returns the checked outputs of the module.
 * @throws PraError TERRAFORM_FAILED with Terraform's own words, TARGET_CONTRACT when an output is missing.
 */
export async function applyTarget(workspace: Workspace, options: TerraformOptions): Promise<TargetOutputs> {
  await terraform(workspace, ['init', '-no-color', '-input=false'], options);
  await terraform(workspace, ['apply', '-no-color', '-input=false', '-auto-approve', ...stateArgs(workspace)], options);
  return readTargetOutputs(workspace, options);
}

/** The outputs of a target that is up. */
export async function readTargetOutputs(workspace: Workspace, options: TerraformOptions): Promise<TargetOutputs> {
  const {stdout} = await terraform(workspace, ['output', '-json', `-state=${stateFile(workspace)}`], {...options, onLine: undefined});
  return parseTargetOutputs(stdout, workspace.moduleDir);
}

/**
 * `destroy`: removes everything that the state names. A workspace whose apply never started has nothing to remove.
 * @throws PraError TERRAFORM_FAILED; the state file then still names what is left.
 */
export async function destroyTarget(workspace: Workspace, options: TerraformOptions): Promise<void> {
  const started = await stat(stateFile(workspace)).catch(() => undefined);
  if (!started) return;
  await terraform(workspace, ['init', '-no-color', '-input=false'], options);
  await terraform(workspace, ['destroy', '-no-color', '-input=false', '-auto-approve', ...stateArgs(workspace)], options);
}

const stateArgs = (workspace: Workspace) => [`-state=${stateFile(workspace)}`, ...workspace.varFiles.map(file => `-var-file=${file}`)];

async function terraform(workspace: Workspace, args: string[], options: Omit<TerraformOptions, 'onLine'> & {onLine?: ((line: string) => void) | undefined}) {
  const log = createWriteStream(join(workspace.dir, 'terraform.log'), {flags: 'a', mode: 0o600});
  log.on('error', () => undefined); // a full disk must not end a recovery for the sake of a log
  const keep = (line: string) => {
    log.write(`${line}\n`);
    options.onLine?.(line);
  };
  try {
    return await runProcess(workspace.binary, [`-chdir=${workspace.moduleDir}`, ...args], {
      env: workspace.env,
      timeoutMs: options.timeoutMs,
      signal: options.signal,
      ownGroup: true,
      killAfterMs: 120_000,
      ...(options.onSpawn === undefined ? {} : {onSpawn: options.onSpawn}),
      ...(args[0] === 'output' ? {} : {onLine: keep}),
    });
  } catch (error) {
    if (!(error instanceof PraError) || error.code !== 'PROCESS_FAILED') throw error;
    throw new PraError('TERRAFORM_FAILED', `terraform ${args[0]} failed`, {
      why: error.why ?? messageOf(error),
      next: [`see ${join(workspace.dir, 'terraform.log')}`],
      cause: error,
    });
  } finally {
    log.end();
  }
}
