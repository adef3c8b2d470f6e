import {comparePaths, type ManifestEntry, nameOf, shown} from './manifest.ts';
import type {StoredNode} from './restic.ts';

const MAX_SHOWN = 5;
/** What restic shows instead of a sign that is not UTF-8. */
const NOT_UTF8 = '\ufffd';

export interface NotSaved {
  count: number;
  /** The first names. */
  shown: string[];
}

/**
 * Looks for files that were there all the time and are not in what restic saved: of a volume in use, a folder may be given
 * another name after restic has listed the one above it, and before it has read it. Names that are not UTF-8 cannot be
 * compared with what restic shows of them: a volume that has one is not looked through.
 * @param manifest the list that was taken after restic was done, in the order of a walk
 * @param saved what restic has, in the same order, below `root`
 */
export async function findNotSaved(
  manifest: AsyncIterable<ManifestEntry>,
  saved: AsyncIterable<StoredNode>,
  root: string,
): Promise<NotSaved> {
  const result: NotSaved = {count: 0, shown: []};
  const nodes = saved[Symbol.asyncIterator]();
  const next = async (): Promise<Named | undefined> => {
    for (;;) {
      const {value, done} = await nodes.next();
      if (done) return undefined;
      const found = namedBelow(root, value);
      if (found) return found;
    }
  };
  try {
    let node = await next();
    for await (const entry of manifest) {
      const name = nameOf(entry);
      while (node && comparePaths(node.bytes, name) < 0) node = await next();
      if (entry.path64 !== undefined || node?.name.includes(NOT_UTF8)) return {count: 0, shown: []};
      if (entry.unstable || (node?.bytes === name && isSame(entry, node.node))) continue;
      result.count += 1;
      if (result.shown.length < MAX_SHOWN) result.shown.push(shown(entry));
    }
    return result;
  } finally {
    // restic would wait for its reader.
    await nodes.return?.();
  }
}

interface Named {
  name: string;
  /** The name, each byte a character. */
  bytes: string;
  node: StoredNode;
}

function namedBelow(root: string, node: StoredNode): Named | undefined {
  if (node.path !== root && !node.path.startsWith(`${root}/`)) return undefined;
  const name = node.path.slice(root.length + 1) || '.';
  return {name, bytes: nameOf({path: name}), node};
}

const isSame = (entry: ManifestEntry, node: StoredNode) =>
  entry.type === 'file'
    ? node.type === 'file' && (entry.size ?? 0) === (node.size ?? 0)
    : node.type !== 'file';
