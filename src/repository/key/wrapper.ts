import {randomBytes} from 'node:crypto';
import {KEY_BYTES, open, seal} from '../key.ts';
import {type KeyKind, type KeySlot, keySlotSchema} from './slot.ts';

/** The fields of a slot that only its kind knows. */
type OfKind<S> = S extends KeySlot ? Omit<S, 'id' | 'createdAt' | 'label' | 'wrapped'> : never;
export type KindFields = OfKind<KeySlot>;

/**
 * A secret of one kind, or a way to one. It keeps the key of a slot, which is random and is used for that slot alone; the
 * data key is sealed with it. So no KMS is ever given the data key, and every kind is bound to its place in the same way.
 */
export interface KeyWrapper {
  readonly kind: KeyKind;
  /** A key for a new slot, and what has to be kept in the slot to have it again. */
  wrap(signal: AbortSignal | undefined): Promise<{key: Buffer; fields: KindFields}>;
  /**
   * The key of the slot; undefined when this secret is not for it.
   * @throws PraError REPOSITORY_KMS_FAILED when that could not be found out
   */
  unwrap(slot: KeySlot, signal: AbortSignal | undefined): Promise<Buffer | undefined>;
  /** Whether what it wraps it can unwrap too: of a pair of keys there may be only the public one. */
  opensItsOwn(): Promise<boolean>;
}

export interface SlotOptions {
  repositoryId: string;
  label?: string | undefined;
  signal?: AbortSignal | undefined;
}

/** @throws PraError what the wrapper throws */
export async function makeSlot(
  wrapper: KeyWrapper,
  dataKey: Buffer,
  {repositoryId, label, signal}: SlotOptions,
): Promise<KeySlot> {
  const {key, fields} = await wrapper.wrap(signal);
  const id = randomBytes(8).toString('hex');
  return keySlotSchema.parse({
    id,
    createdAt: new Date().toISOString(),
    ...(label === undefined ? {} : {label}),
    ...fields,
    wrapped: seal(key, dataKey, contextOf(repositoryId, id)).toString('base64'),
  });
}

/**
 * The data key, or undefined when the wrapper does not open this slot, it was altered, or is of another repository.
 * @throws PraError REPOSITORY_KMS_FAILED
 */
export async function openSlot(
  wrapper: KeyWrapper,
  slot: KeySlot,
  {repositoryId, signal}: SlotOptions,
): Promise<Buffer | undefined> {
  const key = await wrapper.unwrap(slot, signal);
  if (key?.length !== KEY_BYTES) return undefined;
  try {
    const dataKey = open(key, Buffer.from(slot.wrapped, 'base64'), contextOf(repositoryId, slot.id));
    return dataKey.length === KEY_BYTES ? dataKey : undefined;
  } catch {
    return undefined;
  }
}

/** A slot that a making which was cut off left behind must not be taken for the right one because the passphrase is the same. */
const contextOf = (repositoryId: string, slotId: string) => `slot/${repositoryId}/${slotId}`;
