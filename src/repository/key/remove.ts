import {PraError} from '../../errors.ts';
import type {Store} from '../store.ts';
import {type KeyInfo, listKeys} from './list.ts';
import {type OpenKeyOptions, openDataKey} from './open.ts';
import {readSlots} from './read-slots.ts';
import {slotKey} from './slot.ts';

export interface Removal {
  removed: KeyInfo;
  left: KeyInfo[];
  /** Whether the secrets of this call open one of those that are left. */
  opensAfter: boolean;
}

/**
 * What the removal of a key slot would leave. Only who can open the repository is told.
 * @throws PraError REPOSITORY_KEY_NOT_FOUND, REPOSITORY_LAST_KEY, what opening the repository throws
 */
export async function planRemoval(store: Store, id: string, options: OpenKeyOptions): Promise<Removal> {
  const list = await listKeys(store, options);
  // Says why not, when it does not open.
  if (list.fingerprint === undefined || list.fingerprint !== (options.fingerprint ?? list.fingerprint))
    await openDataKey(store, list.repository, options);
  const removed = list.items.find(item => item.id === id);
  if (!removed) {
    throw new PraError('REPOSITORY_KEY_NOT_FOUND', `${store.url} has no key slot ${id}`, {
      next: ['pra repository key list'],
    });
  }
  const left = list.items.filter(item => item !== removed);
  if (!left.some(({state}) => state === 'good')) throw lastKey(id, left.length);
  return {removed, left, opensAfter: left.some(item => item.opens)};
}

/**
 * Removes a key slot. Two who remove each another's last one at the same time both find that, and put theirs back.
 * @throws PraError REPOSITORY_LAST_KEY, STORE_*
 */
export async function removeKey(
  store: Store,
  id: string,
  options: {signal?: AbortSignal | undefined},
): Promise<void> {
  const bytes = await store.get(slotKey(id), options);
  await store.delete(slotKey(id), options);
  const left = await readSlots(store, {});
  if (left.some(({state}) => state === 'good')) return;
  await store.put(slotKey(id), bytes, {ifAbsent: true});
  throw lastKey(id, left.length);
}

function lastKey(id: string, others: number): PraError {
  return new PraError('REPOSITORY_LAST_KEY', `${id} is the last key slot that can open the repository`, {
    why: others > 0 ? 'the others cannot be read, or are of a kind that this pra does not know' : undefined,
    next: ['pra repository key add --passphrase-file FILE', 'pra repository key add --recipient age1…'],
  });
}
