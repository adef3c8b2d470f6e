import {z} from 'zod';

/** Bytes in base64, of which there is one way to write them: then no byte of a slot can change without being noticed. */
const base64 = (maxLength: number) =>
  z
    .string()
    .max(maxLength)
    .refine(text => text !== '' && Buffer.from(text, 'base64').toString('base64') === text, 'not base64');

/** One line that can be shown in a terminal whoever wrote it. */
const shown = z
  .string()
  .min(1)
  .max(100)
  .regex(/^[^\p{C}\p{Z}]+( [^\p{C}\p{Z}]+)*$/u);

export const labelSchema = shown;
export const slotIdSchema = z.string().regex(/^[0-9a-f]{16}$/);

// Everything has bounds, because a slot is read before it is trusted, and scrypt takes the memory that it is told to.
const common = {
  id: slotIdSchema,
  createdAt: z.iso.datetime(),
  label: labelSchema.optional(),
  /** The data key, sealed with the key of the slot. */
  wrapped: base64(80),
};

const passphraseSlot = z.object({
  ...common,
  kind: z.literal('passphrase'),
  scrypt: z.object({
    N: z
      .int()
      .min(2 ** 14)
      .max(2 ** 20)
      .refine(n => Number.isInteger(Math.log2(n)), 'not a power of 2'),
    r: z.int().min(1).max(16),
    p: z.int().min(1).max(4),
    salt: base64(64),
  }),
});

/** X25519 and its post-quantum hybrid; whether the checksum is right is for the library to say. */
export const recipientSchema = z
  .string()
  .max(4096)
  .regex(/^age1(pq1)?[02-9ac-hj-np-z]+$/);

const ageSlot = z.object({
  ...common,
  kind: z.literal('age'),
  age: z.object({
    recipient: recipientSchema,
    key: base64(16_384).refine(
      text => Buffer.from(text, 'base64').toString('latin1').startsWith('age-encryption.org/v1\n-> '),
      'not a file of age',
    ),
  }),
});

/** What a program for a KMS may answer: text, as long as no key is. */
export const kmsTextSchema = z
  .string()
  .min(1)
  .max(16_384)
  .regex(/^[\x20-\x7e\n]+$/);

const kmsSlot = z.object({...common, kind: z.literal('kms'), kms: z.object({key: kmsTextSchema})});

/** One way to the data key. A repository has one or more; every one opens everything. */
export const keySlotSchema = z.discriminatedUnion('kind', [passphraseSlot, ageSlot, kmsSlot]);
export type KeySlot = z.infer<typeof keySlotSchema>;
export type KeyKind = KeySlot['kind'];

export const KEY_KINDS: readonly KeyKind[] = ['passphrase', 'kms', 'age'];
export const slotKey = (id: string) => `keys/${id}.json`;
