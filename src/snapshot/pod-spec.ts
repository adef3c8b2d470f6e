import type {KubeObject} from '../cluster/object.ts';
import type {JsonObject} from '../std/json.ts';
import {objectAt, withAt} from '../std/json-at.ts';
import {groupKindOf} from './exclude.ts';

const TEMPLATED = new Set([
  'Deployment.apps',
  'StatefulSet.apps',
  'DaemonSet.apps',
  'ReplicaSet.apps',
  'ReplicationController',
  'Job.batch',
]);

/** The pod spec inside a workload, or of a pod; undefined for other kinds. */
export function podSpecIn(object: KubeObject): JsonObject | undefined {
  const kind = groupKindOf(object);
  if (kind === 'Pod') return objectAt(object, 'spec');
  if (kind === 'CronJob.batch') return objectAt(object, 'spec', 'jobTemplate', 'spec', 'template', 'spec');
  return TEMPLATED.has(kind) ? objectAt(object, 'spec', 'template', 'spec') : undefined;
}

/** A copy of a workload, or of a pod, with another pod spec. */
export function withPodSpec(object: KubeObject, spec: JsonObject): KubeObject {
  const kind = groupKindOf(object);
  if (kind === 'Pod') return withAt(object, ['spec'], spec);
  if (kind === 'CronJob.batch')
    return withAt(object, ['spec', 'jobTemplate', 'spec', 'template', 'spec'], spec);
  return withAt(object, ['spec', 'template', 'spec'], spec);
}
