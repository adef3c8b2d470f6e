import type {Cluster} from '../cluster/client.ts';
import type {ResourceType} from '../cluster/object.ts';
import {watchKind} from '../cluster/watch.ts';
import {messageOf, PraError} from '../errors.ts';
import type {Repository} from '../repository/repository.ts';
import type {SnapshotRoot} from '../repository/snapshot-root.ts';
import {sleep} from '../std/wait.ts';
import type {Capture} from './capture.ts';
import {Changes} from './changes.ts';
import {cutSnapshot} from './cut.ts';
import {groupKind} from './exclude.ts';
import type {SnapshotSelect} from './select.ts';

export type FollowEvent =
  /** A whole snapshot was taken, and why not only a cut. */
  | {type: 'whole'; root: SnapshotRoot; why: string}
  /** What changed was written. `rpoMs`: age of the oldest of it when it was safe. */
  | {type: 'cut'; root: SnapshotRoot; changes: number; rpoMs: number}
  /** Nothing changed that is not in a snapshot. */
  | {type: 'idle'; root: SnapshotRoot}
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

/**
 * Takes a whole snapshot, then watches the cluster and writes what changed, until the signal aborts. What a watch cannot
 * tell (a new kind, a new namespace, a server that forgot its past) leads to a whole snapshot, which is cheap when little
 * changed.
 * @throws PraError of the first whole snapshot; those of later ones are told, and it is tried again
 */
export async function followCluster(options: FollowOptions): Promise<void> {
  const {signal, onEvent} = options;
  let why = 'the first';
  let savedAt: number | undefined;
  while (!signal.aborted) {
    let capture: Capture | undefined;
    let root: SnapshotRoot;
    try {
      root = await options.takeWhole(found => {
        capture = found;
      });
    } catch (error) {
      if (savedAt === undefined || signal.aborted || !(error instanceof PraError)) throw error;
      onEvent({type: 'trouble', why: error.message, unsavedMs: Date.now() - savedAt});
      await sleep(options.everyMs, signal).catch(() => undefined);
      continue;
    }
    onEvent({type: 'whole', root, why});
    if (!capture) return;
    why = await followFrom(options, root, capture);
    savedAt = Date.now();
  }
}

/** Cuts snapshots until a whole one is due. @returns why it is */
async function followFrom(options: FollowOptions, whole: SnapshotRoot, capture: Capture): Promise<string> {
  const {signal, onEvent} = options;
  const ended = new AbortController();
  const watch = startWatches(options, whole, capture, AbortSignal.any([signal, ended.signal]));
  const due = performance.now() + options.wholeEveryMs;
  let root = whole;
  try {
    for (;;) {
      await sleep(options.everyMs, signal).catch(() => undefined);
      if (signal.aborted) return 'stopped';
      if (watch.reason !== undefined) return watch.reason;
      if (performance.now() >= due) return 'due';
      if (watch.trouble !== undefined) {
        onEvent({type: 'trouble', why: watch.trouble, unsavedMs: Date.now() - watch.heardAt});
        watch.trouble = undefined;
      }
      if (watch.changes.size === 0) {
        onEvent({type: 'idle', root});
        continue;
      }
      const batch = watch.changes.take();
      const resourceVersions = {...watch.resourceVersions};
      try {
        root = await cutSnapshot({...options, parent: root, batch, capture, resourceVersions});
        onEvent({type: 'cut', root, changes: batch.changes.length, rpoMs: Date.now() - batch.since});
      } catch (error) {
        if (signal.aborted || !(error instanceof PraError)) throw error;
        // Forgotten or damaged meanwhile: nothing can go on from it.
        if (error.code === 'STORE_MISSING' || error.code === 'REPOSITORY_CORRUPT') return error.message;
        watch.changes.restore(batch);
        onEvent({type: 'trouble', why: error.message, unsavedMs: Date.now() - batch.since});
      }
    }
  } finally {
    ended.abort();
    await watch.done;
  }
}

interface Watch {
  changes: Changes;
  resourceVersions: Record<string, string>;
  /** Why a whole snapshot is needed. */
  reason: string | undefined;
  trouble: string | undefined;
  heardAt: number;
  done: Promise<unknown>;
}

/** Kinds that decide which other kinds and namespaces there are. */
const SHAPE = new Set([
  'Namespace',
  'CustomResourceDefinition.apiextensions.k8s.io',
  'APIService.apiregistration.k8s.io',
]);

function startWatches(
  options: FollowOptions,
  root: SnapshotRoot,
  capture: Capture,
  signal: AbortSignal,
): Watch {
  const watch: Watch = {
    changes: new Changes(),
    resourceVersions: {},
    reason: undefined,
    trouble: undefined,
    heardAt: Date.now(),
    done: Promise.resolve(),
  };
  const follow = async (type: ResourceType, namespace: string | undefined) => {
    const kind = groupKind(type);
    const resourceVersion = root.resourceVersions[kind];
    if (resourceVersion === undefined || !type.verbs.includes('watch')) return;
    try {
      const events = watchKind(options.cluster, type, {
        namespace,
        resourceVersion,
        signal,
        onResourceVersion: version => {
          watch.resourceVersions[kind] = version;
          watch.heardAt = Date.now();
        },
        onTrouble: error => {
          watch.trouble = `${kind}: ${messageOf(error)}`;
        },
      });
      for await (const event of events) {
        if (SHAPE.has(kind)) watch.reason ??= `${kind} ${event.name} changed`;
        const json = event.change === 'deleted' ? undefined : event.json;
        watch.changes.add({type, namespace: event.namespace, name: event.name, json});
      }
    } catch (error) {
      // The server forgot what came after, or the right to watch was lost: a whole snapshot says more.
      watch.reason ??= `the watch of ${kind} ended: ${messageOf(error)}`;
    }
  };
  watch.done = Promise.all(
    capture.types.flatMap(type =>
      (type.namespaced ? capture.scopes : [undefined]).map(namespace => follow(type, namespace)),
    ),
  );
  return watch;
}
