import type {KubeObject, ResourceType} from '../cluster/object.ts';
import {arrayAt, at, objectAt, stringAt, stringsAt} from '../std/json-at.ts';
import {isBuiltInGroup} from './built-in-group.ts';
import {groupKind, groupKindOf} from './exclude.ts';
import {podSpecIn} from './pod-spec.ts';

const RBAC = 'rbac.authorization.k8s.io';
const CRD = 'CustomResourceDefinition.apiextensions.k8s.io';

/** An object of a snapshot with its kind. */
export interface CapturedObject {
  type: ResourceType;
  object: KubeObject;
}

export const isCustom = (type: ResourceType) =>
  !isBuiltInGroup(type.group) && !type.group.endsWith('gateway.networking.k8s.io');

/** What a collector has noted. */
export interface References {
  names: ReadonlyMap<string, ReadonlySet<string>>;
  accounts: ReadonlySet<string>;
  namespaces: ReadonlySet<string>;
  claims: ReadonlySet<string>;
  services: ReadonlySet<string>;
  groups: ReadonlySet<string>;
}

function addAll(to: Set<string>, from: ReadonlySet<string>): void {
  for (const value of from) to.add(value);
}

/** All fields by which pods and claims name classes end like this, so that objects without it need no closer look. */
export const CLASS_FIELD = Buffer.from('ClassName"');
const LOOKED_AT_ALWAYS = new Set([
  'ServiceAccount',
  'Service',
  'PersistentVolumeClaim',
  `RoleBinding.${RBAC}`,
]);

/** Whether every object of a kind can need something that a collector notes, and not only those with a class. */
export const refersAlways = (type: ResourceType) => isCustom(type) || LOOKED_AT_ALWAYS.has(groupKind(type));

/** Kinds that hold no pod and name no class, whatever their objects say; most objects of a cluster are of these. */
const REFERS_NEVER = new Set([
  'ConfigMap',
  'Secret',
  'Endpoints',
  'LimitRange',
  'ResourceQuota',
  `Role.${RBAC}`,
  'EndpointSlice.discovery.k8s.io',
  'HorizontalPodAutoscaler.autoscaling',
  'NetworkPolicy.networking.k8s.io',
  'PodDisruptionBudget.policy',
]);
export const refersNever = (type: ResourceType) => REFERS_NEVER.has(groupKind(type));

/**
 * The cluster-scoped objects that captured objects need (`clusterScoped: referenced`). Fed with every captured
 * namespaced object first, it then says of each cluster-scoped object whether it belongs to the closure.
 */
export class ReferenceCollector {
  readonly #names = new Map<string, Set<string>>();
  readonly #accounts = new Set<string>();
  readonly #namespaces = new Set<string>();
  readonly #claims = new Set<string>();
  readonly #services = new Set<string>();
  /** API groups of captured custom resources. */
  readonly #groups = new Set<string>();

  /** What was noted until now, to hand it to another thread. */
  state(): References {
    return {
      names: this.#names,
      accounts: this.#accounts,
      namespaces: this.#namespaces,
      claims: this.#claims,
      services: this.#services,
      groups: this.#groups,
    };
  }

  /** Adds what another has noted. */
  merge(other: References): void {
    for (const [kind, names] of other.names) for (const name of names) this.#need(kind, name);
    addAll(this.#accounts, other.accounts);
    addAll(this.#namespaces, other.namespaces);
    addAll(this.#claims, other.claims);
    addAll(this.#services, other.services);
    addAll(this.#groups, other.groups);
  }

  /** Notes what a captured object needs. */
  note(object: KubeObject, type: ResourceType): void {
    const {namespace = '', name} = object.metadata;
    if (namespace !== '') this.#namespaces.add(namespace);
    if (isCustom(type)) {
      this.#groups.add(type.group);
      this.#need(CRD, `${type.plural}.${type.group}`);
    }
    switch (groupKindOf(object)) {
      case 'ServiceAccount':
        this.#accounts.add(`${namespace}/${name}`);
        break;
      case 'Service':
        this.#services.add(`${namespace}/${name}`);
        break;
      case 'PersistentVolumeClaim':
        this.#claims.add(`${namespace}/${name}`);
        this.#need('StorageClass.storage.k8s.io', stringAt(object, 'spec', 'storageClassName'));
        this.#need(
          'VolumeAttributesClass.storage.k8s.io',
          stringAt(object, 'spec', 'volumeAttributesClassName'),
        );
        break;
      case 'Ingress.networking.k8s.io':
        this.#need('IngressClass.networking.k8s.io', stringAt(object, 'spec', 'ingressClassName'));
        break;
      case 'Gateway.gateway.networking.k8s.io':
        this.#need('GatewayClass.gateway.networking.k8s.io', stringAt(object, 'spec', 'gatewayClassName'));
        break;
      case `RoleBinding.${RBAC}`:
        this.#noteRole(object);
        break;
      default:
        this.#notePods(object);
    }
  }

  #notePods(object: KubeObject): void {
    const spec = podSpecIn(object);
    if (!spec) return;
    this.#need('PriorityClass.scheduling.k8s.io', stringAt(spec, 'priorityClassName'));
    this.#need('RuntimeClass.node.k8s.io', stringAt(spec, 'runtimeClassName'));
    for (const template of arrayAt(object, 'spec', 'volumeClaimTemplates')) {
      this.#need('StorageClass.storage.k8s.io', stringAt(template, 'spec', 'storageClassName'));
    }
  }

  #noteRole(binding: KubeObject): void {
    if (stringAt(binding, 'roleRef', 'kind') === 'ClusterRole')
      this.#need(`ClusterRole.${RBAC}`, stringAt(binding, 'roleRef', 'name'));
  }

  #need(kind: string, name: string | undefined): void {
    if (name === undefined) return;
    const names = this.#names.get(kind);
    if (names) names.add(name);
    else this.#names.set(kind, new Set([name]));
  }

  /** Whether objects of a cluster-scoped kind can belong to the closure, so that other kinds need no list. */
  canHold(type: ResourceType): boolean {
    return REFERENCED_KINDS.has(groupKind(type)) || this.#groups.has(type.group);
  }

  /**
   * Of all objects of the kinds that `canHold` named, those that belong to the snapshot. Cluster-scoped custom
   * resources do when namespaced ones of their group do, as issuers do for certificates.
   */
  select<T extends CapturedObject>(entries: readonly T[]): T[] {
    for (const {object, type} of entries)
      if (isCustom(type) && this.#groups.has(type.group)) this.note(object, type);
    const ofKind = (kind: string) =>
      entries.map(({object}) => object).filter(object => groupKindOf(object) === kind);
    for (const binding of ofKind(`ClusterRoleBinding.${RBAC}`))
      if (this.#isWanted(binding)) this.#noteRole(binding);
    this.#needAggregated(ofKind(`ClusterRole.${RBAC}`));
    return entries.filter(({object, type}) => this.#groups.has(type.group) || this.#isWanted(object));
  }

  /** Roles whose labels a wanted aggregated role selects, and so on until nothing is added. */
  #needAggregated(roles: readonly KubeObject[]): void {
    const isWanted = (role: KubeObject) =>
      this.#names.get(`ClusterRole.${RBAC}`)?.has(role.metadata.name) === true;
    for (let wanted = roles.filter(isWanted), before = -1; wanted.length !== before; ) {
      before = wanted.length;
      const fits = wanted.flatMap(aggregatedBy);
      for (const role of roles) {
        const labels = stringsAt(role, 'metadata', 'labels');
        if (fits.some(selects => selects(labels))) this.#need(`ClusterRole.${RBAC}`, role.metadata.name);
      }
      wanted = roles.filter(isWanted);
    }
  }

  #isWanted(object: KubeObject): boolean {
    const kind = groupKindOf(object);
    if (this.#names.get(kind)?.has(object.metadata.name)) return true;
    switch (kind) {
      case 'Namespace':
        return this.#namespaces.has(object.metadata.name);
      case `ClusterRoleBinding.${RBAC}`:
        return arrayAt(object, 'subjects').some(subject =>
          this.#accounts.has(`${stringAt(subject, 'namespace')}/${stringAt(subject, 'name')}`),
        );
      case 'PersistentVolume':
        return this.#claims.has(
          `${stringAt(object, 'spec', 'claimRef', 'namespace')}/${stringAt(object, 'spec', 'claimRef', 'name')}`,
        );
      case CRD:
        return this.#services.has(serviceOf(at(object, 'spec', 'conversion', 'webhook', 'clientConfig')));
      case 'APIService.apiregistration.k8s.io':
        return this.#services.has(serviceOf(object.spec));
      case 'ValidatingWebhookConfiguration.admissionregistration.k8s.io':
      case 'MutatingWebhookConfiguration.admissionregistration.k8s.io':
        return arrayAt(object, 'webhooks').some(webhook =>
          this.#services.has(serviceOf(objectAt(webhook, 'clientConfig'))),
        );
      default:
        return false;
    }
  }
}

const serviceOf = (value: unknown) =>
  `${stringAt(value, 'service', 'namespace')}/${stringAt(value, 'service', 'name')}`;

/** Tells which labels the selectors of an aggregated role pick. */
function aggregatedBy(role: KubeObject): ((labels: Record<string, string>) => boolean)[] {
  return arrayAt(role, 'aggregationRule', 'clusterRoleSelectors').map(selector => {
    const wanted = Object.entries(stringsAt(selector, 'matchLabels'));
    return labels => wanted.length > 0 && wanted.every(([key, value]) => labels[key] === value);
  });
}

const REFERENCED_KINDS = new Set([
  'Namespace',
  'PersistentVolume',
  CRD,
  'StorageClass.storage.k8s.io',
  'VolumeAttributesClass.storage.k8s.io',
  'PriorityClass.scheduling.k8s.io',
  'RuntimeClass.node.k8s.io',
  'IngressClass.networking.k8s.io',
  'GatewayClass.gateway.networking.k8s.io',
  `ClusterRole.${RBAC}`,
  `ClusterRoleBinding.${RBAC}`,
  'APIService.apiregistration.k8s.io',
  'ValidatingWebhookConfiguration.admissionregistration.k8s.io',
  'MutatingWebhookConfiguration.admissionregistration.k8s.io',
]);
