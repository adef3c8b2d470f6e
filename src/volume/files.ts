import {chmod, lstat, mkdir, mkdtemp, rename, rm} from 'node:fs/promises';
import {basename, dirname, join, resolve} from 'node:path';
import {PraError} from '../errors.ts';
import {type ClaimRecord, type SnapshotRoot, volumeName} from '../repository/snapshot-root.ts';
import type {Restic, StoredNode} from './restic.ts';

/** A file or folder of a saved volume, its path from the root of the volume. */
export interface VolumeFile {
  path: string;
  type: string;
  size: number;
  /** `0644` */
  mode: string;
  uid: number;
  gid: number;
  modified: string;
}

const PERMISSIONS = 0o777;
/** Of Go's file modes, as restic keeps them. */
const GO_SETUID = 1 << 23;
const GO_SETGID = 1 << 22;
const GO_STICKY = 1 << 20;

/** Volumes of a snapshot of which single files can be had. */
export const volumesWithFiles = ({volumes}: SnapshotRoot): ClaimRecord[] =>
  volumes.filter(record => record.method !== 'dump');

/**
 * The volume of a claim, `name` or `namespace/name`.
 * @throws PraError OBJECT_NOT_FOUND, USAGE when the name alone fits several
 */
export function findVolume(root: SnapshotRoot, claim: string): ClaimRecord {
  const [name = '', namespace] = claim.split('/').reverse();
  const fits = volumesWithFiles(root).filter(
    record => record.pvcs[0] === name && (namespace === undefined || record.namespace === namespace),
  );
  const [only, other] = fits;
  if (only && !other) return only;
  if (other)
    throw new PraError('USAGE', `snapshot ${root.id} has several claims ${name}`, {
      next: fits.map(({namespace: of}) => `${of}/${name}`),
    });
  const dumped = root.volumes.find(record => record.method === 'dump' && record.pvcs.includes(name));
  throw new PraError('OBJECT_NOT_FOUND', `snapshot ${root.id} holds no files of a claim ${claim}`, {
    why: dumped ? `it was saved as a dump of ${volumeName(dumped)}, which has no files` : undefined,
    next: [`pra snapshot files ${root.id}`],
  });
}

/** A path inside a volume as people write it: `/a/b`, `a/b`, `.`. @throws PraError USAGE for one that leads out of it */
export function pathInVolume(path: string): string {
  const parts = path.split('/').filter(part => part !== '' && part !== '.');
  if (parts.includes('..'))
    throw new PraError('USAGE', `${path} leads out of the volume`, {
      next: ['begin at the root of the volume: /folder/file'],
    });
  return parts.length === 0 ? '' : `/${parts.join('/')}`;
}

/**
 * What is in a folder of a saved volume, or one file; with `recursive` all below it.
 * @throws PraError OBJECT_NOT_FOUND, RESTIC_FAILED
 */
export async function listFiles(
  restic: Restic,
  record: ClaimRecord,
  {path, recursive}: {path: string; recursive: boolean},
): Promise<VolumeFile[]> {
  const at = pathInVolume(path);
  const nodes = await restic.list(
    record.resticSnapshot,
    ...(recursive || at === '' ? [] : [`${record.path}${at}`]),
  );
  const top = `${record.path}${at}`;
  const found = nodes.filter(node => {
    if (node.path !== top && !node.path.startsWith(`${top}/`)) return false;
    return recursive || node.path === top || dirname(node.path) === top;
  });
  const self = found.find(node => node.path === top);
  if (!self)
    throw new PraError('OBJECT_NOT_FOUND', `the volume of ${record.pvcs[0]} has no ${at === '' ? '/' : at}`, {
      next: ['see what there is: pra snapshot files latest CLAIM --recursive'],
    });
  const shown = self.type === 'dir' ? found.filter(node => node !== self) : [self];
  return shown.map(node => fileOf(node, record.path));
}

function fileOf(
  {path, type, size = 0, mode = 0, uid = 0, gid = 0, mtime = ''}: StoredNode,
  root: string,
): VolumeFile {
  const bits =
    (mode & PERMISSIONS) |
    (mode & GO_SETUID ? 0o4000 : 0) |
    (mode & GO_SETGID ? 0o2000 : 0) |
    (mode & GO_STICKY ? 0o1000 : 0);
  return {
    path: path.slice(root.length) || '/',
    type,
    size,
    mode: bits.toString(8).padStart(4, '0'),
    uid,
    gid,
    modified: mtime,
  };
}

/**
 * Writes one file or folder of a saved volume into a folder of this machine. Nothing that is there is touched: it comes
 * beside it first, and gets its name when it is whole.
 * @returns where it is
 * @throws PraError USAGE when something of that name is there, OBJECT_NOT_FOUND, RESTIC_FAILED, DISK_FULL
 */
export async function extractFiles(
  restic: Restic,
  record: ClaimRecord,
  {path, to}: {path: string; to: string},
): Promise<string> {
  const at = pathInVolume(path);
  const folder = resolve(to);
  const place = join(folder, at === '' ? (record.pvcs[0] ?? 'volume') : basename(at));
  if (await lstat(place).catch(() => undefined))
    throw new PraError('USAGE', `${place} is there already`, {next: ['name another folder with --to']});
  await mkdir(folder, {recursive: true, mode: 0o700});
  const work = await mkdtemp(join(folder, '.pra-files-'));
  try {
    await restic.extract({snapshotId: record.resticSnapshot, path: `${record.path}${at}`, target: work});
    const found = join(work, ...record.path.split('/'), ...at.split('/'));
    if (!(await lstat(found).catch(() => undefined)))
      throw new PraError(
        'OBJECT_NOT_FOUND',
        `the volume of ${record.pvcs[0]} has no ${at === '' ? '/' : at}`,
        {
          next: ['see what there is: pra snapshot files latest CLAIM --recursive'],
        },
      );
    // Folders came with their modes, which may keep their owner from taking anything out of them.
    await openUp(work, [...record.path.split('/'), ...at.split('/')].slice(0, -1));
    await rename(found, place);
    return place;
  } finally {
    await rm(work, {recursive: true, force: true});
  }
}

async function openUp(top: string, parts: readonly string[]): Promise<void> {
  let folder = top;
  for (const part of parts) {
    folder = join(folder, part);
    await chmod(folder, 0o700);
  }
}
