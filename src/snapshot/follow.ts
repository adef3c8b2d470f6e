import type {Cluster} from '../cluster/client.ts';
import {PraError} from '../errors.ts';
import type {Repository} from '../repository/repository.ts';
import type {SnapshotRoot} from '../repository/snapshot-root.ts';
import {sleep} from '../std/wait.ts';
import type {Capture} from './capture.ts';
import {cutSnapshot} from './cut.ts';
import {startWatches} from './follow-watch.ts';
import type {SnapshotSelect} from './select.ts';
import {Shape} from './shape.ts';

export type FollowEvent =
  /** A whole snapshot was taken, and why not only a cut. */
  | {type: 'whole'; root: SnapshotRoot; why: string}
  /** What changed was written. `rpoMs`: age of the oldest of it when it was safe. */
  | {type: 'cut'; root: SnapshotRoot; changes: number; rpoMs: number}
  /** Nothing is known to have changed that is not in a snapshot. `rpoMs`: since when the API server has not said so. */
  | {type: 'idle'; root: SnapshotRoot; rpoMs: number}
  /** `unsavedMs`: since when changes may be in no snapshot. */
  | {type: 'trouble'; why: string; unsavedMs: number};

export interface FollowOptions {
  cluster: Cluster;
  repository: Repository;
  select: SnapshotSelect;
  tool: string;
  /** Takes a whole snapshot: volumes, canary and all. */
  takeWhole: (onCapture: (capture: Capture) => void) => Promise<SnapshotRoot>;
  /** How often what changed is written. */
  everyMs: number;
  /** How often a whole snapshot is taken. */
  wholeEveryMs: number;
  signal: AbortSignal;
  onEvent: (event: FollowEvent) => void;
}

/** A watch that ends so soon after a whole snapshot would end after the next one too. */
const SOON = 2;

/**
 * Takes a whole snapshot, then watches the cluster and writes what changed, until the signal aborts. What a watch cannot
 * tell (a new kind, a new namespace, a server that forgot its past) leads to a whole snapshot, which is cheap when little
 * changed; when one follows the other, with longer and longer pauses, since a whole one runs hooks and dumps too.
 * @throws PraError of the first whole snapshot; those of later ones are told, and it is tried again
 */
export async function followCluster(options: FollowOptions): Promise<void> {
  const {cluster, select, everyMs, wholeEveryMs, signal, onEvent} = options;
  const shape = new Shape(cluster, select);
  let why = 'the first';
  let savedAt: number | undefined;
  let early = 0;
  while (!signal.aborted) {
    let capture: Capture | undefined;
    let root: SnapshotRoot;
    const began = Date.now();
    try {
      for (const unseen of await shape.read(signal))
        onEvent({type: 'trouble', why: unseen, unsavedMs: Date.now() - (savedAt ?? began)});
      root = await options.takeWhole(found => {
        capture = found;
      });
    } catch (error) {
      if (savedAt === undefined || signal.aborted || !(error instanceof PraError)) throw error;
      onEvent({type: 'trouble', why: error.message, unsavedMs: Date.now() - savedAt});
      await sleep(everyMs, signal).catch(() => undefined);
      continue;
    }
    onEvent({type: 'whole', root, why});
    if (!capture) return;
    const followed = await followFrom(options, {whole: root, capture, shape, savedAt: began});
    ({why, savedAt} = followed);
    early = followed.lastedMs < SOON * everyMs ? early + 1 : 0;
    if (early < 2) continue;
    onEvent({type: 'trouble', why, unsavedMs: Date.now() - savedAt});
    await sleep(Math.min(wholeEveryMs, everyMs * 2 ** early), signal).catch(() => undefined);
  }
}

interface Followed {
  /** Why a whole snapshot is to follow. */
  why: string;
  /** Of which moment the last snapshot is. */
  savedAt: number;
  lastedMs: number;
}

/** Cuts snapshots until a whole one is due. */
async function followFrom(
  options: FollowOptions,
  from: {whole: SnapshotRoot; capture: Capture; shape: Shape; savedAt: number},
): Promise<Followed> {
  const {cluster, everyMs, signal, onEvent} = options;
  const {capture} = from;
  const ended = new AbortController();
  const watch = startWatches(cluster, {...from, signal: AbortSignal.any([signal, ended.signal])});
  const began = performance.now();
  let {whole: root, savedAt} = from;
  const end = (why: string): Followed => ({why, savedAt, lastedMs: performance.now() - began});
  const tellTrouble = (why: string, since: number) =>
    onEvent({type: 'trouble', why, unsavedMs: Date.now() - since});
  try {
    for (;;) {
      await sleep(everyMs, signal).catch(() => undefined);
      if (signal.aborted) return end('stopped');
      const reason = watch.reason();
      if (reason !== undefined) return end(reason);
      if (performance.now() - began >= options.wholeEveryMs) return end('due');
      const troubles = watch.takeTroubles();
      for (const trouble of troubles) tellTrouble(trouble, watch.heardAt());
      if (watch.changes.size === 0) {
        if (troubles.length === 0) onEvent({type: 'idle', root, rpoMs: Date.now() - watch.heardAt()});
        continue;
      }
      const batch = watch.changes.take();
      const resourceVersions = {...watch.resourceVersions};
      try {
        root = await cutSnapshot({...options, parent: root, batch, capture, resourceVersions});
        savedAt = Date.parse(root.createdAt);
        onEvent({type: 'cut', root, changes: batch.changes.length, rpoMs: Date.now() - batch.since});
      } catch (error) {
        if (signal.aborted || !(error instanceof PraError)) throw error;
        // Forgotten or damaged meanwhile: nothing can go on from it.
        if (error.code === 'STORE_MISSING' || error.code === 'REPOSITORY_CORRUPT') return end(error.message);
        watch.changes.restore(batch);
        tellTrouble(error.message, batch.since);
      }
    }
  } finally {
    ended.abort();
    await watch.done;
  }
}
