import {promisify} from 'node:util';
import {constants, zstdCompress, zstdDecompress} from 'node:zlib';
import {PraError} from '../errors.ts';
import {sha256} from '../std/json.ts';
import {open, seal} from './key.ts';
import type {Repository} from './repository.ts';
import {conflictIsFine} from './write-once.ts';

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

const MAGIC = Buffer.from('PRAPACK1');
const FRAME_BYTES = 4 * 1024 * 1024;
const PACK_BYTES = 16 * 1024 * 1024;
/** A frame is at most this long when it is read; a damaged length must not take all memory. */
const MAX_FRAME_BYTES = 64 * 1024 * 1024;
const CONTEXT = 'frame';

/** Where an object lies: the frame in the pack, and the object in the frame when it is unpacked. */
export interface Location {
  pack: string;
  frameOffset: number;
  frameLength: number;
  offset: number;
  length: number;
}

export const packKey = (digest: string) => `packs/${digest.slice(0, 2)}/${digest}`;

interface Pending {
  location: Location;
  body: Buffer;
}

/**
 * Packs objects into frames of about 4 MiB, each compressed and then encrypted, and frames into packs. Compressing single
 * objects would be 75 times slower and take 10 times the room.
 */
export class PackWriter {
  private readonly repository: Repository;
  private readonly signal: AbortSignal | undefined;
  private frame: Pending[] = [];
  private frameBytes = 0;
  private pack: Buffer[] = [MAGIC];
  private packBytes = MAGIC.length;
  private inPack: Location[] = [];
  /** Frames are sealed one after another, so that their order in the pack is that in which they were filled. */
  private work: Promise<void> = Promise.resolve();
  private failed: unknown;
  written = 0;

  constructor(repository: Repository, signal: AbortSignal | undefined) {
    this.repository = repository;
    this.signal = signal;
  }

  /** Adds an object. Its location is complete when `finish` has ended. */
  async add(body: Buffer): Promise<Location> {
    const location: Location = {
      pack: '',
      frameOffset: 0,
      frameLength: 0,
      offset: this.frameBytes,
      length: body.length,
    };
    this.frame.push({location, body});
    this.frameBytes += body.length;
    if (this.frameBytes >= FRAME_BYTES) await this.flushFrame();
    return location;
  }

  async finish(): Promise<void> {
    await this.flushFrame();
    await this.work;
    if (this.failed) throw this.failed;
    await this.flushPack();
  }

  /** Waits for the frame before, so that at most two frames are in memory. */
  private async flushFrame(): Promise<void> {
    await this.work;
    if (this.failed) throw this.failed;
    if (this.frame.length === 0) return;
    const frame = this.frame;
    this.frame = [];
    this.frameBytes = 0;
    this.work = this.sealFrame(frame).catch((error: unknown) => {
      this.failed = error;
    });
  }

  private async sealFrame(frame: Pending[]): Promise<void> {
    const plain = Buffer.concat(frame.map(({body}) => body));
    const packed = await compress(plain, {params: {[constants.ZSTD_c_compressionLevel]: 1}});
    const sealed = seal(this.repository.packKey, packed, CONTEXT);
    for (const {location} of frame) {
      location.frameOffset = this.packBytes;
      location.frameLength = sealed.length;
      this.inPack.push(location);
    }
    this.pack.push(sealed);
    this.packBytes += sealed.length;
    if (this.packBytes >= PACK_BYTES) await this.flushPack();
  }

  private async flushPack(): Promise<void> {
    if (this.inPack.length === 0) return;
    const body = Buffer.concat(this.pack);
    const digest = sha256(body);
    for (const location of this.inPack) location.pack = digest;
    this.pack = [MAGIC];
    this.packBytes = MAGIC.length;
    this.inPack = [];
    this.written += body.length;
    await conflictIsFine(
      this.repository.store.put(packKey(digest), body, {ifAbsent: true, signal: this.signal}),
    );
  }
}

/**
 * Reads and opens one frame.
 * @throws PraError REPOSITORY_CORRUPT that names the pack.
 */
export async function readFrame(
  repository: Repository,
  location: Pick<Location, 'pack' | 'frameOffset' | 'frameLength'>,
  signal?: AbortSignal,
): Promise<Buffer> {
  const key = packKey(location.pack);
  const damaged = (why: string, cause?: unknown) =>
    new PraError('REPOSITORY_CORRUPT', `${key} in ${repository.store.url} is damaged`, {
      why,
      cause,
      next: ['use another snapshot: pra snapshot list'],
    });
  if (location.frameLength > MAX_FRAME_BYTES) throw damaged('a frame is longer than any frame is');
  const sealed = await repository.store
    .get(key, {range: {offset: location.frameOffset, length: location.frameLength}, signal})
    .catch((error: unknown) => {
      if (error instanceof PraError && error.code === 'STORE_MISSING') throw damaged('it is missing', error);
      throw error;
    });
  try {
    return await decompress(open(repository.packKey, sealed, CONTEXT), {maxOutputLength: MAX_FRAME_BYTES});
  } catch (error) {
    throw damaged('its content was changed or cut off', error);
  }
}
