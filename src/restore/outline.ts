import type {KubeObject, ObjectMeta} from '../cluster/object.ts';
import {groupKindOf} from '../snapshot/exclude.ts';
import {podSpecIn} from '../snapshot/pod-spec.ts';
import type {Json, JsonObject} from '../std/json.ts';
import {arrayAt, at, isJsonObject, objectAt, stringAt, stringsAt} from '../std/json-at.ts';
import {INERT_ANNOTATIONS} from './inert.ts';

const RBAC = 'rbac.authorization.k8s.io';

/** Kinds that there are few of, or of which planning needs most. */
const WHOLE = new Set([
  'CustomResourceDefinition.apiextensions.k8s.io',
  'StorageClass.storage.k8s.io',
  'HorizontalPodAutoscaler.autoscaling',
  'APIService.apiregistration.k8s.io',
  'ValidatingWebhookConfiguration.admissionregistration.k8s.io',
  'MutatingWebhookConfiguration.admissionregistration.k8s.io',
  'PersistentVolumeClaim',
  'Namespace',
]);

/** Kinds that rules and the search for operators look up by name, so that they are read before the others. */
export const LOOKED_UP: ReadonlySet<string> = new Set([
  'Service',
  'StorageClass.storage.k8s.io',
  'CustomResourceDefinition.apiextensions.k8s.io',
  `Role.${RBAC}`,
  `ClusterRole.${RBAC}`,
  `RoleBinding.${RBAC}`,
  `ClusterRoleBinding.${RBAC}`,
]);

export const isWhole = (object: KubeObject) => WHOLE.has(groupKindOf(object));

/**
 * What planning needs of an object: who it is, who owns it, and of workloads what starts them, what labels they have and
 * which claims they mount. An outline takes a tenth of the memory.
 */
export function outlineOf(object: KubeObject): KubeObject {
  if (isWhole(object)) return object;
  const {apiVersion, kind} = object;
  const metadata = outlineOfMetadata(object);
  const extra = BY_KIND[groupKindOf(object)]?.(object);
  if (extra) return {apiVersion, kind, metadata, ...extra};
  return podSpecIn(object) === undefined ? {apiVersion, kind, metadata} : outlineOfWorkload(object, metadata);
}

function outlineOfMetadata({metadata}: KubeObject): ObjectMeta {
  const {name, namespace, ownerReferences} = metadata;
  return {
    name,
    ...(namespace === undefined ? {} : {namespace}),
    ...(ownerReferences === undefined ? {} : {ownerReferences}),
  };
}

const BY_KIND: Readonly<Record<string, (object: KubeObject) => Record<string, unknown>>> = {
  [`Role.${RBAC}`]: ({rules}) => ({rules}),
  [`ClusterRole.${RBAC}`]: ({rules}) => ({rules}),
  [`RoleBinding.${RBAC}`]: ({roleRef, subjects}) => ({roleRef, subjects}),
  [`ClusterRoleBinding.${RBAC}`]: ({roleRef, subjects}) => ({roleRef, subjects}),
  Service: object => ({spec: pick(object.spec, ['type', 'selector', 'ports'])}),
};

function pick(from: JsonObject | undefined, fields: readonly string[]): JsonObject {
  const kept: JsonObject = {};
  for (const field of fields) if (from?.[field] !== undefined) kept[field] = from[field];
  return kept;
}

function outlineOfWorkload(object: KubeObject, metadata: ObjectMeta): KubeObject {
  const {apiVersion, kind} = object;
  const annotations = Object.fromEntries(
    Object.entries(stringsAt(object, 'metadata', 'annotations')).filter(([name]) =>
      INERT_ANNOTATIONS.has(name),
    ),
  );
  const {labels} = object.metadata;
  const outline: KubeObject = {
    apiVersion,
    kind,
    metadata: {
      ...metadata,
      ...(labels === undefined ? {} : {labels}),
      ...(Object.keys(annotations).length === 0 ? {} : {annotations}),
    },
    spec: pick(object.spec, ['replicas', 'suspend', 'serviceName']),
  };
  const pods = outlineOfPods(object);
  if (kind === 'Pod') return {...outline, spec: pods};
  const podLabels = objectAt(object, 'spec', 'template', 'metadata', 'labels');
  const template: JsonObject = {spec: pods, ...(podLabels ? {metadata: {labels: podLabels}} : {})};
  const templates = arrayAt(object, 'spec', 'volumeClaimTemplates').map<Json>(claim => ({
    metadata: {name: stringAt(claim, 'metadata', 'name') ?? ''},
  }));
  return {
    ...outline,
    spec: {...outline.spec, template, ...(templates.length > 0 ? {volumeClaimTemplates: templates} : {})},
  };
}

function outlineOfPods(object: KubeObject): JsonObject {
  const spec = podSpecIn(object);
  const claims = arrayAt(spec, 'volumes').filter(
    volume => isJsonObject(volume) && at(volume, 'persistentVolumeClaim') !== undefined,
  );
  return {...pick(spec, ['serviceAccountName']), ...(claims.length > 0 ? {volumes: claims} : {})};
}
