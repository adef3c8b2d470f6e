import {packKey} from './pack.ts';
import type {Repository} from './repository.ts';
import {SnapshotIndex} from './snapshot-index.ts';
import type {SnapshotRoot} from './snapshot-root.ts';
import {treeKey} from './tree.ts';

/** Keys of all files of objects that snapshots need. Reads of each tree its directory alone. */
export async function reachableKeys(
  repository: Repository,
  roots: readonly Pick<SnapshotRoot, 'trees'>[],
  options: {signal?: AbortSignal | undefined} = {},
): Promise<Set<string>> {
  const keys = new Set<string>();
  const opened = new Set<string>();
  for (const root of roots) {
    // Trees are shared by many snapshots.
    const fresh = root.trees.filter(({name}) => !opened.has(name));
    if (fresh.length === 0) continue;
    for (const {name} of fresh) {
      opened.add(name);
      keys.add(treeKey(name));
    }
    const index = await SnapshotIndex.open(repository, {trees: fresh}, options.signal);
    for (const pack of index.packs()) keys.add(packKey(pack));
  }
  return keys;
}
