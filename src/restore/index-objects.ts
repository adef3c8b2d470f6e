import {groupOf, type KubeObject, type ResourceType} from '../cluster/object.ts';
import {groupKind} from '../snapshot/exclude.ts';

/** An object of a snapshot with its kind. */
export interface SnapshotObject {
  type: ResourceType;
  object: KubeObject;
}

/** All objects of a snapshot, found by kind and name. */
export interface ObjectIndex {
  all: readonly SnapshotObject[];
  /** The objects of a kind, written `Deployment.apps`. */
  ofKind(groupKind: string): readonly SnapshotObject[];
  find(groupKind: string, namespace: string | undefined, name: string): KubeObject | undefined;
}

/** The name of an object that is unique in a cluster whatever the version of its kind. */
export function objectKey(groupKindName: string, namespace: string | undefined, name: string): string {
  return `${groupKindName}|${namespace ?? ''}|${name}`;
}

/** The key of an object that carries its kind itself. */
export function keyOf(object: KubeObject): string {
  const kind = groupKind({group: groupOf(object.apiVersion), kind: object.kind});
  return objectKey(kind, object.metadata.namespace, object.metadata.name);
}

/** Indexes objects, in the order of their keys, so that everything made from the index is the same on each run. */
export function indexObjects(objects: Iterable<SnapshotObject>): ObjectIndex {
  const keyed = Array.from(objects, entry => ({key: keyOf(entry.object), entry}));
  keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  const byKey = new Map<string, KubeObject>();
  const byKind = new Map<string, SnapshotObject[]>();
  for (const {key, entry} of keyed) {
    byKey.set(key, entry.object);
    const kind = groupKind({group: groupOf(entry.object.apiVersion), kind: entry.object.kind});
    const list = byKind.get(kind);
    if (list) list.push(entry);
    else byKind.set(kind, [entry]);
  }
  return {
    all: keyed.map(({entry}) => entry),
    ofKind: kind => byKind.get(kind) ?? [],
    find: (kind, namespace, name) => byKey.get(objectKey(kind, namespace, name)),
  };
}
