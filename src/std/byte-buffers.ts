/** Large buffers that are used again, so that what comes and goes all the time leaves nothing to collect. */
export class ByteBuffers {
  private readonly most: number;
  private readonly free: ArrayBuffer[] = [];

  /** @param most how many are kept while nobody uses them */
  constructor(most: number) {
    this.most = most;
  }

  /** A buffer of at least this length; what is in it is not defined. */
  take(length: number): Uint8Array<ArrayBuffer> {
    const at = this.free.findIndex(buffer => buffer.byteLength >= length);
    const [found] = at < 0 ? [] : this.free.splice(at, 1);
    return found ? new Uint8Array(found) : new Uint8Array(new ArrayBuffer(length));
  }

  /** Gives back what nobody reads any more; what was handed to a thread meanwhile is let go. */
  give({buffer}: Uint8Array<ArrayBuffer>): void {
    if (buffer.byteLength === 0 || this.most === 0) return;
    this.free.push(buffer);
    // The longest stay: they fit whatever comes.
    if (this.free.length > this.most) {
      this.free.sort((a, b) => b.byteLength - a.byteLength);
      this.free.length = this.most;
    }
  }
}
