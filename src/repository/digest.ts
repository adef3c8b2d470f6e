import {hash} from 'node:crypto';

/** Bytes that the key takes behind what is hashed. */
export const DIGEST_KEY_BYTES = 32;

/** A digest as two halves of 32 bits, high and low. Never 0 0, which stands for nothing. */
export interface Digest {
  high: number;
  low: number;
}

/**
 * Digest of an object, to see whether it changed: the first 64 bits of SHA-256 of the object and a key that only holders
 * of the repository have. It is compared with the one that the same object had before, so a change passes unseen once
 * in 2^64, and without the key nobody can look for such a change. Longer ones would make up half of an index, since they do
 * not compress; integrity does not rest on them, but on the authentication of frames and files.
 * @param keyed the object with the key behind it
 * @param into takes the result, so that nothing is allocated for it
 */
export function digestOf(keyed: Uint8Array, into: Digest): void {
  // As a string of bytes, which is cheaper than a buffer for a few of them.
  const bytes = hash('sha256', keyed, 'binary');
  into.high = word(bytes, 0);
  into.low = word(bytes, 4) || 1;
}

const word = (bytes: string, at: number) =>
  ((bytes.charCodeAt(at) << 24) |
    (bytes.charCodeAt(at + 1) << 16) |
    (bytes.charCodeAt(at + 2) << 8) |
    bytes.charCodeAt(at + 3)) >>>
  0;

/** Digests that are known, in memory that threads share; built once, then only read. */
export class DigestSet {
  readonly memory: SharedArrayBuffer;
  private readonly table: Uint32Array;
  private readonly mask: number;

  /** @param memory of a set that another thread has built */
  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.table = new Uint32Array(memory);
    this.mask = this.table.length / 2 - 1;
  }

  /** An empty set with room for this many. */
  static sized(count: number): DigestSet {
    const slots = 2 ** Math.ceil(Math.log2(Math.max(16, count * 2)));
    return new DigestSet(new SharedArrayBuffer(slots * 8));
  }

  add(high: number, low: number): void {
    const at = this.slot(high, low);
    this.table[at] = high;
    this.table[at + 1] = low;
  }

  has(high: number, low: number): boolean {
    return this.table[this.slot(high, low) + 1] !== 0;
  }

  /** Where it is, or where it would be. */
  private slot(high: number, low: number): number {
    const {table, mask} = this;
    for (let slot = (low ^ high) & mask; ; slot = (slot + 1) & mask) {
      const at = slot * 2;
      const found = table[at + 1];
      if (found === 0 || (found === low && table[at] === high)) return at;
    }
  }
}
