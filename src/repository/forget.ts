import type {Repository} from './repository.ts';
import {decideRetention, type Retention, type RetentionDecision} from './retention.ts';
import {listRoots, rootKey, type SnapshotRoot} from './snapshot-root.ts';
import {readTags} from './tags.ts';

/**
 * Makes a snapshot cease to exist. What it held stays in the store until it is pruned.
 * @throws PraError STORE_DENIED when the credentials may not delete
 */
export async function forgetSnapshot(
  repository: Repository,
  id: string,
  options: {signal?: AbortSignal | undefined} = {},
): Promise<void> {
  await repository.store.delete(rootKey(id), options);
  for await (const {key} of repository.store.list(`tags/${id}/`, options))
    await repository.store.delete(key, options);
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
    for (const {root, reasons} of decisions)
      if (reasons.length === 0) await forgetSnapshot(repository, root.id, options);
  return decisions;
}
