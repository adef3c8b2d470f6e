import {createCipheriv, createDecipheriv, hkdfSync, randomBytes, scrypt} from 'node:crypto';
import {z} from 'zod';
import {PraError} from '../errors.ts';

/** Cost of the passphrase: about 0.3 s and 128 MiB, for every guess. */
const SCRYPT = {N: 2 ** 17, r: 8, p: 1} as const;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

const base64 = z.string().regex(/^[A-Za-z0-9+/]+=*$/);

/** One way to the data key. A repository has one or more; every one opens everything. */
export const keySlotSchema = z.object({
  id: z.string(),
  createdAt: z.iso.datetime(),
  kind: z.literal('passphrase'),
  // Bounds, because a slot is read before it is trusted, and its parameters decide how much memory is used.
  scrypt: z.object({
    N: z
      .int()
      .min(2 ** 14)
      .max(2 ** 20)
      .refine(n => Number.isInteger(Math.log2(n)), 'not a power of 2'),
    r: z.int().min(1).max(16),
    p: z.int().min(1).max(4),
    salt: base64,
  }),
  wrapped: base64,
});
export type KeySlot = z.infer<typeof keySlotSchema>;

export const newDataKey = () => randomBytes(32);

/**
 * Wraps the data key with a passphrase. A slot opens only the repository that it was made for: one that a making that was
 * cut off left behind must not be taken for the right one because the passphrase is the same.
 */
export async function wrapWithPassphrase(
  dataKey: Buffer,
  passphrase: string,
  repositoryId: string,
): Promise<KeySlot> {
  const salt = randomBytes(16);
  const key = await derive(passphrase, salt, SCRYPT);
  const id = randomBytes(8).toString('hex');
  return {
    id,
    createdAt: new Date().toISOString(),
    kind: 'passphrase',
    scrypt: {...SCRYPT, salt: salt.toString('base64')},
    wrapped: seal(key, dataKey, slotContext(repositoryId, id)).toString('base64'),
  };
}

/** The data key, or undefined when the passphrase does not open this slot. */
export async function unwrapWithPassphrase(
  slot: KeySlot,
  passphrase: string,
  repositoryId: string,
): Promise<Buffer | undefined> {
  const key = await derive(passphrase, Buffer.from(slot.scrypt.salt, 'base64'), slot.scrypt);
  try {
    return open(key, Buffer.from(slot.wrapped, 'base64'), slotContext(repositoryId, slot.id));
  } catch {
    return undefined;
  }
}

const slotContext = (repositoryId: string, slotId: string) => `slot/${repositoryId}/${slotId}`;

/** A key for one purpose, so that no two uses share one. */
export function subkey(dataKey: Buffer, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', dataKey, 'pra/v1', purpose, 32));
}

/** AES-256-GCM with a fresh nonce: nonce, ciphertext, tag. `context` is authenticated too, so that nothing can be moved elsewhere. */
export function seal(key: Uint8Array, plain: Uint8Array, context: string): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(Buffer.from(context));
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** @throws an Error when a single bit was changed, or the key or context is another. */
export function open(key: Uint8Array, sealed: Uint8Array, context: string): Buffer {
  const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
  if (bytes.length < NONCE_BYTES + TAG_BYTES)
    throw new PraError('REPOSITORY_CORRUPT', 'too short to be sealed data');
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(Buffer.from(context));
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
}

function derive(passphrase: string, salt: Buffer, cost: {N: number; r: number; p: number}): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const maxmem = 256 * cost.N * cost.r;
    scrypt(passphrase.normalize('NFKC'), salt, 32, {...cost, maxmem}, (error, key) =>
      error ? reject(error) : resolve(key),
    );
  });
}
