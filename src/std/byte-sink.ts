/** Up to this length a copy byte by byte is faster than a call. */
const SHORT = 32;
const COMMA = 0x2c;

/** A buffer that grows, and is used again. */
export class ByteSink {
  length = 0;
  private buffer: Buffer;

  constructor(capacity: number) {
    this.buffer = Buffer.allocUnsafeSlow(capacity);
  }

  byte(byte: number): void {
    if (this.length === this.buffer.length) this.grow(1);
    this.buffer[this.length++] = byte;
  }

  bytes(from: Buffer, start: number, end: number): void {
    const count = end - start;
    if (this.length + count > this.buffer.length) this.grow(count);
    const {buffer} = this;
    if (count > SHORT) {
      from.copy(buffer, this.length, start, end);
      this.length += count;
      return;
    }
    let to = this.length;
    for (let at = start; at < end; at += 1) buffer[to++] = from[at] ?? 0;
    this.length = to;
  }

  /** Ends a list: in place of the comma behind its last item, or behind the bracket that begins an empty one. */
  last(byte: number): void {
    if (this.buffer[this.length - 1] === COMMA) this.length -= 1;
    this.byte(byte);
  }

  /** A view of a part, valid until something is written. */
  view(start: number, end: number): Buffer {
    return this.buffer.subarray(start, end);
  }

  private grow(bytes: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(2 * this.buffer.length, this.length + bytes));
    this.buffer.copy(larger, 0, 0, this.length);
    this.buffer = larger;
  }
}
