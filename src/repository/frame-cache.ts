import {PraError} from '../errors.ts';
import {openFrame} from './frame.ts';
import {type ObjectFrame, packKey} from './pack.ts';
import type {Repository} from './repository.ts';

const MAX_BYTES = 64 * 1024 * 1024;

/** Reads frames of objects, and keeps those that were used last: neighbours in a shard often lie in a few frames. */
export class FrameCache {
  private readonly repository: Repository;
  private readonly signal: AbortSignal | undefined;
  /** The one that was used last comes last. */
  private readonly frames = new Map<string, Buffer>();
  private bytes = 0;

  constructor(repository: Repository, signal: AbortSignal | undefined) {
    this.repository = repository;
    this.signal = signal;
  }

  /** @throws PraError REPOSITORY_CORRUPT that names the pack. */
  async read(frame: ObjectFrame): Promise<Buffer> {
    const known = this.frames.get(frame.id);
    const plain = known ?? (await readFrame(this.repository, frame, this.signal));
    this.frames.delete(frame.id);
    this.frames.set(frame.id, plain);
    if (!known) this.bytes += plain.length;
    for (const [id, {length}] of this.frames) {
      if (this.bytes <= MAX_BYTES || id === frame.id) break;
      this.frames.delete(id);
      this.bytes -= length;
    }
    return plain;
  }
}

async function readFrame(
  repository: Repository,
  {pack, id, offset, length}: ObjectFrame,
  signal: AbortSignal | undefined,
): Promise<Buffer> {
  const key = packKey(pack);
  const damaged = (why: string, cause?: unknown) =>
    new PraError('REPOSITORY_CORRUPT', `${key} in ${repository.store.url} is damaged`, {
      why,
      cause,
      next: ['use another snapshot: pra snapshot list'],
    });
  const sealed = await repository.store
    .get(key, {range: {offset, length}, signal})
    .catch((error: unknown) => {
      if (error instanceof PraError && error.code === 'STORE_MISSING') throw damaged('it is missing', error);
      throw error;
    });
  try {
    return await openFrame(repository.packKey, id, sealed);
  } catch (error) {
    throw damaged('its content was changed or cut off', error);
  }
}
