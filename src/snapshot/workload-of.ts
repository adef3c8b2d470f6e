import type {KubeObject, OwnerReference} from '../cluster/object.ts';

/**
 * The workload that a pod belongs to, as `Deployment/web`: its controller, or the controller of that one for a
 * ReplicaSet; `Pod/name` for a pod without a controller.
 * @param replicaSets by `namespace/name`.
 */
export function workloadOf(pod: KubeObject, replicaSets: ReadonlyMap<string, KubeObject>): string {
  const owner = controllerOf(pod);
  if (!owner) return `Pod/${pod.metadata.name}`;
  const set =
    owner.kind === 'ReplicaSet' ? replicaSets.get(`${pod.metadata.namespace}/${owner.name}`) : undefined;
  const top = (set && controllerOf(set)) ?? owner;
  return `${top.kind}/${top.name}`;
}

/** What made an object and looks after it; undefined for one that stands for itself. */
export const controllerOf = (object: KubeObject): OwnerReference | undefined =>
  object.metadata.ownerReferences?.find(reference => reference.controller === true);
