import type {Cluster} from '../cluster/client.ts';
import type {ResourceType} from '../cluster/object.ts';
import {type WatchEvent, watchKind} from '../cluster/watch.ts';
import {messageOf} from '../errors.ts';
import type {SnapshotRoot} from '../repository/snapshot-root.ts';
import type {Capture} from './capture.ts';
import {Changes} from './changes.ts';
import {groupKind} from './exclude.ts';
import type {Shape} from './shape.ts';

/** So long after a kind or namespace came it is served, and a list of it is not empty any more. */
const SETTLE_MS = 2_000;

/** What is seen of a cluster since a whole snapshot. */
export interface FollowWatch {
  changes: Changes;
  resourceVersions: Record<string, string>;
  /** Why a whole snapshot is needed, if one is. */
  reason(): string | undefined;
  /** What went wrong since it was asked last, and may pass. */
  takeTroubles(): string[];
  /** The API server has said of everything how it was at this time, or later. */
  heardAt(): number;
  done: Promise<unknown>;
}

/** Watches all kinds of a capture from where their lists stood, and what decides which kinds there are. */
export function startWatches(
  cluster: Cluster,
  options: {whole: SnapshotRoot; capture: Capture; shape: Shape; signal: AbortSignal},
): FollowWatch {
  const {whole, capture, shape, signal} = options;
  const changes = new Changes();
  const resourceVersions: Record<string, string> = {};
  const troubles = new Set<string>();
  const heard = new Map<object, number>();
  let reason: {text: string; at: number} | undefined;
  const need = (text: string, settleMs: number) => {
    reason ??= {text, at: Date.now() + settleMs};
  };
  const follow = async (
    type: ResourceType,
    from: {namespace?: string | undefined; resourceVersion: string},
    take: (event: WatchEvent) => void,
    onVersion: (version: string) => void = () => undefined,
  ) => {
    const kind = groupKind(type);
    const self = {};
    heard.set(self, Date.now());
    try {
      const events = watchKind(cluster, type, {
        ...from,
        signal,
        onResourceVersion: version => {
          onVersion(version);
          heard.set(self, Date.now());
        },
        onTrouble: error => troubles.add(`${kind}: ${messageOf(error)}`),
      });
      for await (const event of events) take(event);
    } catch (error) {
      // The server forgot what came after, or the right to watch was lost: a whole snapshot says more.
      need(`the watch of ${kind} ended: ${messageOf(error)}`, 0);
    } finally {
      heard.delete(self);
    }
  };
  const followCaptured = async (type: ResourceType, namespace: string | undefined) => {
    const kind = groupKind(type);
    const resourceVersion = whole.resourceVersions[kind];
    if (resourceVersion === undefined) return;
    if (!type.verbs.includes('watch')) {
      troubles.add(`${kind} cannot be watched: until the next whole snapshot it stays as it was in the last`);
      return;
    }
    await follow(
      type,
      {namespace, resourceVersion},
      ({change, name, namespace: where, json}) =>
        changes.add({type, namespace: where, name, json: change === 'deleted' ? undefined : json}),
      version => {
        resourceVersions[kind] = version;
      },
    );
  };
  const done = Promise.all([
    ...capture.types.flatMap(type =>
      (type.namespaced ? capture.scopes : [undefined]).map(namespace => followCaptured(type, namespace)),
    ),
    ...shape.kinds().map(({type, resourceVersion}) =>
      follow(type, {resourceVersion}, event => {
        const what = shape.take(type, event);
        if (what !== undefined) need(what, SETTLE_MS);
      }),
    ),
  ]);
  return {
    changes,
    resourceVersions,
    reason: () => (reason && Date.now() >= reason.at ? reason.text : undefined),
    takeTroubles: () => {
      const taken = [...troubles];
      troubles.clear();
      return taken;
    },
    heardAt: () => Math.min(Date.now(), ...heard.values()),
    done,
  };
}
