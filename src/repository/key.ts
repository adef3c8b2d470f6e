import {createCipheriv, createDecipheriv, hkdfSync, randomBytes} from 'node:crypto';
import {PraError} from '../errors.ts';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
export const KEY_BYTES = 32;

export const newDataKey = () => randomBytes(KEY_BYTES);

/** A key for one purpose, so that no two uses share one. */
export function subkey(dataKey: Buffer, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', dataKey, 'pra/v1', purpose, KEY_BYTES));
}

/**
 * Tells data keys apart without telling anything of them, for a plan that accepts one alone. Dashes, because YAML would take
 * one of digits for a number.
 */
export function fingerprintOf(dataKey: Buffer): string {
  return subkey(dataKey, 'fingerprint')
    .toString('hex', 0, 16)
    .replaceAll(/.{8}(?=.)/g, '$&-');
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
