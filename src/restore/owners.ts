import type {KubeObject, OwnerReference} from '../cluster/object.ts';
import {groupKindOf} from '../snapshot/exclude.ts';
import {objectKey} from './index-objects.ts';
import type {RestoreItem} from './item.ts';
import type {Presence} from './presence.ts';

/** Keys under which an owner may be known: in the namespace of what it owns, or cluster-wide. */
export function ownerKeys(owner: OwnerReference, namespace: string | undefined): string[] {
  const kind = kindOf(owner);
  return namespace === undefined
    ? [objectKey(kind, undefined, owner.name)]
    : [objectKey(kind, namespace, owner.name), objectKey(kind, undefined, owner.name)];
}

const kindOf = ({apiVersion, kind, name}: OwnerReference) =>
  groupKindOf({apiVersion, kind, metadata: {name}});

/** UIDs in the target of what a restore created, by `objectKey`, shared by all its waves and groups. */
export class UidMap extends Map<string, string> {
  /** Created before one of their owners was: they get their ownerReferences in a second pass. */
  readonly unlinked: RestoreItem[] = [];
}

/** ownerReferences with the UIDs of the target, and whether all owners are known already. */
export interface RelinkedOwners {
  references: OwnerReference[];
  complete: boolean;
}

/** Rewrites the owners of an object to their UIDs in the target; those that are not there yet are left out. */
export function relinkOwners(object: KubeObject, uids: UidMap): RelinkedOwners {
  const owners = object.metadata.ownerReferences ?? [];
  const references = owners.flatMap(owner => {
    const uid = ownerKeys(owner, object.metadata.namespace)
      .map(key => uids.get(key))
      .find(known => known !== undefined);
    return uid === undefined ? [] : [{...owner, uid}];
  });
  return {references, complete: references.length === owners.length};
}

/**
 * The object with these owners, or without the field when there are none. An ownerReference with a UID of the source
 * must never be written: the garbage collector of the target would delete the object.
 */
export function withOwners(object: KubeObject, references: readonly OwnerReference[]): KubeObject {
  const {ownerReferences, ...metadata} = object.metadata;
  if (ownerReferences === undefined) return object;
  return {
    ...object,
    metadata: references.length > 0 ? {...metadata, ownerReferences: [...references]} : metadata,
  };
}

/** Splits the owners of an object by whether they come back with it. */
export function splitOwners({metadata}: KubeObject, present: Presence) {
  const owners = metadata.ownerReferences ?? [];
  const kept = owners.filter(owner => {
    const kind = kindOf(owner);
    return present.has(kind, metadata.namespace, owner.name) || present.has(kind, undefined, owner.name);
  });
  return {kept, gone: owners.filter(owner => !kept.includes(owner))};
}
