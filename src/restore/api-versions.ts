import {apiVersionOf, groupOf, type KubeObject, type ResourceType} from '../cluster/object.ts';
import {stringAt} from '../std/json-at.ts';
import {reasonNotServed} from './api-lifecycle.ts';
import type {RestoreTarget, RuleContext} from './rules/rule.ts';

/**
 * Versions of Kubernetes' own kinds that differ in nothing but their name, so that an object of the one is an object of
 * the other. Old version, kinds, new version (Kubernetes, "Deprecated API Migration Guide").
 */
const SAME_SHAPE: readonly [from: string, kinds: readonly string[], to: string][] = [
  ['apps/v1beta2', ['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet'], 'apps/v1'],
  ['batch/v1beta1', ['CronJob'], 'batch/v1'],
  ['policy/v1beta1', ['PodDisruptionBudget'], 'policy/v1'],
  ['autoscaling/v2beta2', ['HorizontalPodAutoscaler'], 'autoscaling/v2'],
  ['networking.k8s.io/v1beta1', ['IngressClass'], 'networking.k8s.io/v1'],
  [
    'rbac.authorization.k8s.io/v1beta1',
    ['Role', 'ClusterRole', 'RoleBinding', 'ClusterRoleBinding'],
    'rbac.authorization.k8s.io/v1',
  ],
  ['scheduling.k8s.io/v1beta1', ['PriorityClass'], 'scheduling.k8s.io/v1'],
  ['node.k8s.io/v1beta1', ['RuntimeClass'], 'node.k8s.io/v1'],
  ['storage.k8s.io/v1beta1', ['StorageClass', 'CSIDriver', 'VolumeAttributesClass'], 'storage.k8s.io/v1'],
  [
    'flowcontrol.apiserver.k8s.io/v1beta3',
    ['FlowSchema', 'PriorityLevelConfiguration'],
    'flowcontrol.apiserver.k8s.io/v1',
  ],
  [
    'admissionregistration.k8s.io/v1beta1',
    ['ValidatingAdmissionPolicy', 'ValidatingAdmissionPolicyBinding'],
    'admissionregistration.k8s.io/v1',
  ],
  [
    'resource.k8s.io/v1beta2',
    ['DeviceClass', 'ResourceClaim', 'ResourceClaimTemplate'],
    'resource.k8s.io/v1',
  ],
];

/** Whether the target serves a kind in a version; undefined when nothing is known of the target. */
export function isServed(target: RestoreTarget, apiVersion: string, kind: string): boolean | undefined {
  if (target.served) return target.served.has(`${apiVersion} ${kind}`);
  if (target.resourceTypes.length > 0)
    return target.resourceTypes.some(type => type.kind === kind && apiVersionOf(type) === apiVersion);
  return reasonNotServed(apiVersion, kind, target.version) === undefined ? undefined : false;
}

/** An object in a version that the target serves. */
export interface ServedObject {
  type: ResourceType;
  object: KubeObject;
}

/**
 * Brings an object to a version that the target serves, where its own is not served any more and another one has the
 * same shape: so it is with some versions of Kubernetes itself, and with custom resources whose definition does not
 * convert.
 * @returns undefined when it stays as it is, also when nothing can be done (findUnserved then says so).
 */
export function toServedVersion(
  {type, object}: ServedObject,
  context: Pick<RuleContext, 'target' | 'find'>,
): ServedObject | undefined {
  const {apiVersion, kind} = object;
  if (isServed(context.target, apiVersion, kind) !== false) return undefined;
  const definition = context.find(
    'CustomResourceDefinition.apiextensions.k8s.io',
    undefined,
    `${type.plural}.${type.group}`,
  );
  const served = context.target.resourceTypes.find(one => one.group === type.group && one.kind === kind);
  if (definition) {
    if (!served || bringsVersion(definition, type.version) || converts(definition)) return undefined;
    return inVersion(type, object, apiVersionOf(served));
  }
  const same = SAME_SHAPE.find(([from, kinds]) => from === apiVersion && kinds.includes(kind))?.[2];
  if (same === undefined || isServed(context.target, same, kind) === false) return undefined;
  return inVersion(type, object, same);
}

const converts = (definition: KubeObject) =>
  stringAt(definition, 'spec', 'conversion', 'strategy') === 'Webhook';

/** The definition comes back with the snapshot, and with it the version. */
function bringsVersion(definition: KubeObject, version: string): boolean {
  const versions = definition.spec?.versions;
  return (
    Array.isArray(versions) && versions.some(one => stringAt(one, 'name') === version && !isUnserved(one))
  );
}

const isUnserved = (version: unknown) =>
  typeof version === 'object' && version !== null && Reflect.get(version, 'served') === false;

function inVersion(type: ResourceType, object: KubeObject, apiVersion: string): ServedObject {
  const version = apiVersion.slice(apiVersion.indexOf('/') + 1);
  return {type: {...type, group: groupOf(apiVersion), version}, object: {...object, apiVersion}};
}
