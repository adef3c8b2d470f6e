/** Keeps the last bytes of a text that may be of any length. */
export class TextTail {
  readonly #limitBytes: number;
  #kept: Buffer[] = [];
  #keptBytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  add(part: Buffer): void {
    this.#kept.push(part);
    this.#keptBytes += part.length;
    // Joined only now and then, so that many small parts cost little.
    if (this.#keptBytes > 2 * this.#limitBytes) {
      const last = Buffer.from(this.#last());
      this.#kept = [last];
      this.#keptBytes = last.length;
    }
  }

  /** A character that the limit cuts in two is left out. */
  text(): string {
    const last = this.#last();
    let start = 0;
    while (((last[start] ?? 0) & 0xc0) === 0x80) start += 1;
    return last.subarray(start).toString('utf8');
  }

  #last(): Buffer {
    return Buffer.concat(this.#kept).subarray(-this.#limitBytes);
  }
}
