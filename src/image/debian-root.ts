import {mkdir, mkdtemp, readdir, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {PraError} from '../errors.ts';
import {runProcess} from '../std/process.ts';

const APT_TIMEOUT_MS = 10 * 60_000;

export interface DebianRootOptions {
  packages: readonly string[];
  /** Packages of the closure that are left out, by the start of their names. */
  leaveOut: readonly string[];
  /** Folder that is filled. */
  root: string;
  signal: AbortSignal;
  onProgress?: ((message: string) => void) | undefined;
}

/** What nobody reads in a container. */
const SLIM = [
  'usr/share/doc',
  'usr/share/man',
  'usr/share/locale',
  'usr/share/info',
  'usr/share/lintian',
  'usr/share/bug',
  'var/cache',
  'var/lib/apt',
];

/**
 * Unpacks Debian packages with all that they depend on into a folder: a root file system without a base system, made from
 * the machine's own package sources. The machine's packages and its apt state are not touched.
 * @throws PraError TOOL_MISSING without apt, PROCESS_FAILED with apt's words.
 */
export async function makeDebianRoot(options: DebianRootOptions): Promise<void> {
  const {packages, root, signal} = options;
  const work = await mkdtemp(join(tmpdir(), 'pra-debs-'));
  try {
    await mkdir(join(work, 'partial'), {recursive: true});
    await writeFile(join(work, 'status'), '');
    options.onProgress?.(`downloading ${packages.join(', ')} and what they need`);
    await runProcess(
      'apt-get',
      [
        // Nothing counts as installed, so the whole closure is downloaded.
        ...['-o', `Dir::State::status=${join(work, 'status')}`],
        ...['-o', `Dir::Cache::archives=${work}`],
        ...['-o', 'Debug::NoLocking=1', '-o', 'APT::Sandbox::User=root', '-qq'],
        ...['--no-install-recommends', '--download-only', '-y', 'install', ...packages],
      ],
      {signal, timeoutMs: APT_TIMEOUT_MS, env: {DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C'}},
    );
    const files = (await readdir(work)).filter(name => name.endsWith('.deb'));
    const wanted = files.filter(name => !options.leaveOut.some(prefix => name.startsWith(prefix)));
    if (wanted.length === 0)
      throw new PraError('TOOL_MISSING', `apt found no package for ${packages.join(', ')}`, {
        next: ['apt-get update'],
      });
    options.onProgress?.(`unpacking ${wanted.length} packages`);
    await mkdir(root, {recursive: true});
    for (const name of wanted.sort()) await runProcess('dpkg-deb', ['-x', join(work, name), root], {signal});
    for (const folder of SLIM) await rm(join(root, folder), {recursive: true, force: true});
  } finally {
    await rm(work, {recursive: true, force: true});
  }
}

/** Copies one file of the project into the root, executable. */
export async function addExecutable(root: string, path: string, text: string): Promise<void> {
  const file = join(root, path);
  await mkdir(join(file, '..'), {recursive: true});
  await writeFile(file, text, {mode: 0o755});
}
