import {PraError} from '../errors.ts';
import {BUILT_TOOLS, CLUSTER_TOOLS, MOVER_TOOLS, TEST_TOOLS} from './catalogue.ts';
import type {Need} from './check.ts';
import {installPackages, missingPackages} from './packages.ts';
import {requireLinuxRoot} from './platform.ts';
import {type ResolvedTool, type ResolveOptions, resolveTool} from './resolve.ts';
import {resolveTerraform} from './terraform.ts';

export interface InstallOptions extends ResolveOptions {
  /** `volumes`: also what fills volumes; `tests`: also simulated nodes, an S3 server and volumes with snapshots. */
  for: Exclude<Need, 'always'>;
}

/**
 * Obtains everything that drills with the local target need: Debian packages, then the programs, one after another (a
 * build uses all processors). What is there stays as it is.
 * @returns where each program is.
 * @throws PraError PLATFORM_UNSUPPORTED, TOOL_MISSING with the exact command, TOOL_BUILD_FAILED.
 */
export async function installMissing(options: InstallOptions): Promise<ResolvedTool[]> {
  requireLinuxRoot();
  const packages = await missingPackages(options);
  await installPackages(packages, options);
  const still = packages.length === 0 ? [] : await missingPackages(options);
  if (still.length > 0) {
    throw new PraError('TOOL_MISSING', `installed, but older than pra needs: ${still.join(', ')}`, {
      next: ['pra doctor'],
    });
  }
  const names: readonly string[] = {
    'local target': CLUSTER_TOOLS,
    volumes: [...CLUSTER_TOOLS, ...MOVER_TOOLS],
    tests: [...CLUSTER_TOOLS, ...MOVER_TOOLS, ...TEST_TOOLS],
  }[options.for];
  const tools = [await resolveTerraform(options)];
  for (const {name} of BUILT_TOOLS.filter(tool => names.includes(tool.name)))
    tools.push(await resolveTool(name, options));
  return tools;
}
