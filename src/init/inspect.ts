import {type Cluster, isApiError} from '../cluster/client.ts';
import {CORE_TYPES} from '../cluster/core-types.ts';
import {readIdentity} from '../cluster/identity.ts';
import {listAll} from '../cluster/list.ts';
import type {KubeObject, ResourceType} from '../cluster/object.ts';
import {listScopes} from '../snapshot/select.ts';
import {mapPool} from '../std/pool.ts';
import {countByNamespace, customTypes} from './custom-resources.ts';
import {findDsns} from './dsns.ts';
import type {ClusterFacts} from './facts.ts';
import {chooseNamespaces} from './scope.ts';
import {findWebServices} from './web-services.ts';
import {readClaim, readWorkloads} from './workloads.ts';

/** Lists at the same time. */
const CONCURRENCY = 8;

const INGRESS: ResourceType = {
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'Ingress',
  plural: 'ingresses',
  namespaced: true,
  verbs: ['list'],
  shortNames: [],
};
/** Tokens and releases of Helm are many, large, and no DSNs. */
const OTHER_SECRETS = 'type!=kubernetes.io/service-account-token,type!=helm.sh/release.v1';

/**
 * Learns what a plan needs to know of a cluster. It only lists; nothing is written.
 * @param options.namespaces names or globs; all namespaces that are not of the system when there are none.
 * @throws PraError USAGE when no namespace fits, CLUSTER_*. Secrets, Ingresses and custom resources that may not be
 * read are named in `unread` instead.
 */
export async function inspectCluster(
  cluster: Cluster,
  options: {namespaces: readonly string[]; signal: AbortSignal},
): Promise<ClusterFacts> {
  const {signal} = options;
  const {uid} = await readIdentity(cluster, {signal});
  const all = await listAll(cluster, CORE_TYPES.Namespace, {signal});
  const scope = chooseNamespaces(all, options.namespaces, cluster.context);
  const reader = new Reader(cluster, scope.names, signal);
  const {Deployment, StatefulSet, DaemonSet, CronJob, ReplicaSet, Pod, PersistentVolumeClaim} = CORE_TYPES;
  const [templates, replicaSets, pods, claims, services] = await Promise.all([
    mapPool([Deployment, StatefulSet, DaemonSet, CronJob], CONCURRENCY, type => reader.list(type)),
    reader.list(ReplicaSet),
    reader.list(Pod),
    reader.list(PersistentVolumeClaim),
    reader.list(CORE_TYPES.Service),
  ]);
  const [ingresses, secrets, custom] = await Promise.all([
    reader.tryList(INGRESS),
    reader.trySecrets(),
    readCustom(cluster, reader, signal),
  ]);
  const workloads = readWorkloads({templates: templates.flat(), replicaSets, pods, claims});
  return {
    clusterUID: uid,
    scope,
    workloads,
    claims: claims.map(readClaim),
    webServices: findWebServices(services, ingresses, workloads),
    dsns: findDsns(secrets, services, workloads),
    ...custom,
    unread: reader.unread,
  };
}

async function readCustom(
  cluster: Cluster,
  reader: Reader,
  signal: AbortSignal,
): Promise<Pick<ClusterFacts, 'customResources' | 'remadeKinds'>> {
  const definitions = await reader.attempt('CustomResourceDefinitions', () =>
    listAll(cluster, CORE_TYPES.CustomResourceDefinition, {signal}),
  );
  const {kept, remade} = customTypes(definitions);
  const facts = await mapPool(kept, CONCURRENCY, async type =>
    countByNamespace(type, await reader.tryList(type)),
  );
  const order = (fact: {namespace: string; kind: string}) => `${fact.namespace}/${fact.kind}`;
  return {
    customResources: facts.flat().sort((a, b) => (order(a) < order(b) ? -1 : 1)),
    remadeKinds: remade,
  };
}

/** Lists kinds in the namespaces of the plan, and keeps account of what could not be read. */
class Reader {
  readonly unread: string[] = [];
  readonly #cluster: Cluster;
  readonly #namespaces: readonly string[];
  readonly #signal: AbortSignal;

  constructor(cluster: Cluster, namespaces: readonly string[], signal: AbortSignal) {
    this.#cluster = cluster;
    this.#namespaces = namespaces;
    this.#signal = signal;
  }

  async list(type: ResourceType): Promise<KubeObject[]> {
    const namespaces = this.#namespaces;
    const all = await this.#listIn(listScopes({namespaces}, namespaces), type);
    const wanted = new Set(namespaces);
    return all.filter(({metadata}) => wanted.has(metadata.namespace ?? ''));
  }

  tryList(type: ResourceType): Promise<KubeObject[]> {
    return this.attempt(`${type.plural}.${type.group}`, () => this.list(type));
  }

  /** Always one namespace after another, so that no Secret of another one is read. */
  trySecrets(): Promise<KubeObject[]> {
    return this.attempt('Secrets', () => this.#listIn(this.#namespaces, CORE_TYPES.Secret, OTHER_SECRETS));
  }

  /** What the server refuses is noted and taken as empty. */
  async attempt(what: string, read: () => Promise<KubeObject[]>): Promise<KubeObject[]> {
    try {
      return await read();
    } catch (error) {
      if (!isApiError(error)) throw error;
      this.unread.push(`${what} could not be read (${error.status}), so nothing here is about them`);
      return [];
    }
  }

  async #listIn(
    scopes: readonly (string | undefined)[],
    type: ResourceType,
    fieldSelector?: string,
  ): Promise<KubeObject[]> {
    const lists = await mapPool(scopes, CONCURRENCY, namespace =>
      listAll(this.#cluster, type, {namespace, fieldSelector, signal: this.#signal}),
    );
    return lists.flat();
  }
}
