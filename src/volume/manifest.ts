import type {Readable} from 'node:stream';
import {StringDecoder} from 'node:string_decoder';
import {z} from 'zod';
import {PraError} from '../errors.ts';

/** One line of what /pra-mover manifest writes. */
const entrySchema = z.object({
  path: z.string().optional(),
  path64: z.string().optional(),
  type: z.string(),
  mode: z.string(),
  uid: z.int(),
  gid: z.int(),
  size: z.int().optional(),
  mtime: z.string().optional(),
  sha256: z.string().optional(),
  target: z.string().optional(),
  rdev: z.int().optional(),
  linkTo: z.string().optional(),
  xattrs: z.record(z.string(), z.string()).optional(),
  unstable: z.boolean().optional(),
});
export type ManifestEntry = z.infer<typeof entrySchema>;

export interface ManifestCount {
  entries: number;
  files: number;
  bytes: number;
  /** What changed while it was saved, so that nobody can say what it must be. */
  unstable: number;
}

export interface Comparison {
  expected: ManifestCount;
  found: ManifestCount;
  /** Sentences, the first ones. */
  differences: string[];
  differing: number;
  /** Entries that changed while they were saved and did not come back, or came back though they went meanwhile. */
  tolerated: number;
}

export interface CompareOptions {
  /** Owners of entries that cannot be set by who restores: the root of a volume, for a user. */
  ownRoot: boolean;
}

const MAX_DIFFERENCES = 10;
/** A name and its extended attributes take no more. */
const MAX_LINE_CHARS = 1 << 20;
/** The kernel's own labels of a file, which belong to the policy of the node. */
const NODE_XATTRS = /^(security\.selinux|security\.ima|security\.evm|trusted\.)/;

/**
 * Reads a manifest line by line, so that one of millions of files needs no memory.
 * @throws PraError VOLUME_RESTORE_FAILED for what is none; what its source is destroyed with, also when that breaks off
 */
export async function* readManifest(stream: Readable): AsyncGenerator<ManifestEntry> {
  let rest = '';
  const decoder = new StringDecoder('utf8');
  for await (const chunk of stream) {
    const lines = (rest + decoder.write(chunk)).split('\n');
    rest = lines.pop() ?? '';
    // It comes from a cluster, which may send a line without end.
    if (rest.length > MAX_LINE_CHARS) throw unreadable();
    for (const line of lines) yield parseEntry(line);
  }
  if (rest !== '') throw unreadable();
}

function parseEntry(line: string): ManifestEntry {
  try {
    return entrySchema.parse(JSON.parse(line));
  } catch (error) {
    throw unreadable(error);
  }
}

const unreadable = (cause?: unknown) =>
  new PraError('VOLUME_RESTORE_FAILED', 'the manifest of a volume cannot be read', {cause});

/** The name, each byte a character: what manifests are ordered by, folder by folder. */
export const nameOf = ({path, path64}: Pick<ManifestEntry, 'path' | 'path64'>): string =>
  Buffer.from(path ?? path64 ?? '', path === undefined ? 'base64' : 'utf8').toString('latin1');

/** How a person reads the name; nothing of a hostile name reaches a terminal. */
export const shown = (entry: ManifestEntry) =>
  JSON.stringify(Buffer.from(nameOf(entry), 'latin1').toString('utf8')).slice(0, 200);

/**
 * Compares what was saved with what came back, both in the order in which trees are walked. Entries that changed while they
 * were saved count as equal in content.
 */
export async function compareManifests(
  saved: AsyncIterable<ManifestEntry>,
  restored: AsyncIterable<ManifestEntry>,
  options: CompareOptions,
): Promise<Comparison> {
  const result: Comparison = {
    expected: emptyCount(),
    found: emptyCount(),
    differences: [],
    differing: 0,
    tolerated: 0,
  };
  const differ = (text: string) => {
    result.differing += 1;
    if (result.differences.length < MAX_DIFFERENCES) result.differences.push(text);
  };
  const [left, right] = [saved[Symbol.asyncIterator](), restored[Symbol.asyncIterator]()];
  const tolerance = new Tolerance();
  try {
    let [a, b] = [await nextOf(left, result.expected), await nextOf(right, result.found)];
    while (a || b) {
      const order = a && b ? comparePaths(nameOf(a), nameOf(b)) : a ? -1 : 1;
      if (a && order < 0) {
        if (a.unstable) result.tolerated += 1;
        else differ(`${shown(a)} is missing`);
        a = await nextOf(left, result.expected);
      } else if (b && order > 0) {
        if (tolerance.added(b)) result.tolerated += 1;
        else differ(`${shown(b)} was not in the volume`);
        b = await nextOf(right, result.found);
      } else if (a && b) {
        tolerance.note(a);
        const fields = differingFields(a, b, options);
        if (fields.length > 0) differ(`${shown(a)} has another ${fields.join(', ')}`);
        [a, b] = [await nextOf(left, result.expected), await nextOf(right, result.found)];
      }
    }
    return result;
  } finally {
    // Whoever sends one of them would wait for its reader.
    await Promise.all([left.return?.(), right.return?.()]);
  }
}

/** What may come back of a volume that was in use: entries of a folder that changed since, and all below them. */
class Tolerance {
  readonly #changed = new Set<string>();

  note(entry: ManifestEntry): void {
    if (entry.unstable && entry.type === 'dir') this.#changed.add(nameOf(entry));
  }

  added(entry: ManifestEntry): boolean {
    const isTolerated = this.#changed.has(folderOf(nameOf(entry)));
    if (isTolerated && entry.type === 'dir') this.#changed.add(nameOf(entry));
    return isTolerated;
  }
}

async function nextOf(
  entries: AsyncIterator<ManifestEntry>,
  count: ManifestCount,
): Promise<ManifestEntry | undefined> {
  const {value, done} = await entries.next();
  if (done) return undefined;
  const entry: ManifestEntry = value;
  countEntry(count, entry);
  return entry;
}

export const emptyCount = (): ManifestCount => ({entries: 0, files: 0, bytes: 0, unstable: 0});

export function countEntry(count: ManifestCount, {type, size = 0, unstable, linkTo}: ManifestEntry): void {
  count.entries += 1;
  if (unstable) count.unstable += 1;
  if (type !== 'file') return;
  count.files += 1;
  if (linkTo === undefined) count.bytes += size;
}

/** The agent says how many entries it has listed, so that none is lost on the way. @throws PraError EXEC_FAILED */
export function requireListed({entries}: ManifestCount, stderr: string): void {
  const listed = /listed (\d+) entries/.exec(stderr)?.[1];
  if (listed === String(entries)) return;
  throw new PraError('EXEC_FAILED', 'the list of files did not come whole', {
    why: `${entries} of ${listed ?? 'an unknown number of'} entries came`,
  });
}

const folderOf = (path: string) => {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '.' : path.slice(0, slash);
};

/** The order of a walk: part by part, the root first, and each part by its bytes. */
export function comparePaths(a: string, b: string): number {
  if (a === b) return 0;
  if (a === '.') return -1;
  if (b === '.') return 1;
  const [left, right] = [a.split('/'), b.split('/')];
  for (let i = 0; i < Math.min(left.length, right.length); i += 1) {
    const [one = '', other = ''] = [left[i], right[i]];
    if (one !== other) return one < other ? -1 : 1;
  }
  return left.length - right.length;
}

function differingFields(a: ManifestEntry, b: ManifestEntry, {ownRoot}: CompareOptions): string[] {
  const isRoot = nameOf(a) === '.';
  if (isRoot && !ownRoot) return a.type === b.type ? [] : ['type'];
  const fields: string[] = [];
  const check = (name: string, same: boolean) => {
    if (!same) fields.push(name);
  };
  check('type', a.type === b.type);
  if (a.unstable) return fields;
  check('mode', a.mode === b.mode);
  check('owner', a.uid === b.uid && a.gid === b.gid);
  check('size', a.size === b.size);
  check('content', a.sha256 === b.sha256);
  check('target', a.target === b.target && a.rdev === b.rdev);
  check('time', a.mtime === b.mtime);
  check('link', a.linkTo === b.linkTo);
  check('extended attributes', xattrsOf(a) === xattrsOf(b));
  return fields;
}

const xattrsOf = ({xattrs = {}}: ManifestEntry) =>
  JSON.stringify(
    Object.entries(xattrs)
      .filter(([name]) => !NODE_XATTRS.test(name))
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
