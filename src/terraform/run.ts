import {chmod, stat} from 'node:fs/promises';
import {join} from 'node:path';
import {PraError} from '../errors.ts';
import {runProcess} from '../std/process.ts';
import {parseTargetOutputs, type TargetOutputs} from './outputs.ts';
import {runTerraform} from './process.ts';
import {stateFile, type Workspace} from './workspace.ts';

export interface TerraformOptions {
  signal?: AbortSignal | undefined;
  timeoutMs: number;
  /** Each line that Terraform prints; all of them are also in the workspace's log. */
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
  await terraform(
    workspace,
    ['apply', '-no-color', '-input=false', '-auto-approve', ...stateArgs(workspace)],
    options,
  );
  const {stdout} = await runProcess(
    workspace.binary,
    [`-chdir=${workspace.moduleDir}`, 'output', '-json', `-state=${stateFile(workspace)}`],
    {
      env: workspace.env,
      timeoutMs: 60_000,
      signal: options.signal,
    },
  );
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
  await terraform(
    workspace,
    ['destroy', '-no-color', '-input=false', '-auto-approve', ...stateArgs(workspace)],
    options,
  );
}

/** What the state still names, such as `terraform_data.cluster`; empty after a whole destroy. */
export async function listState(
  workspace: Workspace,
  options: {signal?: AbortSignal | undefined} = {},
): Promise<string[]> {
  const started = await stat(stateFile(workspace)).catch(() => undefined);
  if (!started) return [];
  const args = [`-chdir=${workspace.moduleDir}`, 'state', 'list', `-state=${stateFile(workspace)}`];
  const {stdout} = await runProcess(workspace.binary, args, {
    env: workspace.env,
    timeoutMs: 60_000,
    signal: options.signal,
  });
  // Addresses, and not the warnings that OpenTofu prints before them.
  return stdout
    .split('\n')
    .filter(line => /^(module\.[^ ]+\.)?(data\.)?[a-z0-9_]+\.[^ ]+$/i.test(line.trim()));
}

const stateArgs = (workspace: Workspace) => [
  `-state=${stateFile(workspace)}`,
  ...workspace.varFiles.map(file => `-var-file=${file}`),
];

async function terraform(workspace: Workspace, args: string[], options: TerraformOptions): Promise<void> {
  const logFile = join(workspace.dir, 'terraform.log');
  try {
    await runTerraform({
      binary: workspace.binary,
      args: [`-chdir=${workspace.moduleDir}`, ...args],
      env: workspace.env,
      logFile,
      timeoutMs: options.timeoutMs,
      signal: options.signal,
      onLine: options.onLine,
      onSpawn: options.onSpawn,
    });
  } catch (error) {
    if (!(error instanceof PraError) || error.code !== 'PROCESS_FAILED') throw error;
    throw new PraError('TERRAFORM_FAILED', `terraform ${args[0]} failed`, {
      why: error.why,
      next: [`see ${logFile}`],
      cause: error,
    });
  } finally {
    await hideState(workspace);
  }
}

/** Terraform makes its state readable for all; the folder is not, and whoever copies the file should not have to think of it. */
async function hideState(workspace: Workspace): Promise<void> {
  const state = stateFile(workspace);
  for (const file of [state, `${state}.backup`]) await chmod(file, 0o600).catch(() => undefined);
}
