import {sha256} from '../std/json.ts';
import type {FramePlace} from './frame.ts';
import type {Repository} from './repository.ts';
import {conflictIsFine} from './write-once.ts';

const MAGIC = Buffer.from('PRAPACK1');
const PACK_BYTES = 16 * 1024 * 1024;
/** A pack is written after this time even when it is small, so that a run that is killed loses little. */
const PACK_AGE_MS = 10_000;
/** Packs that are being written at the same time. */
const UPLOADS = 2;

/** A frame of objects. */
export interface ObjectFrame extends FramePlace {
  /** Empty until the pack that it lies in is closed. */
  pack: string;
}

export const packKey = (digest: string) => `packs/${digest.slice(0, 2)}/${digest}`;

/** Puts sealed frames into packs, and packs into the store, some at once. */
export class PackWriter {
  written = 0;
  private readonly repository: Repository;
  private readonly signal: AbortSignal | undefined;
  private readonly onPack: (frames: readonly ObjectFrame[]) => Promise<void>;
  private parts: Buffer[] = [];
  private bytes = 0;
  private frames: ObjectFrame[] = [];
  private openedAt = 0;
  private readonly uploads = new Set<Promise<void>>();
  private failure: unknown;

  /** @param onPack told when a pack is safely in the store */
  constructor(
    repository: Repository,
    options: {
      signal?: AbortSignal | undefined;
      onPack?: (frames: readonly ObjectFrame[]) => Promise<void>;
    } = {},
  ) {
    this.repository = repository;
    this.signal = options.signal;
    this.onPack = options.onPack ?? (async () => undefined);
  }

  /** Adds a frame, whose place is written into it. Waits when the store is slower than the frames come. */
  async add(frame: ObjectFrame, sealed: Buffer): Promise<void> {
    if (this.parts.length === 0) {
      this.parts = [MAGIC];
      this.bytes = MAGIC.length;
      this.openedAt = performance.now();
    }
    frame.offset = this.bytes;
    frame.length = sealed.length;
    this.frames.push(frame);
    this.parts.push(sealed);
    this.bytes += sealed.length;
    if (this.bytes >= PACK_BYTES || performance.now() - this.openedAt >= PACK_AGE_MS) await this.close();
  }

  /** Writes what is left, and waits until everything is in the store. */
  async finish(): Promise<void> {
    await this.close();
    while (this.uploads.size > 0) await Promise.race(this.uploads);
    if (this.failure) throw this.failure;
  }

  private async close(): Promise<void> {
    while (this.uploads.size >= UPLOADS) await Promise.race(this.uploads);
    if (this.failure) throw this.failure;
    if (this.frames.length === 0) return;
    const body = Buffer.concat(this.parts);
    const frames = this.frames;
    this.parts = [];
    this.frames = [];
    const upload = this.upload(body, frames)
      .catch((error: unknown) => {
        this.failure ??= error;
      })
      .finally(() => this.uploads.delete(upload));
    this.uploads.add(upload);
  }

  private async upload(body: Buffer, frames: readonly ObjectFrame[]): Promise<void> {
    const digest = sha256(body);
    await conflictIsFine(
      this.repository.store.put(packKey(digest), body, {ifAbsent: true, signal: this.signal}),
    );
    for (const frame of frames) frame.pack = digest;
    this.written += body.length;
    await this.onPack(frames);
  }
}
