import {randomBytes} from 'node:crypto';
import {PraError} from '../../errors.ts';
import {KEY_BYTES} from '../key.ts';
import {recipientSchema} from './slot.ts';
import type {KeyWrapper} from './wrapper.ts';

/** Loaded only when it is needed. What it throws may quote a secret key, and is neither shown nor kept. */
const loadAge = () => import('age-encryption');

/**
 * A pair of keys of age, or only one of the two: the recipient is enough to make a slot, an identity to open one.
 * @param recipient whom slots are made for; that of the first identity by default
 */
export function ageKey(identities: readonly string[], recipient?: string): KeyWrapper {
  return {
    kind: 'age',
    async wrap() {
      const to = recipient ?? (await recipientsOf(identities))[0] ?? '';
      const key = randomBytes(KEY_BYTES);
      const {Encrypter} = await loadAge();
      const encrypter = new Encrypter();
      try {
        encrypter.addRecipient(recipientSchema.parse(to));
      } catch {
        throw notRecipient(to);
      }
      const file = await encrypter.encrypt(key);
      return {
        key,
        fields: {kind: 'age', age: {recipient: to, key: Buffer.from(file).toString('base64')}},
      };
    },
    async unwrap(slot) {
      if (slot.kind !== 'age' || identities.length === 0) return undefined;
      const {Decrypter} = await loadAge();
      const decrypter = new Decrypter();
      for (const identity of identities) decrypter.addIdentity(identity);
      // Why it does not open makes no difference: it is for somebody else, or was altered.
      return decrypter.decrypt(Buffer.from(slot.age.key, 'base64')).then(Buffer.from, () => undefined);
    },
    async opensItsOwn() {
      return recipient === undefined || (await recipientsOf(identities)).includes(recipient);
    },
  };
}

async function recipientsOf(identities: readonly string[]): Promise<string[]> {
  const {identityToRecipient} = await loadAge();
  return Promise.all(identities.map(identity => identityToRecipient(identity)));
}

/**
 * The identities in a file as `age-keygen` writes it: one a line, beside comments and empty lines.
 * @param name of the file, for errors
 * @throws PraError REPOSITORY_KEY_MISSING that names the line and never shows it
 */
export async function parseIdentities(text: string, name: string): Promise<string[]> {
  if (/^(age-encryption\.org\/|-----BEGIN AGE)/.test(text)) {
    throw new PraError('REPOSITORY_KEY_MISSING', `${name} is itself encrypted with age`, {
      next: [`age -d ${name} > /dev/shm/identity, and PRA_AGE_IDENTITY_FILE=/dev/shm/identity`],
    });
  }
  const {Decrypter} = await loadAge();
  const identities: string[] = [];
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    try {
      new Decrypter().addIdentity(line);
    } catch {
      throw new PraError('REPOSITORY_KEY_MISSING', `line ${index + 1} of ${name} is not an identity of age`, {
        why: 'pra takes AGE-SECRET-KEY-1… and AGE-SECRET-KEY-PQ-1…, neither keys of ssh nor of plugins',
        next: ['age-keygen -o FILE makes one'],
      });
    }
    identities.push(line);
  }
  if (identities.length > 0) return identities;
  throw new PraError('REPOSITORY_KEY_MISSING', `${name} has no identity of age`, {
    next: ['age-keygen -o FILE makes one'],
  });
}

function notRecipient(given: string): PraError {
  if (/^age-secret-key-/i.test(given)) {
    return new PraError('USAGE', 'what was given as a recipient is an identity, which is secret', {
      why: 'a recipient is the public half, and begins with age1',
      next: [
        'age-keygen -y FILE shows the recipient',
        'make a new identity if others may have seen this one',
      ],
    });
  }
  const shown = given.startsWith('age1') ? `${given.slice(0, 20)}…` : 'what was given';
  return new PraError('USAGE', `${shown} is not a recipient of age`, {
    why: 'its checksum or its kind is wrong; pra takes age1… and age1pq1…, neither keys of ssh nor of plugins',
    next: ['age-keygen -y FILE shows the recipient of an identity'],
  });
}
