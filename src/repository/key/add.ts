import {PraError} from '../../errors.ts';
import {encode, readRepositoryFile} from '../repository.ts';
import type {Store} from '../store.ts';
import {type OpenKeyOptions, openDataKey} from './open.ts';
import {readSlots} from './read-slots.ts';
import {type KeySlot, slotKey} from './slot.ts';
import {type KeyWrapper, makeSlot, openSlot} from './wrapper.ts';

export interface AddKeyOptions extends OpenKeyOptions {
  label?: string | undefined;
}

export interface AddedKey {
  slot: KeySlot;
  /** Whether what was written was opened; else only its form was checked, since its identity is not here. */
  proven: boolean;
}

/**
 * Gives a repository one more key slot. It is written at once and whole, then read back and opened: one that would not open
 * when it is needed is taken away again.
 * @throws PraError what opening the repository throws, USAGE for what is not a recipient, STORE_*
 */
export async function addKey(store: Store, wrapper: KeyWrapper, options: AddKeyOptions): Promise<AddedKey> {
  const {label, signal} = options;
  const {id: repositoryId} = await readRepositoryFile(store, signal);
  const {dataKey} = await openDataKey(store, repositoryId, options);
  const slot = await makeSlot(wrapper, dataKey, {repositoryId, label, signal});
  await store.put(slotKey(slot.id), encode(slot), {ifAbsent: true, signal});
  try {
    const proven = await wrapper.opensItsOwn();
    const file = (await readSlots(store, {signal})).find(({id}) => id === slot.id);
    const whole = file?.state === 'good' && encode(file.slot).equals(encode(slot));
    const opened = whole && proven ? await openSlot(wrapper, file.slot, {repositoryId, signal}) : undefined;
    if (whole && (!proven || opened?.equals(dataKey))) return {slot, proven};
    throw new PraError('REPOSITORY_CORRUPT', `${slotKey(slot.id)} in ${store.url} is not what was written`, {
      why: 'the new key slot was read back and does not open',
      next: ['pra repository key list', 'check the disk or bucket, then add the key again'],
    });
  } catch (error) {
    await store.delete(slotKey(slot.id)).catch(() => undefined);
    throw error;
  }
}
