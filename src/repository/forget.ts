import type {Repository} from './repository.ts';
import {rootKey} from './snapshot-root.ts';

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
