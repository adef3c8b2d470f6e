import {Lock} from './lock.ts';
import type {Repository} from './repository.ts';
import {decideRetention, type Retention, type RetentionDecision} from './retention.ts';
import {listRoots, rootKey, type SnapshotRoot} from './snapshot-root.ts';
import {readTags} from './tags.ts';

/**
 * Makes a snapshot cease to exist. What it held stays in the store until it is pruned.
 * @throws PraError REPOSITORY_LOCKED while somebody prunes, STORE_DENIED when the credentials may not delete
 */
export async function forgetSnapshot(
  repository: Repository,
  id: string,
  options: {signal?: AbortSignal | undefined} = {},
): Promise<void> {
  await forgetSnapshots(repository, [id], options);
}

/**
 * As `forgetSnapshot`, of several. Nobody prunes meanwhile: pruning relies on it that a snapshot which it saw stays until it
 * has looked again.
 * @throws PraError REPOSITORY_LOCKED, STORE_DENIED
 */
export async function forgetSnapshots(
  repository: Repository,
  ids: readonly string[],
  options: {signal?: AbortSignal | undefined} = {},
): Promise<void> {
  if (ids.length === 0) return;
  const lock = await Lock.take(repository, 'prune', {run: 'forget', signal: options.signal});
  try {
    for (const id of ids) {
      await repository.store.delete(rootKey(id), options);
      for await (const {key} of repository.store.list(`tags/${id}/`, options))
        await repository.store.delete(key, options);
    }
  } finally {
    await lock.release();
  }
}

/**
 * Forgets what the rules do not keep.
 * @returns what was decided of each snapshot, also with `dryRun`
 */
export async function forgetByRetention(
  repository: Repository,
  retention: Retention,
  options: {plan?: string | undefined; dryRun: boolean; signal?: AbortSignal | undefined},
): Promise<RetentionDecision<SnapshotRoot>[]> {
  const roots = await listRoots(repository, options);
  const tags = await readTags(repository, options);
  const decisions = decideRetention(roots, retention, {
    now: new Date(),
    tagsOf: root => tags.get(root.id) ?? [],
  });
  if (!options.dryRun)
    await forgetSnapshots(
      repository,
      decisions.filter(({reasons}) => reasons.length === 0).map(({root}) => root.id),
      options,
    );
  return decisions;
}
