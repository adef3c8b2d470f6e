/** Where a pattern is in a buffer, asked for from front to back: the whole buffer is searched once, however often is asked. */
export class ByteSearch {
  private readonly bytes: Buffer;
  private readonly pattern: Buffer;
  /** The first place that was not asked beyond; -1 when there is none any more. */
  private found: number;

  constructor(bytes: Buffer, pattern: Buffer) {
    this.bytes = bytes;
    this.pattern = pattern;
    this.found = bytes.indexOf(pattern);
  }

  /** The first place in this range, or -1. Ranges never begin before the one that was asked for last. */
  in(start: number, end: number): number {
    if (this.found >= 0 && this.found < start) this.found = this.bytes.indexOf(this.pattern, start);
    return this.found >= 0 && this.found < end ? this.found : -1;
  }
}
