import {PraError} from '../errors.ts';
import {runProcess} from '../std/process.ts';
import {findTool, type ResolvedTool, type ResolveOptions, resolveTool} from './resolve.ts';
import {isAtLeast} from './version.ts';

export const LOWEST_TERRAFORM = '1.6.0';

/**
 * terraform or tofu, whichever is there, 1.6 or later; OpenTofu is obtained when neither is.
 * @throws PraError TOOL_MISSING or TOOL_BUILD_FAILED with how to install one.
 */
export async function resolveTerraform(options: ResolveOptions = {}): Promise<ResolvedTool> {
  const found = await findTerraform(options);
  if (found) return found;
  try {
    const tofu = await resolveTool('tofu', options);
    return {...tofu, version: tofu.version.replace(/^v/, '')};
  } catch (error) {
    if (!(error instanceof PraError) || error.code !== 'TOOL_MISSING') throw error;
    throw new PraError(
      'TOOL_MISSING',
      `neither terraform nor tofu ${LOWEST_TERRAFORM} or later is installed`,
      {
        why: error.message,
        next: ['https://opentofu.org/docs/intro/install', 'or set PRA_TERRAFORM to the path of one'],
        cause: error,
      },
    );
  }
}

/** terraform or tofu that is there already, with its version; undefined when neither is, or both are too old. */
export async function findTerraform(options: ResolveOptions = {}): Promise<ResolvedTool | undefined> {
  for (const name of ['terraform', 'tofu']) {
    const tool = await findTool(name, options);
    if (!tool) continue;
    const {stdout} = await runProcess(tool.path, ['version', '-json'], {
      timeoutMs: 15_000,
      signal: options.signal,
      env: {CHECKPOINT_DISABLE: '1'},
    }).catch(() => ({stdout: ''}));
    options.signal?.throwIfAborted();
    const version = /"terraform_version":\s*"(\d+\.\d+\.\d+)[^"]*"/.exec(stdout)?.[1];
    if (version !== undefined && isAtLeast(version, LOWEST_TERRAFORM)) return {...tool, name, version};
  }
  return undefined;
}
