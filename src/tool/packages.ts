import {existsSync} from 'node:fs';
import {readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {PraError} from '../errors.ts';
import {runProcess} from '../std/process.ts';
import {CNI, NODE_TOOLS, RESTIC, type SystemTool, TEST_PROGRAMS} from './catalogue.ts';
import type {Need} from './check.ts';
import {findOnPath} from './find-on-path.ts';
import {withFileLock} from './lock.ts';
import type {ResolveOptions} from './resolve.ts';

const UPDATE_TIMEOUT_MS = 5 * 60_000;
const INSTALL_TIMEOUT_MS = 15 * 60_000;
const LOCK = '/run/pra/packages.lock';

/** The command that installs Debian packages, to paste. */
export const installCommand = (packages: readonly string[]) =>
  `apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ${packages.join(' ')}`;

/** The Debian packages that are not there, each once. */
export async function missingPackages(
  options: ResolveOptions & {for: Exclude<Need, 'always'>},
): Promise<string[]> {
  const missing = new Set<string>();
  for (const tool of [RESTIC, ...NODE_TOOLS, ...(options.for === 'tests' ? TEST_PROGRAMS : [])]) {
    const system: SystemTool = tool;
    if (!(await findOnPath(tool.name, {system, signal: options.signal}))) missing.add(tool.package);
  }
  if (!existsSync(join(CNI.folder, CNI.plugin))) missing.add(CNI.package);
  return [...missing];
}

/**
 * Installs Debian packages with apt-get.
 * @throws PraError TOOL_MISSING with the exact command when this is not Debian or Ubuntu or not root, or when apt fails.
 */
export async function installPackages(
  packages: readonly string[],
  options: ResolveOptions = {},
): Promise<void> {
  if (packages.length === 0) return;
  const names = packages.join(' ');
  if (process.getuid?.() !== 0 || !(await isDebian())) {
    throw new PraError('TOOL_MISSING', `not installed: ${names}`, {
      why: (await isDebian())
        ? 'installing packages needs root'
        : 'pra installs packages by itself only on Debian and Ubuntu',
      next: [
        (await isDebian())
          ? installCommand(packages)
          : `install what Debian calls: ${names} (with the CNI plugins in ${CNI.folder})`,
      ],
    });
  }
  const wait = {
    waitingFor: 'another process that is installing packages',
    timeoutMs: INSTALL_TIMEOUT_MS,
    signal: options.signal,
    onWait: () => options.onProgress?.('waiting for another process that is installing packages'),
  };
  await withFileLock(LOCK, wait, () => aptInstall(packages, options));
}

async function aptInstall(packages: readonly string[], options: ResolveOptions): Promise<void> {
  const env = {DEBIAN_FRONTEND: 'noninteractive'};
  const {signal} = options;
  // Another apt (unattended upgrades) may hold dpkg's lock; it is waited for rather than failed on.
  const apt = (args: string[], timeoutMs: number) =>
    runProcess('apt-get', ['-o', 'DPkg::Lock::Timeout=300', ...args], {env, signal, timeoutMs});
  try {
    options.onProgress?.('apt-get update');
    await apt(['update', '-qq'], UPDATE_TIMEOUT_MS);
    options.onProgress?.(`apt-get install ${packages.join(' ')}`);
    await apt(['install', '-y', '-qq', '--no-install-recommends', ...packages], INSTALL_TIMEOUT_MS);
  } catch (error) {
    if (!(error instanceof PraError) || error.code === 'INTERRUPTED') throw error;
    throw new PraError('TOOL_MISSING', `apt-get could not install ${packages.join(' ')}`, {
      why: error.why ?? error.message,
      next: [installCommand(packages)],
      cause: error,
    });
  }
}

async function isDebian(): Promise<boolean> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '');
  return /^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(text);
}
