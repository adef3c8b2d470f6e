import {groupKindOf} from '../../snapshot/exclude.ts';
import {numberAt, withAt} from '../../std/json-at.ts';
import type {Action} from './action.ts';

const SCALED = new Set(['Deployment.apps', 'StatefulSet.apps', 'ReplicaSet.apps', 'ReplicationController']);

/** How many pods a workload has; other kinds have none to count. */
export const replicas: Action<'replicas'> = (object, wanted) => {
  const before = numberAt(object, 'spec', 'replicas') ?? 1;
  if (!SCALED.has(groupKindOf(object)) || before === wanted) return undefined;
  return {
    object: withAt(object, ['spec', 'replicas'], wanted),
    path: 'spec.replicas',
    what: `${before} → ${wanted}`,
  };
};
