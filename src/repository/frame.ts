import {randomBytes} from 'node:crypto';
import {promisify} from 'node:util';
import {constants, zstdCompressSync, zstdDecompress} from 'node:zlib';
import {open, seal} from './key.ts';

const decompress = promisify(zstdDecompress);

/** A frame is at most this long when it is read; a damaged length must not take all memory. */
export const MAX_FRAME_BYTES = 512 * 1024 * 1024;

/** Level 3 takes 2 % less room for objects, and twice the time. */
const LEVEL = 1;

const MIN_CHUNK_BYTES = 16 * 1024;
const MAX_CHUNK_BYTES = 4 * 1024 * 1024 + 64 * 1024;
const EXPECTED_RATIO = 8;

/** Where a sealed frame lies in a file. */
export interface FramePlace {
  /** Random, and part of what is authenticated: a frame cannot stand in for another. */
  id: string;
  offset: number;
  length: number;
}

export const newFrameId = () => randomBytes(12).toString('hex');

/** Compresses, then encrypts. Takes the time that it takes: it is for workers and for small frames. */
export function sealFrame(key: Uint8Array, id: string, plain: Uint8Array): Buffer {
  const packed = zstdCompressSync(plain, {params: {[constants.ZSTD_c_compressionLevel]: LEVEL}});
  return seal(key, packed, context(id));
}

/** @throws an Error when anything was changed, or it is another frame. */
export async function openFrame(key: Uint8Array, id: string, sealed: Uint8Array): Promise<Buffer> {
  const packed = open(key, sealed, context(id));
  // In one piece where it can be: each piece is a turn of the event loop, and put together with the others at the end.
  const chunkSize = Math.min(MAX_CHUNK_BYTES, Math.max(MIN_CHUNK_BYTES, packed.length * EXPECTED_RATIO));
  return decompress(packed, {maxOutputLength: MAX_FRAME_BYTES, chunkSize});
}

const context = (id: string) => `frame/${id}`;
