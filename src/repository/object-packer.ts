import {ByteSink} from '../std/byte-sink.ts';
import {DIGEST_KEY_BYTES, type Digest, type DigestSet, digestOf} from './digest.ts';
import {newFrameId, sealFrame} from './frame.ts';

const FRAME_BYTES = 4 * 1024 * 1024;

/** A frame that is sealed and has no place yet. */
export interface SealedFrame {
  /** As entries name it. */
  number: number;
  id: string;
  sealed: Buffer;
}

export interface PackerKeys {
  frames: Uint8Array;
  digests: Uint8Array;
}

/** Frame of what is known from an earlier snapshot and was not packed again. */
export const KNOWN = -1;

/**
 * Packs objects into frames of about 4 MiB, each compressed and then encrypted: compressing single objects would be 75
 * times slower and take 10 times the room. Works without waiting for anything, so it can run in any thread.
 */
export class ObjectPacker {
  /** Where the last object lies, and its digest. */
  frame = 0;
  offset = 0;
  length = 0;
  readonly digest: Digest = {high: 0, low: 0};
  private readonly keys: PackerKeys;
  private readonly digestKey: Buffer;
  private readonly known: DigestSet | undefined;
  private readonly sink = new ByteSink(FRAME_BYTES + 256 * 1024);
  private number = 0;
  private frames: SealedFrame[] = [];

  constructor(keys: PackerKeys, known: DigestSet | undefined) {
    this.keys = keys;
    this.digestKey = Buffer.from(keys.digests);
    this.known = known;
  }

  /** Begins an object: its bytes are to be appended to what is returned. */
  begin(): ByteSink {
    this.offset = this.sink.length;
    return this.sink;
  }

  /** Ends the object that was begun; it is not kept when it is known. */
  end(): void {
    const {sink, digest, offset} = this;
    const end = sink.length;
    sink.bytes(this.digestKey, 0, DIGEST_KEY_BYTES);
    digestOf(sink.view(offset, sink.length), digest);
    sink.length = end;
    this.length = end - offset;
    if (this.known?.has(digest.high, digest.low)) {
      sink.length = offset;
      this.frame = KNOWN;
      return;
    }
    this.frame = this.number;
    if (end >= FRAME_BYTES) this.seal();
  }

  /** Takes the frames that were sealed since the last call. */
  take(): SealedFrame[] {
    const {frames} = this;
    this.frames = [];
    return frames;
  }

  /** Seals what is left. */
  flush(): SealedFrame[] {
    if (this.sink.length > 0) this.seal();
    return this.take();
  }

  private seal(): void {
    const id = newFrameId();
    const sealed = sealFrame(this.keys.frames, id, this.sink.view(0, this.sink.length));
    this.frames.push({number: this.number, id, sealed});
    this.sink.length = 0;
    this.number += 1;
  }
}
