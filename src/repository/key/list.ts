import {PraError} from '../../errors.ts';
import {fingerprintOf} from '../key.ts';
import {readRepositoryFile} from '../repository.ts';
import type {Store} from '../store.ts';
import {type OpenKeyOptions, pairsOf} from './open.ts';
import {readSlots, type SlotFile} from './read-slots.ts';
import {wrappersOf} from './secrets.ts';
import {openSlot} from './wrapper.ts';

export interface KeyInfo {
  id: string;
  /** Absent when the file cannot be read. */
  kind?: string | undefined;
  createdAt?: string | undefined;
  label?: string | undefined;
  recipient?: string | undefined;
  state: SlotFile['state'];
  /** Whether a secret of this call opens it; absent when none was for its kind. */
  opens?: boolean | undefined;
}

export interface KeyList {
  repository: string;
  items: KeyInfo[];
  /** Of the data key, when a secret of this call opens a slot. */
  fingerprint?: string | undefined;
}

/**
 * The key slots of a repository. It needs no secret; with some, it tries each slot that they are for.
 * @throws PraError REPOSITORY_ABSENT, REPOSITORY_FORMAT, REPOSITORY_CORRUPT, STORE_*
 */
export async function listKeys(store: Store, options: OpenKeyOptions): Promise<KeyList> {
  const {signal} = options;
  const {id: repositoryId} = await readRepositoryFile(store, signal);
  const files = await readSlots(store, {signal});
  const opens = new Map<string, boolean>();
  let fingerprint: string | undefined;
  for (const {wrapper, slot} of pairsOf(wrappersOf(options), files)) {
    const dataKey = await openSlot(wrapper, slot, {repositoryId, signal}).catch((error: unknown) => {
      if (error instanceof PraError && error.code === 'REPOSITORY_KMS_FAILED') return undefined;
      throw error;
    });
    opens.set(slot.id, dataKey !== undefined);
    if (dataKey) fingerprint ??= fingerprintOf(dataKey);
  }
  return {
    repository: repositoryId,
    items: files.map(file => ({...infoOf(file), opens: opens.get(file.id)})),
    fingerprint,
  };
}

export function infoOf(file: SlotFile): KeyInfo {
  const {id, state} = file;
  if (file.state !== 'good') return {id, state, kind: file.state === 'unknown' ? file.kind : undefined};
  const {slot} = file;
  const {kind, createdAt, label} = slot;
  return {id, state, kind, createdAt, label, recipient: slot.kind === 'age' ? slot.age.recipient : undefined};
}
