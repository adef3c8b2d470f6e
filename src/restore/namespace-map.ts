import type {KubeObject} from '../cluster/object.ts';
import {PraError} from '../errors.ts';
import {groupKindOf} from '../snapshot/exclude.ts';
import type {Json, JsonObject} from '../std/json.ts';
import {arrayAt, at, isJsonObject, stringAt, withAt} from '../std/json-at.ts';

const RBAC = 'rbac.authorization.k8s.io';

/** Source namespace to target namespace. */
export type NamespaceMap = Readonly<Record<string, string>>;

/** An object on its way into other namespaces, and what was altered, in kubectl's dotted form. */
export interface MappedObject {
  object: KubeObject;
  paths: string[];
}

/**
 * Makes the function that moves objects into other namespaces: their own namespace, and what they name elsewhere by
 * namespace, in RBAC subjects, webhooks, API services, conversion webhooks, volumes and routes. Objects that need
 * nothing are given back as they are.
 * @throws PraError USAGE when two namespaces would become one.
 */
export function compileNamespaceMap(map: NamespaceMap): (object: KubeObject) => MappedObject {
  const seen = new Map<string, string>();
  for (const [from, to] of Object.entries(map)) {
    const other = seen.get(to);
    if (other !== undefined)
      throw new PraError('USAGE', `namespaces ${other} and ${from} would both become ${to}`);
    seen.set(to, from);
  }
  if (seen.size === 0) return object => ({object, paths: []});
  return object => {
    const mapping = new Mapping(map, object);
    mapping.own();
    BY_KIND[groupKindOf(object)]?.(mapping);
    return {object: mapping.object, paths: mapping.paths};
  };
}

/** Rewrites the namespaces of one object. */
class Mapping {
  readonly map: NamespaceMap;
  readonly paths: string[] = [];
  object: KubeObject;

  constructor(map: NamespaceMap, object: KubeObject) {
    this.map = map;
    this.object = object;
  }

  #to(namespace: string | undefined): string | undefined {
    return namespace !== undefined && Object.hasOwn(this.map, namespace) ? this.map[namespace] : undefined;
  }

  own(): void {
    const {namespace} = this.object.metadata;
    const to = this.#to(namespace);
    if (to === undefined) return;
    this.object = {...this.object, metadata: {...this.object.metadata, namespace: to}};
    this.paths.push('metadata.namespace');
  }

  /** The name itself is a namespace. */
  name(): void {
    const to = this.#to(this.object.metadata.name);
    if (to === undefined) return;
    const {labels} = this.object.metadata;
    const renamed = {...this.object.metadata, name: to};
    this.object = {
      ...this.object,
      metadata:
        labels?.[NAME_LABEL] === undefined ? renamed : {...renamed, labels: {...labels, [NAME_LABEL]: to}},
    };
    this.paths.push('metadata.name');
  }

  /** A namespace at a path of the object. */
  at(...path: string[]): void {
    const to = this.#to(stringAt(this.object, ...path));
    if (to === undefined) return;
    this.object = withAt(this.object, path, to);
    this.paths.push(path.join('.'));
  }

  /** A namespace at a path of every item of a list. */
  each(list: readonly string[], ...path: string[]): void {
    const items = arrayAt(this.object, ...list);
    const mapped = items.map(item => this.#item(item, path));
    if (mapped.every((item, index) => item === items[index])) return;
    this.object = withAt(this.object, list, mapped);
    this.paths.push(`${list.join('.')}[*].${path.join('.')}`);
  }

  #item(item: Json, path: readonly string[]): Json {
    const to = this.#to(stringAt(item, ...path));
    return to !== undefined && isJsonObject(item) ? withAt(item, path, to) : item;
  }

  /** Routes of the Gateway API name backends in lists inside lists. */
  backends(): void {
    const rules = arrayAt(this.object, 'spec', 'rules');
    const mapped = rules.map<Json>(rule => {
      const refs = arrayAt(rule, 'backendRefs');
      const moved = refs.map(ref => this.#item(ref, ['namespace']));
      const same = moved.every((ref, index) => ref === refs[index]);
      return same || !isJsonObject(rule) ? rule : ({...rule, backendRefs: moved} satisfies JsonObject);
    });
    if (mapped.every((rule, index) => rule === rules[index])) return;
    this.object = withAt(this.object, ['spec', 'rules'], mapped);
    this.paths.push('spec.rules[*].backendRefs[*].namespace');
  }
}

/** Written by the API server on every namespace, and refused when it says another name. */
const NAME_LABEL = 'kubernetes.io/metadata.name';

const subjects = (mapping: Mapping) => mapping.each(['subjects'], 'namespace');
const webhooks = (mapping: Mapping) => mapping.each(['webhooks'], 'clientConfig', 'service', 'namespace');
const routes = (mapping: Mapping) => {
  mapping.each(['spec', 'parentRefs'], 'namespace');
  mapping.backends();
};

/** Where objects of a kind name a namespace besides their own. */
const BY_KIND: Readonly<Record<string, (mapping: Mapping) => void>> = {
  Namespace: mapping => mapping.name(),
  [`RoleBinding.${RBAC}`]: subjects,
  [`ClusterRoleBinding.${RBAC}`]: subjects,
  'ValidatingWebhookConfiguration.admissionregistration.k8s.io': webhooks,
  'MutatingWebhookConfiguration.admissionregistration.k8s.io': webhooks,
  'APIService.apiregistration.k8s.io': mapping => mapping.at('spec', 'service', 'namespace'),
  'CustomResourceDefinition.apiextensions.k8s.io': mapping =>
    mapping.at('spec', 'conversion', 'webhook', 'clientConfig', 'service', 'namespace'),
  PersistentVolume: mapping => mapping.at('spec', 'claimRef', 'namespace'),
  PersistentVolumeClaim: mapping => mapping.at('spec', 'dataSourceRef', 'namespace'),
  'HTTPRoute.gateway.networking.k8s.io': routes,
  'GRPCRoute.gateway.networking.k8s.io': routes,
  'TLSRoute.gateway.networking.k8s.io': routes,
  'ReferenceGrant.gateway.networking.k8s.io': mapping => mapping.each(['spec', 'from'], 'namespace'),
};

/** Cluster-wide kinds that bind what is in namespaces, and whose names a copy must not take from the original. */
const RENAMED = new Set([
  `ClusterRoleBinding.${RBAC}`,
  'ValidatingWebhookConfiguration.admissionregistration.k8s.io',
  'MutatingWebhookConfiguration.admissionregistration.k8s.io',
]);

/** Whether an object that names mapped namespaces gets a name of its own where its name is taken. */
export const isRenamed = (object: KubeObject, paths: readonly string[]) =>
  RENAMED.has(groupKindOf(object)) && paths.length > 0;

/** The name of a cluster-wide object for a copy in other namespaces: `shop-admin-shop-copy`. */
export function copyName(object: KubeObject): string {
  const spaces = [
    ...arrayAt(object, 'subjects').map(subject => stringAt(subject, 'namespace')),
    ...arrayAt(object, 'webhooks').map(entry => stringAt(at(entry, 'clientConfig'), 'service', 'namespace')),
  ].filter(space => space !== undefined);
  return `${object.metadata.name}-${spaces[0] ?? 'copy'}`.slice(0, 253);
}
