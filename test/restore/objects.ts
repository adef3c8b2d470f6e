import type {KubeObject, ResourceType} from '../../src/cluster/object.ts';
import {groupOf} from '../../src/cluster/object.ts';
import type {SnapshotObject} from '../../src/restore/index-objects.ts';
import type {RestoreTarget} from '../../src/restore/rules/rule.ts';
import type {JsonObject} from '../../src/std/json.ts';

const CLUSTER_SCOPED = new Set([
  'Namespace',
  'PersistentVolume',
  'StorageClass',
  'PriorityClass',
  'RuntimeClass',
  'IngressClass',
  'ClusterRole',
  'ClusterRoleBinding',
  'CustomResourceDefinition',
  'APIService',
  'ValidatingWebhookConfiguration',
  'MutatingWebhookConfiguration',
  'ClusterIssuer',
]);

/** The type of a kind, with the plural that English would give it. */
export function typeOf(apiVersion: string, kind: string): ResourceType {
  const lower = kind.toLowerCase();
  return {
    group: groupOf(apiVersion),
    version: apiVersion.slice(apiVersion.indexOf('/') + 1),
    kind,
    plural: /(s|x|ch)$/.test(lower)
      ? `${lower}es`
      : lower.endsWith('y')
        ? `${lower.slice(0, -1)}ies`
        : `${lower}s`,
    namespaced: !CLUSTER_SCOPED.has(kind),
    verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
    shortNames: [],
  };
}

/** Any object; namespaced kinds are in `shop` unless the metadata says otherwise. */
export function kubeObject(
  apiVersion: string,
  kind: string,
  name: string,
  rest: JsonObject & {metadata?: JsonObject} = {},
): KubeObject {
  const {metadata, ...fields} = rest;
  const place = CLUSTER_SCOPED.has(kind) ? {} : {namespace: 'shop'};
  return {apiVersion, kind, ...fields, metadata: {name, ...place, ...metadata}};
}

/** The same as an entry of a snapshot. */
export function entry(object: KubeObject): SnapshotObject {
  return {type: typeOf(object.apiVersion, object.kind), object};
}

/** A workload whose pods have one container; `pod` is merged into the pod spec. */
export function workload(
  kind: string,
  name: string,
  pod: JsonObject = {},
  spec: JsonObject = {},
): KubeObject {
  const labels = {app: name};
  return kubeObject('apps/v1', kind, name, {
    metadata: {labels},
    spec: {
      ...(kind === 'DaemonSet' ? {} : {replicas: 2}),
      selector: {matchLabels: labels},
      template: {metadata: {labels}, spec: {containers: [{name: 'main', image: 'localhost/app:1'}], ...pod}},
      ...spec,
    },
  });
}

const BUILT_IN = [
  ['v1', 'Namespace'],
  ['v1', 'Pod'],
  ['v1', 'Service'],
  ['v1', 'ServiceAccount'],
  ['v1', 'Secret'],
  ['v1', 'ConfigMap'],
  ['v1', 'Endpoints'],
  ['v1', 'PersistentVolume'],
  ['v1', 'PersistentVolumeClaim'],
  ['apps/v1', 'Deployment'],
  ['apps/v1', 'StatefulSet'],
  ['apps/v1', 'DaemonSet'],
  ['apps/v1', 'ReplicaSet'],
  ['batch/v1', 'Job'],
  ['batch/v1', 'CronJob'],
  ['autoscaling/v2', 'HorizontalPodAutoscaler'],
  ['networking.k8s.io/v1', 'Ingress'],
  ['rbac.authorization.k8s.io/v1', 'Role'],
  ['rbac.authorization.k8s.io/v1', 'RoleBinding'],
  ['rbac.authorization.k8s.io/v1', 'ClusterRole'],
  ['rbac.authorization.k8s.io/v1', 'ClusterRoleBinding'],
  ['storage.k8s.io/v1', 'StorageClass'],
  ['apiextensions.k8s.io/v1', 'CustomResourceDefinition'],
  ['admissionregistration.k8s.io/v1', 'ValidatingWebhookConfiguration'],
] as const;

/** A target that serves the usual kinds and has one storage class. */
export function target(overrides: Partial<RestoreTarget> = {}): RestoreTarget {
  return {
    resourceTypes: BUILT_IN.map(([apiVersion, kind]) => typeOf(apiVersion, kind)),
    storageClasses: [{name: 'local', isDefault: true}],
    version: 'v1.34.4',
    ...overrides,
  };
}
