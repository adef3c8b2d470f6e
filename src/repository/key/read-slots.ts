import {z} from 'zod';
import {messageOf, PraError} from '../../errors.ts';
import type {Store, StoreOptions} from '../store.ts';
import {KEY_KINDS, type KeySlot, keySlotSchema, slotIdSchema, slotKey} from './slot.ts';

const MAX_BYTES = 64 * 1024;

/** A file under keys/: a slot, one of a kind that a newer pra made, or one that cannot be read. */
export type SlotFile = {key: string; id: string} & (
  | {state: 'good'; slot: KeySlot}
  | {state: 'unknown'; kind: string}
  | {state: 'damaged'; why: string}
);

const kindSchema = z.object({kind: z.string().regex(/^[a-z][a-z0-9-]{0,31}$/)});

/** Every slot, the damaged ones too: one that cannot be read must not keep the others from opening. */
export async function readSlots(store: Store, options: StoreOptions): Promise<SlotFile[]> {
  const files: SlotFile[] = [];
  for await (const {key, size} of store.list('keys/', options)) {
    const file = await readSlot(store, key, size, options);
    if (file) files.push(file);
  }
  return files;
}

/** Undefined when it was removed meanwhile. */
async function readSlot(
  store: Store,
  key: string,
  size: number,
  options: StoreOptions,
): Promise<SlotFile | undefined> {
  const id = key.slice('keys/'.length).replace(/\.json$/, '');
  const damaged = (why: string): SlotFile => ({key, id, state: 'damaged', why});
  if (!slotIdSchema.safeParse(id).success || key !== slotKey(id))
    return damaged('it does not have the name of a key slot');
  if (size > MAX_BYTES) return damaged('it is longer than a key slot can be');
  try {
    const bytes = await store.get(key, options);
    const json: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    const {kind} = kindSchema.parse(json);
    if (!KEY_KINDS.some(known => known === kind)) return {key, id, state: 'unknown', kind};
    const slot = keySlotSchema.parse(json);
    return slot.id === id ? {key, id, state: 'good', slot} : damaged('it is the slot of another name');
  } catch (error) {
    if (error instanceof PraError && error.code === 'STORE_MISSING') return undefined;
    if (error instanceof z.ZodError) return damaged('it does not have the form that it should');
    if (error instanceof SyntaxError) return damaged(messageOf(error));
    throw error;
  }
}
