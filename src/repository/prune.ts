import {PraError} from '../errors.ts';
import {formatDuration} from '../std/duration.ts';
import {mapPool} from '../std/pool.ts';
import {waitFor} from '../std/wait.ts';
import {LOCK_TTL_MS, Lock, listLocks} from './lock.ts';
import {readPending} from './pending.ts';
import {reachableKeys} from './reachable.ts';
import type {Repository} from './repository.ts';
import {listRoots, resticSnapshotsOf} from './snapshot-root.ts';
import type {StoredFile} from './store.ts';

/** Deletions at the same time. */
const DELETIONS = 8;

export type PruneEvent =
  | {type: 'marked'; files: number; bytes: number}
  | {type: 'waiting'; writers: number}
  | {type: 'deleted'; files: number; of: number};

export interface PruneOptions {
  /** Only tells what would be deleted. */
  dryRun?: boolean | undefined;
  /** How long writers that are at work now are waited for. */
  waitMs: number;
  /** Where the data of volumes is kept. */
  volumes?: VolumeStore | undefined;
  signal: AbortSignal;
  onEvent?: ((event: PruneEvent) => void) | undefined;
}

/** Keeps the data of volumes by ids, which snapshots name. */
export interface VolumeStore {
  list(): Promise<string[]>;
  /** Deletes these, and what only they needed. */
  forget(ids: readonly string[]): Promise<void>;
}

export interface PruneResult {
  files: number;
  bytes: number;
  /** Data of volumes that no snapshot names. */
  volumes: number;
  /** Writers that were at work for longer than was waited; nothing was deleted then. */
  blockedBy: string[];
}

/**
 * Deletes what no snapshot needs, while others may write. First it notes what nobody needs now, then which writers are at
 * work, and waits until these have ended: each may still come to need what was noted, because it began when that was
 * there. Writers that begin later find no snapshot that needs it, so they cannot. What nobody needs then either is deleted.
 * It needs no clock but that of the store, and when it is killed nothing is half done.
 * @throws PraError REPOSITORY_LOCKED, REPOSITORY_CORRUPT when a tree cannot be read: what it needs is then not known; STORE_*
 */
export async function pruneRepository(repository: Repository, options: PruneOptions): Promise<PruneResult> {
  const {signal, onEvent} = options;
  const lock = await Lock.take(repository, 'prune', {run: 'prune', signal});
  try {
    if (!options.dryRun) await dropDeadPending(repository, signal);
    const marked = await unneeded(repository, options);
    const result = {files: marked.files.length, bytes: bytesOf(marked.files), volumes: marked.volumes.length};
    onEvent?.({type: 'marked', files: result.files, bytes: result.bytes});
    if (options.dryRun) return {...result, blockedBy: []};
    const blockedBy = await writersEnded(repository, options);
    if (blockedBy.length > 0) return {files: 0, bytes: 0, volumes: 0, blockedBy};
    // Again: the writers that were waited for may have come to need some of it.
    const still = await unneeded(repository, options);
    const keys = new Set(still.files.map(({key}) => key));
    const files = marked.files.filter(({key}) => keys.has(key));
    const volumes = marked.volumes.filter(id => still.volumes.includes(id));
    await lock.confirm(signal);
    // Volumes first: restic may have to wait for its own locks, and when it gives up nothing is deleted.
    if (volumes.length > 0) await options.volumes?.forget(volumes);
    await lock.confirm(signal);
    await deleteFiles(repository, files, options);
    return {files: files.length, bytes: bytesOf(files), volumes: volumes.length, blockedBy: []};
  } finally {
    await lock.release();
  }
}

/** Removes the notes of runs that are dead, before it is noted who is at work: nobody who begins later sees them. */
async function dropDeadPending(repository: Repository, signal: AbortSignal): Promise<void> {
  const locks = await listLocks(repository, {signal});
  const alive = new Set(locks.filter(lock => !lock.stale).map(({owner}) => owner?.run));
  for await (const {key} of repository.store.list('pending/', {signal}))
    if (!alive.has(key.split('/')[1])) await repository.store.delete(key, {signal});
}

async function deleteFiles(
  repository: Repository,
  files: readonly StoredFile[],
  {signal, onEvent}: PruneOptions,
): Promise<void> {
  let deleted = 0;
  await mapPool(files, DELETIONS, async ({key}) => {
    await repository.store.delete(key, {signal});
    deleted += 1;
    if (deleted % 100 === 0 || deleted === files.length)
      onEvent?.({type: 'deleted', files: deleted, of: files.length});
  });
}

interface Unneeded {
  files: StoredFile[];
  volumes: string[];
}

/** Files that no snapshot needs, and what killed runs left. */
async function unneeded(repository: Repository, {signal, volumes}: PruneOptions): Promise<Unneeded> {
  // What there is first: what is written after this is not in the list.
  const files: StoredFile[] = [];
  for (const prefix of ['packs/', 'trees/'])
    for await (const file of repository.store.list(prefix, {signal})) files.push(file);
  const saved = (await volumes?.list()) ?? [];
  const roots = await listRoots(repository, {signal});
  // What runs without a root have noted stays: one that begins now may come to need it.
  const pending = await readPending(repository, {signal});
  const needed = await reachableKeys(repository, [...roots, ...pending.map(({tree}) => ({trees: [tree]}))], {
    signal,
  });
  const found = files.filter(({key}) => !needed.has(key));
  const locks = await listLocks(repository, {signal});
  const stale = new Set(locks.filter(lock => lock.stale).flatMap(lock => lock.keys));
  for await (const file of repository.store.list('locks/', {signal}))
    if (stale.has(file.key)) found.push(file);
  for await (const file of repository.store.partials?.(LOCK_TTL_MS) ?? []) found.push(file);
  // By their beginning: restic before 0.15 told no more of an id than that, and roots from then hold it.
  const named = [...new Set(roots.flatMap(root => root.volumes.flatMap(resticSnapshotsOf)))];
  return {files: found, volumes: saved.filter(id => !named.some(name => id.startsWith(name)))};
}

/** @returns those that did not end in time */
async function writersEnded(repository: Repository, options: PruneOptions): Promise<string[]> {
  const {signal, onEvent, waitMs} = options;
  const working = async () =>
    (await listLocks(repository, {signal})).filter(lock => lock.kind === 'append' && !lock.stale);
  const before = new Set((await working()).map(({id}) => id));
  if (before.size === 0) return [];
  const remaining = async () => (await working()).filter(({id}) => before.has(id));
  onEvent?.({type: 'waiting', writers: before.size});
  try {
    await waitFor(async () => ((await remaining()).length === 0 ? true : undefined), {
      waitingFor: `${before.size} writers`,
      timeoutMs: waitMs,
      intervalMs: 500,
      signal,
    });
    return [];
  } catch (error) {
    if (!(error instanceof PraError) || error.code !== 'TIMEOUT') throw error;
    return (await remaining()).map(({owner, id, ageMs}) =>
      owner ? `${owner.host} process ${owner.pid} (${owner.run}), seen ${formatDuration(ageMs)} ago` : id,
    );
  }
}

const bytesOf = (files: readonly StoredFile[]) => files.reduce((sum, {size}) => sum + size, 0);
