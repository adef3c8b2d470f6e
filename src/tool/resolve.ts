import {constants} from 'node:fs';
import {access} from 'node:fs/promises';
import {delimiter, join} from 'node:path';
import {PraError} from '../errors.ts';
import {cacheDir} from '../std/paths.ts';
import {runProcess} from '../std/process.ts';
import {buildTool} from './build.ts';
import {BUILT_TOOLS, SYSTEM_TOOLS, type ToolSpec} from './catalogue.ts';
import {downloadTool} from './download.ts';
import {withFileLock} from './lock.ts';

export interface ResolvedTool {
  name: string;
  path: string;
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
  const found = await findTool(name);
  if (found) return found;
  const spec = BUILT_TOOLS.find(tool => tool.name === name);
  if (!spec) throw missing(name);
  const lock = `${cachePath(spec)}.lock`;
  const wait = {
    waitingFor: `another process that is obtaining ${name}`,
    timeoutMs: OBTAIN_TIMEOUT_MS,
    signal: options.signal,
    onWait: () => options.onProgress?.(`waiting for another process that is obtaining ${name}`),
  };
  return withFileLock(lock, wait, async () => (await findTool(name)) ?? obtain(spec, options));
}

/** Finds a program that is there already; undefined when it would have to be obtained. */
export async function findTool(name: string): Promise<ResolvedTool | undefined> {
  const given = process.env[`PRA_${name.toUpperCase().replaceAll('-', '_')}`];
  if (given) {
    if (await isExecutable(given)) return {name, path: given, version: 'given', from: 'env'};
    throw new PraError('TOOL_MISSING', `${given} is not a program`, {
      why: `PRA_${name.toUpperCase().replaceAll('-', '_')} names it`,
    });
  }
  const spec = BUILT_TOOLS.find(tool => tool.name === name);
  if (!spec) return onPath(name);
  const assets = process.env.KUBEBUILDER_ASSETS;
  if (spec.assets && assets && (await isExecutable(join(assets, name))))
    return {name, path: join(assets, name), version: 'given', from: 'env'};
  if (await isExecutable(cachePath(spec)))
    return {name, path: cachePath(spec), version: spec.version, from: 'cache'};
  const {onPath: wanted} = spec;
  return wanted ? onPath(name, wanted) : undefined;
}

async function onPath(name: string, wanted?: RegExp): Promise<ResolvedTool | undefined> {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  for (const folder of folders.filter(text => text !== '')) {
    const path = join(folder, name);
    if (!(await isExecutable(path))) continue;
    if (!wanted) return {name, path, version: 'system', from: 'path'};
    const {stdout} = await runProcess(path, ['--version'], {timeoutMs: 5000}).catch(() => ({stdout: ''}));
    const version = wanted.exec(stdout);
    if (version) return {name, path, version: stdout.trim().split('\n', 1)[0] ?? '', from: 'path'};
  }
  return undefined;
}

async function obtain(spec: ToolSpec, options: ResolveOptions): Promise<ResolvedTool> {
  const out = cachePath(spec);
  if (spec.download && (await downloadTool(spec.download, out, options))) {
    return {name: spec.name, path: out, version: spec.version, from: 'download'};
  }
  await buildTool(spec, out, options);
  return {name: spec.name, path: out, version: spec.version, from: 'build'};
}

const cachePath = (spec: ToolSpec) => join(cacheDir(), 'binaries', spec.module, spec.version, spec.name);

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

function missing(name: string): PraError {
  const debian = SYSTEM_TOOLS[name];
  return new PraError('TOOL_MISSING', `${name} is not installed`, {
    next: [
      debian
        ? `apt-get install --no-install-recommends ${debian}`
        : `install ${name}, or set PRA_${name.toUpperCase().replaceAll('-', '_')} to its path`,
    ],
  });
}
