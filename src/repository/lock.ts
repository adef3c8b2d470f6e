import {randomBytes} from 'node:crypto';
import {hostname} from 'node:os';
import {z} from 'zod';
import {PraError} from '../errors.ts';
import {formatDuration} from '../std/duration.ts';
import {sleep} from '../std/wait.ts';
import {open, seal} from './key.ts';
import {encode, type Repository, readJson} from './repository.ts';
import type {StoredFile} from './store.ts';

/** A lock whose file is older than this is of a run that was killed. */
export const LOCK_TTL_MS = 30 * 60_000;
const REFRESH_MS = 5 * 60_000;
/** Two who want to be alone at the same time both step back, and try again after some time. */
const ATTEMPTS = 4;
const STEP_BACK_MS = 500;

export type LockKind = 'append' | 'prune';

const ownerSchema = z.object({host: z.string(), pid: z.int(), run: z.string()});
const lockSchema = z.object({
  id: z.string().regex(/^[0-9a-f]{16}$/),
  kind: z.enum(['append', 'prune']),
  createdAt: z.iso.datetime(),
  sealed: z.base64(),
});

export interface LockInfo {
  id: string;
  kind: LockKind;
  createdAt: string;
  /** Age by the clock of the store since it was last refreshed. */
  ageMs: number;
  stale: boolean;
  keys: string[];
  /** Absent when the lock was not made with the key of this repository. */
  owner?: z.infer<typeof ownerSchema> | undefined;
}

/**
 * A sign in the store that somebody is at work: writers of snapshots append beside each other; pruning is done by one at
 * a time. A lock is a file that is written anew now and then, and how old it is is told by the clock of the store alone:
 * clocks of machines differ. Every file is a new one, since nothing is overwritten; who may not delete leaves them.
 */
export class Lock {
  readonly id: string;
  private readonly repository: Repository;
  private readonly kind: LockKind;
  private readonly run: string;
  private key = '';
  private count = 0;
  private refreshedAt = 0;
  private lost = false;
  /** Every file that may be there. */
  private readonly written: string[] = [];
  private timer: NodeJS.Timeout | undefined;
  private refreshing: Promise<void> = Promise.resolve();

  private constructor(repository: Repository, kind: LockKind, run: string) {
    this.repository = repository;
    this.kind = kind;
    this.run = run;
    this.id = randomBytes(8).toString('hex');
  }

  /**
   * Takes a lock. Release it in any case.
   * @param run what the lock is for, such as the id of the snapshot
   * @throws PraError REPOSITORY_LOCKED when somebody else prunes and this is to prune too; STORE_*
   */
  static async take(
    repository: Repository,
    kind: LockKind,
    options: {run: string; signal?: AbortSignal | undefined},
  ): Promise<Lock> {
    for (let attempt = 1; ; attempt += 1) {
      const lock = new Lock(repository, kind, options.run);
      const [other] = await lock.begin(options.signal).catch(async (error: unknown) => {
        await lock.release();
        throw error;
      });
      if (!other) {
        lock.keepFresh();
        return lock;
      }
      await lock.release();
      if (attempt === ATTEMPTS) throw locked(repository, other);
      await sleep(STEP_BACK_MS * attempt * (0.5 + Math.random()), options.signal);
    }
  }

  /** @returns others who want to be alone as well */
  private async begin(signal: AbortSignal | undefined): Promise<LockInfo[]> {
    await this.write(signal);
    return this.kind === 'prune' ? this.otherPruners(signal) : [];
  }

  /**
   * Checks, before what it protects is made to count, that nobody can have taken the lock for dead or removed it: a machine
   * that slept does not know that it did, and what a lock protected while it was not valid is not known either.
   * @throws PraError REPOSITORY_LOCK_LOST
   */
  async confirm(signal?: AbortSignal): Promise<void> {
    await this.refreshing;
    if (!this.isOver() && (await this.repository.store.has(this.key, {signal})) && !this.isOver()) return;
    throw new PraError('REPOSITORY_LOCK_LOST', 'the lock of this run is no longer valid', {
      why: `it was removed, or not refreshed in time; the last time ${formatDuration(Date.now() - this.refreshedAt)} ago`,
      next: ['run it again: what was written before is used again'],
    });
  }

  /** Ends it. Whoever may not delete leaves the file, which is stale after half an hour. */
  async release(): Promise<void> {
    clearInterval(this.timer);
    await this.refreshing;
    for (const key of this.written) await this.repository.store.delete(key).catch(() => undefined);
  }

  /** For good: a lock that was not valid for a while has protected nothing, also when it is refreshed later. */
  private isOver(): boolean {
    this.lost ||= this.key !== '' && Date.now() - this.refreshedAt >= LOCK_TTL_MS;
    return this.lost;
  }

  private keepFresh(): void {
    this.timer = setInterval(() => {
      // One that fails is not fatal: there is time for five more before the lock is stale, and `confirm` looks.
      this.refreshing = this.write(undefined).catch(() => undefined);
    }, REFRESH_MS);
    this.timer.unref();
  }

  private async write(signal: AbortSignal | undefined): Promise<void> {
    const before = this.key;
    if (before !== '') {
      // Somebody may have removed it, and pruned since.
      if (!this.isOver() && !(await this.repository.store.has(before, {signal}))) this.lost = true;
      if (this.lost) return;
    }
    // A name that was tried is never tried again: its file may be there although no answer came.
    const key = `locks/${this.id}-${this.count++}.json`;
    this.written.push(key);
    const owner = {host: hostname(), pid: process.pid, run: this.run};
    const sealed = seal(this.repository.rootKey, Buffer.from(JSON.stringify(owner)), context(this.id));
    const body = {
      id: this.id,
      kind: this.kind,
      createdAt: new Date().toISOString(),
      sealed: sealed.toString('base64'),
    };
    const began = Date.now();
    await this.repository.store.put(key, encode(body), {ifAbsent: true, signal});
    if (this.isOver()) return;
    this.key = key;
    this.refreshedAt = began;
    for (const old of this.written.splice(0, this.written.length - 1))
      await this.repository.store.delete(old).catch(() => undefined);
  }

  private async otherPruners(signal: AbortSignal | undefined): Promise<LockInfo[]> {
    const locks = await listLocks(this.repository, {signal});
    return locks.filter(lock => lock.kind === 'prune' && !lock.stale && lock.id !== this.id);
  }
}

const context = (id: string) => `lock/${id}`;

/**
 * All locks. Their age is told by the store, whose time is that of the newest lock: whoever needs it exact has just
 * written one.
 */
export async function listLocks(
  repository: Repository,
  options: {signal?: AbortSignal | undefined} = {},
): Promise<LockInfo[]> {
  const files: StoredFile[] = [];
  for await (const file of repository.store.list('locks/', options)) files.push(file);
  const now = Math.max(0, ...files.map(({modified}) => modified.getTime()));
  const locks = new Map<string, LockInfo>();
  for (const {key, modified} of files) {
    const lock = await readJson(repository.store, key, lockSchema, options.signal).catch((error: unknown) => {
      if (!(error instanceof PraError)) throw error;
      // Released since it was listed.
      if (error.code === 'STORE_MISSING') return undefined;
      if (error.code === 'REPOSITORY_CORRUPT') return unreadable(key, modified);
      throw error;
    });
    if (!lock) continue;
    const ageMs = now - modified.getTime();
    const known = locks.get(lock.id);
    const {id, kind, createdAt} = lock;
    const age = Math.min(ageMs, known?.ageMs ?? ageMs);
    locks.set(id, {
      id,
      kind,
      createdAt,
      ageMs: age,
      stale: age > LOCK_TTL_MS,
      keys: [...(known?.keys ?? []), key],
      owner: ownerOf(repository, lock),
    });
  }
  return [...locks.values()];
}

/** Somebody may be at work all the same; until it is stale or removed, it counts as a writer. */
const unreadable = (key: string, modified: Date): z.infer<typeof lockSchema> => ({
  id: key.replace(/^locks\/|\.json$/g, ''),
  kind: 'append',
  createdAt: modified.toISOString(),
  sealed: '',
});

/** Removes locks: those of killed runs, or all. @returns how many */
export async function removeLocks(
  repository: Repository,
  options: {all: boolean; signal?: AbortSignal | undefined},
): Promise<LockInfo[]> {
  // The time of the store is that of a file written now.
  const own = await Lock.take(repository, 'append', {run: 'unlock', signal: options.signal});
  try {
    const locks = await listLocks(repository, options);
    const removed = locks.filter(lock => lock.id !== own.id && (options.all || lock.stale));
    for (const {keys} of removed) for (const key of keys) await repository.store.delete(key, options);
    return removed;
  } finally {
    await own.release();
  }
}

function ownerOf(
  repository: Repository,
  {id, sealed}: z.infer<typeof lockSchema>,
): z.infer<typeof ownerSchema> | undefined {
  try {
    const plain = open(repository.rootKey, Buffer.from(sealed, 'base64'), context(id));
    return ownerSchema.parse(JSON.parse(plain.toString('utf8')));
  } catch {
    return undefined;
  }
}

const locked = (repository: Repository, {owner, ageMs}: LockInfo) =>
  new PraError('REPOSITORY_LOCKED', `somebody else prunes ${repository.store.url}`, {
    why: owner && `${owner.host}, process ${owner.pid}, seen ${formatDuration(ageMs)} ago`,
    next: ['run it again when the other has ended', 'if it was killed: pra repository unlock --all'],
  });
