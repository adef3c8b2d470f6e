import {PraError} from '../errors.ts';
import {runProcess} from '../std/process.ts';
import {findTool, type ResolvedTool, type ResolveOptions} from './resolve.ts';

const LOWEST_MINOR = 6;

/**
 * terraform or tofu, whichever is there, 1.6 or later.
 * @throws PraError TOOL_MISSING with how to install one.
 */
export async function resolveTerraform(options: ResolveOptions = {}): Promise<ResolvedTool> {
  const found = await findTerraform(options);
  if (found) return found;
  throw new PraError('TOOL_MISSING', 'neither terraform nor tofu 1.6 or later is installed', {
    next: ['https://opentofu.org/docs/intro/install', 'or set PRA_TERRAFORM to the path of one'],
  });
}

export async function findTerraform(options: ResolveOptions = {}): Promise<ResolvedTool | undefined> {
  for (const name of ['terraform', 'tofu']) {
    const tool = await findTool(name);
    if (!tool) continue;
    const {stdout} = await runProcess(tool.path, ['version', '-json'], {
      timeoutMs: 15_000,
      signal: options.signal,
      env: {CHECKPOINT_DISABLE: '1'},
    });
    const version = /"terraform_version":\s*"((\d+)\.(\d+)\.[^"]*)"/.exec(stdout);
    if (version?.[2] === '1' && Number(version[3]) >= LOWEST_MINOR)
      return {...tool, name, version: version[1] ?? 'unknown'};
  }
  return undefined;
}
