import {groupOf, type KubeObject, objectRef} from '../cluster/object.ts';
import {WAVES, type WaveName} from '../plan/schema/wave.ts';
import {isBuiltInGroup} from '../snapshot/built-in-group.ts';
import {groupKindOf} from '../snapshot/exclude.ts';
import {compareItems, type RestoreItem} from './item.ts';
import {ownerKeys} from './owners.ts';

const RBAC = 'rbac.authorization.k8s.io';

/** Kinds that belong to a wave of their own; other built-in kinds are configuration, other kinds custom resources. */
const WAVE_OF_KIND: Readonly<Record<string, WaveName>> = {
  'CustomResourceDefinition.apiextensions.k8s.io': 'definitions',
  Namespace: 'namespaces',
  'StorageClass.storage.k8s.io': 'classes and quotas',
  'CSIDriver.storage.k8s.io': 'classes and quotas',
  'VolumeAttributesClass.storage.k8s.io': 'classes and quotas',
  'PriorityClass.scheduling.k8s.io': 'classes and quotas',
  'RuntimeClass.node.k8s.io': 'classes and quotas',
  'IngressClass.networking.k8s.io': 'classes and quotas',
  'DeviceClass.resource.k8s.io': 'classes and quotas',
  'FlowSchema.flowcontrol.apiserver.k8s.io': 'classes and quotas',
  'PriorityLevelConfiguration.flowcontrol.apiserver.k8s.io': 'classes and quotas',
  ResourceQuota: 'classes and quotas',
  LimitRange: 'classes and quotas',
  ServiceAccount: 'identities',
  [`Role.${RBAC}`]: 'identities',
  [`ClusterRole.${RBAC}`]: 'identities',
  [`RoleBinding.${RBAC}`]: 'identities',
  [`ClusterRoleBinding.${RBAC}`]: 'identities',
  Secret: 'configuration',
  ConfigMap: 'configuration',
  PersistentVolume: 'volumes',
  PersistentVolumeClaim: 'volumes',
  Service: 'network',
  Endpoints: 'network',
  'EndpointSlice.discovery.k8s.io': 'network',
  'NetworkPolicy.networking.k8s.io': 'network',
  'Deployment.apps': 'workloads',
  'StatefulSet.apps': 'workloads',
  'DaemonSet.apps': 'workloads',
  'ReplicaSet.apps': 'workloads',
  ReplicationController: 'workloads',
  'Job.batch': 'workloads',
  'CronJob.batch': 'workloads',
  Pod: 'workloads',
  'HorizontalPodAutoscaler.autoscaling': 'autoscalers',
  'PodDisruptionBudget.policy': 'routes and budgets',
  'Ingress.networking.k8s.io': 'routes and budgets',
  'APIService.apiregistration.k8s.io': 'admission',
  'ValidatingWebhookConfiguration.admissionregistration.k8s.io': 'admission',
  'MutatingWebhookConfiguration.admissionregistration.k8s.io': 'admission',
  'ValidatingAdmissionPolicy.admissionregistration.k8s.io': 'admission',
  'ValidatingAdmissionPolicyBinding.admissionregistration.k8s.io': 'admission',
  'MutatingAdmissionPolicy.admissionregistration.k8s.io': 'admission',
  'MutatingAdmissionPolicyBinding.admissionregistration.k8s.io': 'admission',
};

const GATEWAY = 'gateway.networking.k8s.io';

/** The wave of an object. `operators` are the references that `findOperators` gave. */
function waveOf(object: KubeObject, operators: ReadonlySet<string>): WaveName {
  const wave = WAVE_OF_KIND[groupKindOf(object)];
  if (wave === 'workloads' && operators.has(objectRef(object))) return 'operators';
  if (wave) return wave;
  const group = groupOf(object.apiVersion);
  if (group === GATEWAY) return object.kind.endsWith('Class') ? 'classes and quotas' : 'routes and budgets';
  return isBuiltInGroup(group) ? 'configuration' : 'custom resources';
}

export interface RestoreWave {
  name: WaveName;
  /** 0 for objects whose owners are in earlier waves, 1 for what those own, and so on. */
  layer: number;
  when: 'before-groups' | 'after-groups';
  items: readonly RestoreItem[];
}

/** What a wave is called in progress: those of owned objects come after their owners'. */
export const waveTitle = ({name, layer}: Pick<RestoreWave, 'name' | 'layer'>) =>
  layer === 0 ? name : `${name}, owned`;

/**
 * Puts objects into waves, and within a wave owners before what they own, so that most ownerReferences can be written
 * with the owner's new UID at once. The same objects in any order give the same waves; each object is in one wave.
 * @param chosen the wave that a rule of the plan says, which counts over the built-in one
 */
export function orderItems(
  items: readonly RestoreItem[],
  operators: ReadonlySet<string>,
  chosen: (object: KubeObject) => WaveName | undefined = () => undefined,
): RestoreWave[] {
  const byWave = new Map<WaveName, RestoreItem[]>();
  for (const item of items) {
    const wave = item.followUp ? 'admission' : (chosen(item.object) ?? waveOf(item.object, operators));
    const list = byWave.get(wave);
    if (list) list.push(item);
    else byWave.set(wave, [item]);
  }
  return WAVES.flatMap(name =>
    ownerLayers(byWave.get(name) ?? []).map<RestoreWave>((layer, index) => ({
      name,
      layer: index,
      when: name === 'admission' ? 'after-groups' : 'before-groups',
      items: layer.sort(compareItems),
    })),
  );
}

/** Splits the items of a wave so that owners come in an earlier layer; a circle of owners ends in the last layer. */
function ownerLayers(items: readonly RestoreItem[]): RestoreItem[][] {
  if (items.every(({object}) => object.metadata.ownerReferences === undefined))
    return items.length > 0 ? [[...items]] : [];
  const inWave = new Set(items.map(item => item.key));
  const placed = new Set<string>();
  const layers: RestoreItem[][] = [];
  let rest = [...items];
  while (rest.length > 0) {
    const ready = rest.filter(item =>
      ownerKeysOf(item.object).every(key => placed.has(key) || !inWave.has(key) || key === item.key),
    );
    const layer = ready.length > 0 ? ready : rest;
    for (const item of layer) placed.add(item.key);
    layers.push(layer);
    const taken = new Set(layer);
    rest = rest.filter(item => !taken.has(item));
  }
  return layers;
}

const ownerKeysOf = (object: KubeObject) =>
  (object.metadata.ownerReferences ?? []).flatMap(owner => ownerKeys(owner, object.metadata.namespace));
