import type {KubeObject} from '../cluster/object.ts';
import {matchGlobs} from '../snapshot/glob.ts';
import {podSpecIn} from '../snapshot/pod-spec.ts';
import {parseSelector} from '../snapshot/selector.ts';
import {arrayAt, stringAt, stringsAt} from '../std/json-at.ts';
import type {ObjectIndex} from './index-objects.ts';
import type {VolumeWaiver} from './policy.ts';

const USERS = [
  'StatefulSet.apps',
  'Deployment.apps',
  'DaemonSet.apps',
  'ReplicaSet.apps',
  'ReplicationController',
  'Pod',
];

/** A claim with the workloads that mount it. */
export interface ClaimUse {
  claim: KubeObject;
  users: readonly KubeObject[];
}

/** The claims of a snapshot and what mounts each: by name, or as made from a StatefulSet's claim templates. */
export function claimUses(index: ObjectIndex): ClaimUse[] {
  const users = USERS.flatMap(kind => index.ofKind(kind)).map(({object}) => ({
    object,
    mounts: mountsOf(object),
  }));
  return index.ofKind('PersistentVolumeClaim').map(({object: claim}) => ({
    claim,
    users: users
      .filter(
        ({object, mounts}) =>
          object.metadata.namespace === claim.metadata.namespace && mounts(claim.metadata.name),
      )
      .map(({object}) => object),
  }));
}

function mountsOf(workload: KubeObject): (claim: string) => boolean {
  const named = new Set(
    arrayAt(podSpecIn(workload), 'volumes').map(volume =>
      stringAt(volume, 'persistentVolumeClaim', 'claimName'),
    ),
  );
  const prefixes = arrayAt(workload, 'spec', 'volumeClaimTemplates').map(
    template => `${stringAt(template, 'metadata', 'name')}-${workload.metadata.name}-`,
  );
  return claim =>
    named.has(claim) ||
    prefixes.some(prefix => claim.startsWith(prefix) && /^\d+$/.test(claim.slice(prefix.length)));
}

/** Tells whether a waiver or rule of the plan, written as labels, is for a claim: its own labels, or those of its pods. */
export function compileClaimMatch(rule: VolumeWaiver): (use: ClaimUse) => boolean {
  const fits = parseSelector(rule.selector);
  const namespace = rule.namespaces === undefined ? () => true : matchGlobs(rule.namespaces);
  const storageClass = rule.storageClasses && matchGlobs(rule.storageClasses);
  return ({claim, users}) =>
    (storageClass?.(stringAt(claim, 'spec', 'storageClassName') ?? '') ?? true) &&
    namespace(claim.metadata.namespace ?? '') &&
    (fits(stringsAt(claim, 'metadata', 'labels')) || users.some(user => fits(podLabelsOf(user))));
}

/** Labels that the pods of a workload carry. */
export function podLabelsOf(workload: KubeObject): Record<string, string> {
  return workload.kind === 'Pod'
    ? stringsAt(workload, 'metadata', 'labels')
    : stringsAt(workload, 'spec', 'template', 'metadata', 'labels');
}
