import {createHash} from 'node:crypto';
import {mkdir, mkdtemp, readdir, rename, rm, utimes, writeFile} from 'node:fs/promises';
import {basename, dirname, join, resolve} from 'node:path';
import {PraError, systemCodeOf} from '../errors.ts';
import {type ObjectFilter, readObjects, type StoredObject} from '../repository/object-set.ts';
import type {Repository} from '../repository/repository.ts';
import type {SnapshotRoot} from '../repository/snapshot-root.ts';
import {canonicalJson, sha256} from '../std/json.ts';
import {runProcess} from '../std/process.ts';
import {groupKind} from './exclude.ts';
import {redactSecret} from './redact.ts';
import {toYaml} from './yaml.ts';

export interface ExportOptions {
  repository: Repository;
  root: SnapshotRoot;
  /** A folder that is empty or not there, or a file that ends with .tar or .tar.gz and is not there. */
  to: string;
  /** What becomes of the values of Secrets. */
  secrets: 'include' | 'redact' | 'omit';
  filter?: ObjectFilter | undefined;
  signal: AbortSignal;
  onProgress?: ((objects: number) => void) | undefined;
}

export interface ExportResult {
  to: string;
  objects: number;
  /** Secrets that were left out. */
  omitted: number;
}

/**
 * Writes the objects of a snapshot as YAML that a person reads without pra: one file each, by namespace and kind. Written
 * beside its place and put there whole.
 * @throws PraError USAGE when there is something at the place already; REPOSITORY_CORRUPT; DISK_FULL
 */
export async function exportSnapshot(options: ExportOptions): Promise<ExportResult> {
  const to = resolve(options.to);
  const archive = /\.tar(\.gz)?$/.exec(to);
  await checkFree(to, archive !== null);
  await mkdir(dirname(to), {recursive: true});
  const work = await mkdtemp(join(dirname(to), `.${basename(to)}-`));
  try {
    const folder = join(work, `snapshot-${options.root.id}`);
    await mkdir(folder, {mode: 0o700});
    const result = await writeFiles(options, folder);
    if (!archive) {
      // An empty folder gives way; one that has something by now does not.
      await rename(folder, to);
    } else {
      const file = join(work, 'archive');
      await runProcess(
        'tar',
        [
          ...TAR,
          `--mtime=${options.root.createdAt}`,
          ...(archive[1] ? ['-z'] : []),
          '-C',
          work,
          '-cf',
          file,
          basename(folder),
        ],
        {
          signal: options.signal,
        },
      );
      await rename(file, to);
    }
    return {...result, to};
  } catch (error) {
    if (systemCodeOf(error) === 'ENOSPC')
      throw new PraError('DISK_FULL', `the disk of ${dirname(to)} is full`, {cause: error});
    throw error;
  } finally {
    await rm(work, {recursive: true, force: true});
  }
}

/** Same snapshot, same archive. */
const TAR = [
  '--sort=name',
  '--owner=0',
  '--group=0',
  '--numeric-owner',
  '--format=posix',
  '--pax-option=delete=atime,delete=ctime',
];

async function checkFree(to: string, isFile: boolean): Promise<void> {
  const there = await readdir(to).catch((error: unknown) => {
    if (systemCodeOf(error) === 'ENOENT') return undefined;
    if (systemCodeOf(error) === 'ENOTDIR') return ['file'];
    throw error;
  });
  if (there === undefined || (!isFile && there.length === 0)) return;
  throw new PraError('USAGE', `${to} is there already`, {
    next: ['give a folder that is empty, or a new name'],
  });
}

async function writeFiles(options: ExportOptions, folder: string): Promise<Omit<ExportResult, 'to'>> {
  const {repository, root, filter, signal, onProgress} = options;
  const used = new Set<string>();
  const index: {path: string; digest: string}[] = [];
  const stamp = new Date(root.createdAt);
  let omitted = 0;
  for await (const stored of readObjects(repository, root, {...filter, signal})) {
    if (stored.object.kind === 'Secret' && stored.object.apiVersion === 'v1' && options.secrets === 'omit') {
      omitted += 1;
      continue;
    }
    const path = uniquePath(pathOf(stored), used);
    const object = options.secrets === 'include' ? stored.object : redactSecret(stored.object);
    await writeNew(join(folder, path), toYaml(object), stamp);
    index.push({path, digest: sha256(canonicalJson(stored.object))});
    if (index.length % 1000 === 0) onProgress?.(index.length);
  }
  const {id, createdAt, source} = root;
  const document = {
    apiVersion: 'pra/v1',
    kind: 'SnapshotExport',
    id,
    createdAt,
    source,
    secrets: options.secrets,
    files: index,
  };
  await writeNew(join(folder, 'index.json'), `${JSON.stringify(document, undefined, 1)}\n`, stamp);
  await writeNew(join(folder, 'README.txt'), readme(options, index.length, omitted), stamp);
  return {objects: index.length, omitted};
}

async function writeNew(file: string, text: string, stamp: Date): Promise<void> {
  await mkdir(dirname(file), {recursive: true, mode: 0o700});
  await writeFile(file, text, {mode: 0o600, flag: 'wx'});
  await utimes(file, stamp, stamp);
}

const pathOf = ({type, object}: StoredObject) =>
  [object.metadata.namespace ?? '_cluster', groupKind(type), object.metadata.name].map(safeName).join('/');

/** Names come from a repository, so they may be anything. What is no plain character is written as %xx. */
function safeName(name: string): string {
  const safe = [...Buffer.from(name)]
    .map((byte, i) => {
      const char = String.fromCharCode(byte);
      return /[A-Za-z0-9_-]/.test(char) || (char === '.' && i > 0)
        ? char
        : `%${byte.toString(16).padStart(2, '0')}`;
    })
    .join('');
  if (safe.length <= 200 && safe !== '') return safe;
  return `${safe.slice(0, 150)}~${createHash('sha256').update(name).digest('hex').slice(0, 16)}`;
}

/** Two names that differ only in case are one on some file systems. */
function uniquePath(path: string, used: Set<string>): string {
  for (let i = 1; ; i += 1) {
    const candidate = i === 1 ? `${path}.yaml` : `${path}~${i}.yaml`;
    if (used.has(candidate.toLowerCase())) continue;
    used.add(candidate.toLowerCase());
    return candidate;
  }
}

function readme({root, secrets}: ExportOptions, objects: number, omitted: number): string {
  const notes = {
    include: 'Values of Secrets are in it: keep it as you keep them.',
    redact: 'Values of Secrets are not in it; their places say how long they were.',
    omit: `${omitted} Secrets were left out.`,
  };
  return `Objects of snapshot ${root.id}, taken ${root.createdAt} of ${root.source.context} (Kubernetes ${root.source.version}).
${objects} objects, one file each: NAMESPACE/KIND/NAME.yaml, and _cluster for those that have no namespace.
${notes[secrets]}
index.json has the SHA-256 of the canonical JSON of each object as it was captured.

To bring them back by hand, without pra, in this order, and read what kubectl says after each:

  kubectl apply -f _cluster/CustomResourceDefinition.apiextensions.k8s.io/   (then wait until they are established)
  kubectl apply -R -f _cluster/
  kubectl apply -R -f NAMESPACE/ServiceAccount/ and ConfigMap/ Secret/ PersistentVolumeClaim/ of each namespace
  kubectl apply -R -f NAMESPACE/

The data of volumes is not in it.
`;
}
