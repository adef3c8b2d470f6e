import {mkdir, readdir, readFile, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {PraError} from '../errors.ts';
import type {Json} from '../std/json.ts';

/** One use of a module: its state, data and variables lie in the run's folder, never in the module's. */
export interface Workspace {
  /** The terraform or tofu program. */
  binary: string;
  moduleDir: string;
  /** Holds state, data dir, variables and logs; 0700, because state holds secrets. */
  dir: string;
  varFiles: string[];
  env: Record<string, string>;
}

export interface WorkspaceOptions {
  binary: string;
  moduleDir: string;
  dir: string;
  vars: Record<string, Json>;
  varFile?: string | undefined;
  /** Offered to the module as TF_VAR_…: Terraform ignores those that it does not declare. */
  offered: Record<string, string>;
}

export const stateFile = (workspace: Workspace) => join(workspace.dir, 'terraform.tfstate');

/**
 * Prepares a folder for one run of a module.
 * @throws PraError TARGET_CONTRACT when the module has no *.tf files or declares a backend: the state of a drill
 * belongs to that drill alone, so that two drills can never share or overwrite one.
 */
export async function prepareWorkspace(options: WorkspaceOptions): Promise<Workspace> {
  await refuseBackend(options.moduleDir);
  await mkdir(options.dir, {recursive: true, mode: 0o700});
  const varsFile = join(options.dir, 'pra.tfvars.json');
  await writeFile(varsFile, JSON.stringify(options.vars, undefined, 2), {mode: 0o600});
  const offered = Object.entries(options.offered).map(([name, value]) => [`TF_VAR_${name}`, value]);
  return {
    binary: options.binary,
    moduleDir: options.moduleDir,
    dir: options.dir,
    varFiles: options.varFile === undefined ? [varsFile] : [options.varFile, varsFile],
    env: {
      ...Object.fromEntries(offered),
      TF_DATA_DIR: join(options.dir, 'data'),
      TF_IN_AUTOMATION: '1',
      TF_INPUT: '0',
      CHECKPOINT_DISABLE: '1',
    },
  };
}

async function refuseBackend(moduleDir: string): Promise<void> {
  const names = await readdir(moduleDir).catch(() => []);
  const files = names.filter(name => name.endsWith('.tf') || name.endsWith('.tf.json'));
  if (files.length === 0) {
    throw new PraError('TARGET_CONTRACT', `${moduleDir} holds no Terraform files`, {
      next: ['set spec.target.terraform.dir to the folder of a module'],
    });
  }
  for (const name of files) {
    const file = join(moduleDir, name);
    const lines = (await readFile(file, 'utf8')).split('\n');
    const line = lines.findIndex(text => /^\s*(backend\s+"(?!local")|cloud\s*\{)/.test(text));
    if (line < 0) continue;
    throw new PraError('TARGET_CONTRACT', 'the Terraform module keeps its state in a backend', {
      why: 'each drill needs a state of its own, or two drills would change one cluster',
      location: {file, line: line + 1},
      next: ['remove the backend block from the module, or call the module from one without a backend'],
    });
  }
}
