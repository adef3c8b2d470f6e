import {existsSync} from 'node:fs';
import {join} from 'node:path';
import {messageOf} from '../errors.ts';
import {neededGo} from './build.ts';
import {
  BUILT_TOOLS,
  CLUSTER_TOOLS,
  CNI,
  MOVER_TOOLS,
  NODE_TOOLS,
  RESTIC,
  type SystemTool,
  TEST_PROGRAMS,
  TEST_TOOLS,
} from './catalogue.ts';
import type {Check, Need} from './check.ts';
import {findOnPath, printedVersion} from './find-on-path.ts';
import {installCommand} from './packages.ts';
import {findTool, type ResolvedTool} from './resolve.ts';
import {findTerraform, LOWEST_TERRAFORM} from './terraform.ts';
import {findVersion, isAtLeast} from './version.ts';

const LOWEST_NODE = 24;

/** What pra itself needs, whatever the target. */
export async function checkPra(signal?: AbortSignal): Promise<Check[]> {
  const {version, execPath} = process;
  const node = isAtLeast(version, `${LOWEST_NODE}.0.0`);
  const git = await findOnPath('git', {signal});
  return [
    {
      name: 'Node.js',
      group: 'pra',
      needed: 'always',
      version: version.slice(1),
      path: execPath,
      ...(node ? {state: 'ok'} : {state: 'missing', fix: `install Node.js ${LOWEST_NODE} or later`}),
    },
    await checkTerraform(signal),
    await checkSystemTool(RESTIC, 'always', signal),
    {
      name: 'git',
      group: 'pra',
      needed: 'always',
      ...(git
        ? {state: 'ok', path: git.path}
        : {
            state: 'warning',
            found: 'without it, records do not name the commit of the plan',
            fix: installCommand(['git']),
          }),
    },
  ];
}

async function checkTerraform(signal: AbortSignal | undefined): Promise<Check> {
  const check = {name: 'terraform or tofu', group: 'pra', needed: 'always'} as const;
  const found = await findTerraform({signal}).catch(messageOf);
  if (found === undefined) {
    const text = `none of ${LOWEST_TERRAFORM} or later; OpenTofu is obtained at the first use`;
    return {...check, state: 'warning', found: text, fix: 'pra doctor --install'};
  }
  if (typeof found === 'string') return {...check, state: 'missing', found};
  return {...check, state: 'ok', ...describe(found), found: found.name};
}

/** The programs that can be built. One that is not there is a warning: it is obtained at the first use. */
export async function checkBuiltTools(signal?: AbortSignal): Promise<Check[]> {
  const needs: [readonly string[], Need][] = [
    [CLUSTER_TOOLS, 'local target'],
    [MOVER_TOOLS, 'volumes'],
    [TEST_TOOLS, 'tests'],
  ];
  const checks = needs.flatMap(([names, needed]) => names.map(name => checkBuiltTool(name, needed, signal)));
  return Promise.all(checks);
}

async function checkBuiltTool(name: string, needed: Need, signal: AbortSignal | undefined): Promise<Check> {
  const check = {name, group: 'programs', needed} as const;
  try {
    const found = await findTool(name, {signal});
    if (found) return {...check, state: 'ok', ...describe(found)};
    const spec = BUILT_TOOLS.find(tool => tool.name === name);
    const found_ = `${spec?.version} is ${spec?.download ? 'downloaded or built' : 'built'} at the first use`;
    const fix = needed === 'local target' ? 'pra doctor --install' : `pra doctor --install --for ${needed}`;
    return {...check, state: 'warning', found: found_, fix};
  } catch (error) {
    signal?.throwIfAborted();
    return {...check, state: 'missing', found: messageOf(error)};
  }
}

/** Go, which matters only as long as something is to be built. */
export async function checkGo(missing: readonly string[], signal?: AbortSignal): Promise<Check> {
  const check = {name: 'Go', group: 'programs', needed: 'local target'} as const;
  const specs = BUILT_TOOLS.filter(tool => missing.includes(tool.name));
  const wanted = specs.map(neededGo).reduce((a, b) => (isAtLeast(a, b) ? a : b), '1.24.0');
  const go = await findOnPath('go', {signal});
  const version = go && findVersion(await printedVersion(go.path, ['version'], signal));
  if (go && version && isAtLeast(version, wanted)) return {...check, state: 'ok', version, path: go.path};
  const found = version ? `${version} is older than ${wanted}` : 'not installed';
  if (specs.length === 0) return {...check, state: 'ok', found: `${found}; nothing is left to build`};
  return {...check, state: 'warning', found, fix: `install Go ${wanted} or later: https://go.dev/dl`};
}

/** What comes as Debian packages. */
export async function checkPackages(signal?: AbortSignal): Promise<Check[]> {
  const tools = [
    ...NODE_TOOLS.map(tool => checkSystemTool(tool, 'local target', signal)),
    ...TEST_PROGRAMS.map(tool => checkSystemTool(tool, 'tests', signal)),
  ];
  const cni = existsSync(join(CNI.folder, CNI.plugin));
  const check = {name: 'CNI plugins', group: 'packages', needed: 'local target'} as const;
  return [
    ...(await Promise.all(tools)),
    cni
      ? {...check, state: 'ok', path: CNI.folder}
      : {...check, state: 'missing', fix: installCommand([CNI.package])},
  ];
}

async function checkSystemTool(
  tool: SystemTool,
  needed: Need,
  signal: AbortSignal | undefined,
): Promise<Check> {
  const group = needed === 'always' ? 'pra' : 'packages';
  const check = {name: tool.name, group, needed} as const;
  const found = await findTool(tool.name, {signal}).catch(() => undefined);
  if (found) return {...check, state: 'ok', ...describe(found)};
  signal?.throwIfAborted();
  return {
    ...check,
    state: 'missing',
    ...(tool.lowest ? {found: `${tool.lowest} or later is needed`} : {}),
    fix: installCommand([tool.package]),
  };
}

const describe = ({version, path, from}: ResolvedTool) => ({
  ...(version === 'system' ? {} : {version}),
  path,
  from,
});
