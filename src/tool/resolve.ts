import {readdir, rm} from 'node:fs/promises';
import {basename, dirname, join} from 'node:path';
import {PraError} from '../errors.ts';
import {cacheDir} from '../std/paths.ts';
import {buildTool} from './build.ts';
import {BUILT_TOOLS, NODE_TOOLS, RESTIC, type ToolSpec} from './catalogue.ts';
import {downloadTool} from './download.ts';
import {findOnPath, isExecutable} from './find-on-path.ts';
import {withFileLock} from './lock.ts';
import {installCommand} from './packages.ts';

export interface ResolvedTool {
  name: string;
  path: string;
  /** `given` when a variable names it: what the user names is taken as it is. */
  version: string;
  from: 'env' | 'cache' | 'path' | 'download' | 'build';
}

export interface ResolveOptions {
  signal?: AbortSignal | undefined;
  onProgress?: ((message: string) => void) | undefined;
}

const OBTAIN_TIMEOUT_MS = 45 * 60_000;

/**
 * Finds a program, or obtains it: from the environment (`PRA_<NAME>`, `KUBEBUILDER_ASSETS`), the cache, PATH, the official
 * release, or by building its pinned Go module. Two processes that want the same program do it once.
 * @throws PraError TOOL_MISSING with the command that installs it, TOOL_BUILD_FAILED.
 */
export async function resolveTool(name: string, options: ResolveOptions = {}): Promise<ResolvedTool> {
  const found = await findTool(name, options);
  if (found) return found;
  const spec = specOf(name);
  if (!spec) throw await missing(name);
  const wait = {
    waitingFor: `another process that is obtaining ${name}`,
    timeoutMs: OBTAIN_TIMEOUT_MS,
    signal: options.signal,
    onWait: () => options.onProgress?.(`waiting for another process that is obtaining ${name}`),
  };
  return withFileLock(
    `${cachePath(spec)}.lock`,
    wait,
    async () => (await findTool(name, options)) ?? obtain(spec, options),
  );
}

/**
 * Finds a program that is there already; undefined when it would have to be obtained.
 * @throws PraError TOOL_MISSING when a variable names something that is not a program.
 */
export async function findTool(
  name: string,
  options: ResolveOptions = {},
): Promise<ResolvedTool | undefined> {
  const variable = variableOf(name);
  const given = process.env[variable];
  if (given) {
    if (await isExecutable(given)) return {name, path: given, version: 'given', from: 'env'};
    throw new PraError('TOOL_MISSING', `${given} is not a program`, {
      why: `${variable} names it`,
      next: [`unset ${variable}, or set it to a ${name}`],
    });
  }
  const spec = specOf(name);
  const assets = process.env.KUBEBUILDER_ASSETS;
  if (spec?.assets && assets && (await isExecutable(join(assets, name))))
    return {name, path: join(assets, name), version: 'given', from: 'env'};
  if (spec && (await isExecutable(cachePath(spec))))
    return {name, path: cachePath(spec), version: spec.version, from: 'cache'};
  // A program that must be of a certain version and cannot show its own is never taken from PATH.
  if (spec && !spec.onPath) return undefined;
  return findOnPath(name, {wanted: spec?.onPath, system: systemTool(name), signal: options.signal});
}

/** Where a program that pra obtained lies. */
export const cachePath = (spec: ToolSpec) =>
  join(cacheDir(), 'binaries', spec.module, spec.version, spec.name);

const specOf = (name: string) => BUILT_TOOLS.find(tool => tool.name === name);
const systemTool = (name: string) => [RESTIC, ...NODE_TOOLS].find(tool => tool.name === name);
const variableOf = (name: string) => `PRA_${name.toUpperCase().replaceAll('-', '_')}`;

async function obtain(spec: ToolSpec, options: ResolveOptions): Promise<ResolvedTool> {
  const out = cachePath(spec);
  await removePartials(out);
  const obtained = {name: spec.name, path: out, version: spec.version};
  if (spec.download && (await downloadTool(spec.download, out, options)))
    return {...obtained, from: 'download'};
  await buildTool(spec, out, options);
  return {...obtained, from: 'build'};
}

/** What a killed process left half done; nobody else is at it, because this one holds the lock. */
async function removePartials(out: string): Promise<void> {
  const names = await readdir(dirname(out)).catch((): string[] => []);
  for (const name of names.filter(entry => entry.startsWith(`${basename(out)}.partial-`)))
    await rm(join(dirname(out), name), {recursive: true, force: true});
}

async function missing(name: string): Promise<PraError> {
  const tool = systemTool(name);
  const wanted = tool?.lowest ? `${name} ${tool.lowest} or later` : name;
  return new PraError('TOOL_MISSING', `${wanted} is not installed`, {
    next: [tool ? installCommand([tool.package]) : `install ${name}, or set ${variableOf(name)} to its path`],
  });
}
