import type {KubeObject} from '../cluster/object.ts';
import {withoutAt} from '../std/json-at.ts';

/** Fields of metadata that the API server writes itself; they say nothing of what the user wants. */
const VOLATILE = [
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'selfLink',
  'managedFields',
] as const;

/**
 * An object as it is kept and compared: without what the API server writes by itself and without status, which only
 * feeds the health baseline. Two objects that a user would call equal are equal, whichever cluster they come from.
 * ownerReferences stay as they were, with the source's UIDs, since a restore relinks them by these.
 */
export function canonicalObject(object: KubeObject): KubeObject {
  const {status: _status, metadata, ...rest} = object;
  const kept = {...metadata};
  for (const field of VOLATILE) Reflect.deleteProperty(kept, field);
  const canonical: KubeObject = {...rest, apiVersion: object.apiVersion, kind: object.kind, metadata: kept};
  const bare = WRITTEN_BY_SERVER.reduce((result, path) => withoutAt(result, path), canonical);
  return object.kind === 'Namespace' ? withoutAt(bare, ['spec', 'finalizers']) : bare;
}

/** Old Go types write `creationTimestamp: null` into every embedded template. */
const WRITTEN_BY_SERVER = [
  ['spec', 'template', 'metadata', 'creationTimestamp'],
  ['spec', 'jobTemplate', 'metadata', 'creationTimestamp'],
  ['spec', 'jobTemplate', 'spec', 'template', 'metadata', 'creationTimestamp'],
];
