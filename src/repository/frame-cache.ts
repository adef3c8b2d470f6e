import {PraError} from '../errors.ts';
import {openFrame} from './frame.ts';
import {type ObjectFrame, packKey} from './pack.ts';
import type {Repository} from './repository.ts';

const MAX_BYTES = 64 * 1024 * 1024;

/** Reads frames of objects, and keeps those that were used last: neighbours in a shard often lie in a few frames. */
export class FrameCache {
  private readonly repository: Repository;
  private readonly signal: AbortSignal | undefined;
  /** The one that was used last comes last. Without bytes while it is being read, which is done once for all who ask. */
  private readonly frames = new Map<string, {plain: Promise<Buffer>; bytes: number}>();
  private bytes = 0;

  constructor(repository: Repository, signal: AbortSignal | undefined) {
    this.repository = repository;
    this.signal = signal;
  }

  /** @throws PraError REPOSITORY_CORRUPT that names the pack. */
  read(frame: ObjectFrame): Promise<Buffer> {
    const entry = this.frames.get(frame.id) ?? this.start(frame);
    this.frames.delete(frame.id);
    this.frames.set(frame.id, entry);
    return entry.plain;
  }

  private start(frame: ObjectFrame): {plain: Promise<Buffer>; bytes: number} {
    const entry = {plain: readFrame(this.repository, frame, this.signal), bytes: 0};
    entry.plain.then(
      plain => {
        entry.bytes = plain.length;
        this.bytes += plain.length;
        this.dropOldest();
      },
      () => this.frames.delete(frame.id),
    );
    return entry;
  }

  private dropOldest(): void {
    for (const [id, {bytes}] of this.frames) {
      if (this.bytes <= MAX_BYTES) return;
      if (bytes === 0) continue;
      this.frames.delete(id);
      this.bytes -= bytes;
    }
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
