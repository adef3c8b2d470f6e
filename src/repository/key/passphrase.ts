import {randomBytes, scrypt} from 'node:crypto';
import {KEY_BYTES} from '../key.ts';
import type {KeyWrapper} from './wrapper.ts';

interface Cost {
  N: number;
  r: number;
  p: number;
}

/** About 0.3 s and 128 MiB, for every guess. */
const COST: Cost = {N: 2 ** 17, r: 8, p: 1};

export function passphraseKey(passphrase: string, cost: Cost = COST): KeyWrapper {
  return {
    kind: 'passphrase',
    async wrap() {
      const salt = randomBytes(16);
      return {
        key: await derive(passphrase, salt, cost),
        fields: {kind: 'passphrase', scrypt: {...cost, salt: salt.toString('base64')}},
      };
    },
    async unwrap(slot) {
      if (slot.kind !== 'passphrase') return undefined;
      const {salt, ...slotCost} = slot.scrypt;
      return derive(passphrase, Buffer.from(salt, 'base64'), slotCost);
    },
    opensItsOwn: async () => true,
  };
}

function derive(passphrase: string, salt: Buffer, cost: Cost): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const maxmem = 256 * cost.N * cost.r;
    scrypt(passphrase.normalize('NFKC'), salt, KEY_BYTES, {...cost, maxmem}, (error, key) =>
      error ? reject(error) : resolve(key),
    );
  });
}
