import {type Cluster, isApiError} from '../cluster/client.ts';
import {discover} from '../cluster/discover.ts';
import {readIdentity} from '../cluster/identity.ts';
import {listAll} from '../cluster/list.ts';
import type {KubeObject, ResourceType} from '../cluster/object.ts';
import {quantityOf} from '../cluster/quantity.ts';
import {PraError} from '../errors.ts';
import {groupKind} from '../snapshot/exclude.ts';
import {arrayAt, at, numberAt, objectAt, stringAt} from '../std/json-at.ts';
import {minorOf} from './api-lifecycle.ts';
import {keyOf} from './index-objects.ts';
import type {RestoreTarget, TargetQuota} from './rules/rule.ts';

const IS_DEFAULT = 'storageclass.kubernetes.io/is-default-class';
const RBAC = 'rbac.authorization.k8s.io';
const ADMISSION = 'admissionregistration.k8s.io';

/** Kinds whose names a copy must not take from what is in the target. */
const TAKEN = [
  `ClusterRoleBinding.${RBAC}`,
  `ValidatingWebhookConfiguration.${ADMISSION}`,
  `MutatingWebhookConfiguration.${ADMISSION}`,
];

/**
 * Reads what a restore must know of the cluster that it writes into; discovery is fresh each time. What the user may not
 * list is left unknown, except storage classes, which claims need. A group that cannot be asked, because what serves it is
 * not up (yet), does not stand in the way of all others.
 * @throws PraError CLUSTER_*.
 */
export async function readTargetFacts(
  cluster: Cluster,
  {signal}: {signal: AbortSignal},
): Promise<RestoreTarget> {
  const [{types, served, lost}, identity] = await Promise.all([
    discover(cluster, {signal}),
    readIdentity(cluster, {signal}),
  ]);
  const typeOf = (kind: string) => types.find(type => groupKind(type) === kind);
  const list = (kind: string) => listKnown(cluster, typeOf(kind), signal);
  const storageType = typeOf('StorageClass.storage.k8s.io');
  const [classes, namespaces, services, quotas, nodes, claims, ...taken] = await Promise.all([
    storageType ? listAll(cluster, storageType, {signal}) : [],
    list('Namespace'),
    list('Service'),
    list('ResourceQuota'),
    list('Node'),
    list('PersistentVolumeClaim'),
    ...TAKEN.map(list),
  ]);
  const storageClasses = classes.map(object => ({
    name: object.metadata.name,
    isDefault: stringAt(object, 'metadata', 'annotations', IS_DEFAULT) === 'true',
  }));
  return {
    resourceTypes: types,
    served,
    lost,
    storageClasses,
    version: identity.version,
    ...(namespaces ? namespaceFacts(namespaces) : {}),
    ...(services ? {nodePorts: nodePortsOf(services)} : {}),
    ...(quotas ? {quotas: quotas.map(quotaOf)} : {}),
    ...(nodes ? {images: imagesOf(nodes)} : {}),
    ...(claims
      ? {claims: new Set(claims.map(({metadata}) => `${metadata.namespace}/${metadata.name}`))}
      : {}),
    taken: new Set(taken.flatMap(objects => (objects ?? []).map(keyOf))),
  };
}

/**
 * A target of which only its version is known: what can be said of a restore from the snapshot alone.
 * @param version such as `1.35`
 * @throws PraError USAGE for what is no version
 */
export function imagineTarget(version: string): RestoreTarget {
  if (minorOf(version) === undefined)
    throw new PraError('USAGE', `${version} is not a version of Kubernetes`, {next: ['such as 1.35']});
  return {
    resourceTypes: [],
    storageClasses: [],
    version: version.startsWith('v') ? version : `v${version}`,
    isImagined: true,
  };
}

async function listKnown(
  cluster: Cluster,
  type: ResourceType | undefined,
  signal: AbortSignal,
): Promise<KubeObject[] | undefined> {
  if (!type) return undefined;
  return listAll(cluster, type, {signal}).catch((error: unknown) => {
    if (isApiError(error, 403)) return undefined;
    throw error;
  });
}

function namespaceFacts(namespaces: readonly KubeObject[]) {
  const terminating = namespaces.filter(({metadata}) => metadata.deletionTimestamp !== undefined);
  return {
    namespaces: new Set(namespaces.map(({metadata}) => metadata.name)),
    terminating: new Set(terminating.map(({metadata}) => metadata.name)),
  };
}

function nodePortsOf(services: readonly KubeObject[]): Map<number, string> {
  return new Map(
    services.flatMap(service => {
      const {namespace = '', name} = service.metadata;
      const ports = arrayAt(service, 'spec', 'ports').map(port => numberAt(port, 'nodePort'));
      return [...ports, numberAt(service, 'spec', 'healthCheckNodePort')].flatMap(port =>
        port ? [[port, `${namespace}/${name}`] as const] : [],
      );
    }),
  );
}

function quotaOf(quota: KubeObject): TargetQuota {
  const {namespace = '', name} = quota.metadata;
  const hard = objectAt(quota, 'status', 'hard') ?? objectAt(quota, 'spec', 'hard') ?? {};
  const left = Object.entries(hard).flatMap(([resource, limit]) => {
    const [most, used] = [quantityOf(limit), quantityOf(at(quota, 'status', 'used', resource)) ?? 0];
    return most === undefined ? [] : [[resource, most - used] as const];
  });
  return {namespace, name, left: Object.fromEntries(left)};
}

const imagesOf = (nodes: readonly KubeObject[]) =>
  new Set(
    nodes.flatMap(node =>
      arrayAt(node, 'status', 'images').flatMap(image =>
        arrayAt(image, 'names').filter(name => typeof name === 'string'),
      ),
    ),
  );
