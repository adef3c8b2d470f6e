import {readIndex} from '../repository/object-set.ts';
import type {Repository} from '../repository/repository.ts';
import type {SnapshotRoot} from '../repository/snapshot-root.ts';
import {groupKind} from './exclude.ts';

export interface KindCount {
  /** As kubectl writes it: `Deployment.apps`. */
  kind: string;
  /** Empty for cluster-scoped kinds. */
  namespace: string;
  objects: number;
}

export interface SnapshotContents {
  root: SnapshotRoot;
  kinds: KindCount[];
  objects: number;
}

/**
 * What a snapshot holds by kind and namespace, read from its index alone: no object is read.
 * @throws PraError REPOSITORY_CORRUPT, STORE_*.
 */
export async function showSnapshot(
  repository: Repository,
  root: SnapshotRoot,
  options: {signal?: AbortSignal | undefined} = {},
): Promise<SnapshotContents> {
  const shards = await readIndex(repository, root, options);
  const kinds = shards
    .map(({type, namespace, objects}) => ({kind: groupKind(type), namespace, objects}))
    .sort((a, b) => a.namespace.localeCompare(b.namespace) || a.kind.localeCompare(b.kind));
  return {root, kinds, objects: kinds.reduce((sum, {objects}) => sum + objects, 0)};
}
