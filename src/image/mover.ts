import {existsSync} from 'node:fs';
import {chmod, copyFile, mkdir, mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {cacheDir} from '../std/paths.ts';
import {MOVER_VERSION} from '../tool/catalogue.ts';
import {withFileLock} from '../tool/lock.ts';
import {type ResolveOptions, resolveTool} from '../tool/resolve.ts';
import {buildArchive} from './archive.ts';

/** Of the image that pra builds itself; no registry answers to the name. */
export const MOVER_IMAGE = `localhost/pra/mover:${MOVER_VERSION}`;

const BUILD_TIMEOUT_MS = 45 * 60_000;
/** Authorities that this machine trusts, for buckets behind public certificates. */
const AUTHORITIES = '/etc/ssl/certs/ca-certificates.crt';

/**
 * The image of movers as a docker-archive file in the cache, built once and without Docker: restic, what starts it, and
 * nothing else. It is the image that terraform/local/binaries/mover/Dockerfile makes.
 * @throws PraError TOOL_MISSING, TOOL_BUILD_FAILED
 */
export async function moverImage(options: ResolveOptions & {signal: AbortSignal}): Promise<string> {
  const out = join(cacheDir(), 'images', `mover-${MOVER_VERSION}.tar`);
  if (existsSync(out)) return out;
  const wait = {
    waitingFor: 'another process that builds the image of movers',
    timeoutMs: BUILD_TIMEOUT_MS,
    signal: options.signal,
  };
  await withFileLock(`${out}.lock`, wait, async () => {
    if (existsSync(out)) return;
    const root = await mkdtemp(join(tmpdir(), 'pra-image-'));
    try {
      await fill(root, options);
      const config = {entrypoint: ['/pra-mover'], cmd: ['wait', '10m'], env: ['PATH=/'], user: '65532:65532'};
      await buildArchive({name: MOVER_IMAGE, root, config}, out, options.signal);
    } finally {
      await rm(root, {recursive: true, force: true});
    }
  });
  return out;
}

async function fill(root: string, options: ResolveOptions): Promise<void> {
  for (const [tool, name] of [
    ['pra-mover', 'pra-mover'],
    ['mover-restic', 'restic'],
  ] as const) {
    const {path} = await resolveTool(tool, options);
    await copyFile(path, join(root, name));
    await chmod(join(root, name), 0o755);
  }
  for (const folder of ['tmp', 'pra', 'proc', 'sys', 'dev', 'etc/ssl/certs'])
    await mkdir(join(root, folder), {recursive: true});
  await chmod(join(root, 'tmp'), 0o1777);
  await chmod(root, 0o755);
  if (existsSync(AUTHORITIES)) await copyFile(AUTHORITIES, join(root, 'etc/ssl/certs/ca-certificates.crt'));
}
