import {at} from '../std/json-at.ts';
import type {Cluster} from './client.ts';
import {CORE_TYPES} from './core-types.ts';
import type {HealthContext} from './health.ts';
import {matchesSelector} from './label-selector.ts';
import {listAll} from './list.ts';
import type {KubeObject, ResourceType} from './object.ts';
import type {ObjectName} from './resource-map.ts';

interface Target extends ObjectName {
  type: ResourceType;
}

interface Surroundings {
  pods: KubeObject[];
  events: KubeObject[];
  slices: KubeObject[];
}

const NOTHING: Surroundings = {pods: [], events: [], slices: []};
/** Kinds that run pods, whose trouble is best told by these. */
const RUNS_PODS = new Set(['Deployment', 'ReplicaSet', 'StatefulSet', 'DaemonSet', 'Job']);

/** The state of some objects at one moment, read by one LIST per kind and namespace. */
export class Observation {
  readonly #cluster: Cluster;
  readonly #signal: AbortSignal | undefined;
  readonly #objects: ReadonlyMap<string, KubeObject>;
  readonly #around: ReadonlyMap<string, Surroundings>;

  private constructor(
    cluster: Cluster,
    signal: AbortSignal | undefined,
    objects: ReadonlyMap<string, KubeObject>,
    around: ReadonlyMap<string, Surroundings>,
  ) {
    this.#cluster = cluster;
    this.#signal = signal;
    this.#objects = objects;
    this.#around = around;
  }

  static async of(cluster: Cluster, targets: readonly Target[], signal?: AbortSignal): Promise<Observation> {
    const lists = await Promise.all(
      collections(targets).map(async ({type, namespace, names}) => {
        // One object of a large namespace is not worth reading all of them.
        const fieldSelector = names.length === 1 ? `metadata.name=${names[0]}` : undefined;
        const found = await listAll(cluster, type, {namespace, fieldSelector, signal});
        return found.map(object => [keyOf(type, object.metadata), object] as const);
      }),
    );
    const objects = new Map(lists.flat());
    const services = targets.filter(({type}) => type.group === '' && type.kind === 'Service');
    const around = new Map<string, Surroundings>();
    for (const namespace of namespacesOf(services)) {
      const slices = await listAll(cluster, CORE_TYPES.EndpointSlice, {namespace, signal});
      around.set(namespace, {...NOTHING, slices});
    }
    return new Observation(cluster, signal, objects, around);
  }

  find(target: Target): KubeObject | undefined {
    return this.#objects.get(keyOf(target.type, target));
  }

  /** The same, with the pods and warnings of the namespaces of these objects. */
  async withCauses(targets: readonly Target[]): Promise<Observation> {
    if (targets.length === 0) return this;
    const around = new Map(this.#around);
    await Promise.all(
      namespacesOf(targets).map(async namespace => {
        const options = {namespace, signal: this.#signal};
        const [pods, events] = await Promise.all([
          listAll(this.#cluster, CORE_TYPES.Pod, options),
          listAll(this.#cluster, CORE_TYPES.Event, {...options, fieldSelector: 'type=Warning'}),
        ]);
        around.set(namespace, {...(around.get(namespace) ?? NOTHING), pods, events});
      }),
    );
    return new Observation(this.#cluster, this.#signal, this.#objects, around);
  }

  /** What surrounds one object and bears on its health. */
  contextOf(object: KubeObject): HealthContext {
    const {pods, events, slices} = this.#around.get(object.metadata.namespace ?? '') ?? NOTHING;
    const label = 'kubernetes.io/service-name';
    return {
      pods: RUNS_PODS.has(object.kind) ? pods.filter(pod => belongsTo(pod, object)) : [],
      events,
      ...(object.kind === 'Service'
        ? {endpointSlices: slices.filter(slice => slice.metadata.labels?.[label] === object.metadata.name)}
        : {}),
    };
  }
}

/** A pod of a Deployment belongs to one of its ReplicaSets; the others own their pods themselves. */
function belongsTo(pod: KubeObject, workload: KubeObject): boolean {
  const owner = pod.metadata.ownerReferences?.find(reference => reference.controller === true);
  if (workload.kind !== 'Deployment') return owner?.uid === workload.metadata.uid;
  const ofReplicaSet = owner?.kind === 'ReplicaSet' && owner.name.startsWith(`${workload.metadata.name}-`);
  return ofReplicaSet && matchesSelector(at(workload, 'spec', 'selector'), pod.metadata.labels ?? {});
}

interface Collection {
  type: ResourceType;
  namespace: string | undefined;
  names: string[];
}

function collections(targets: readonly Target[]): Collection[] {
  const byKey = new Map<string, Collection>();
  for (const {type, namespace, name} of targets) {
    const key = keyOf(type, {name: '', namespace});
    const collection = byKey.get(key) ?? {type, namespace, names: []};
    collection.names.push(name);
    byKey.set(key, collection);
  }
  return [...byKey.values()];
}

const namespacesOf = (targets: readonly Target[]) => [
  ...new Set(targets.map(({namespace}) => namespace).filter(namespace => namespace !== undefined)),
];

const keyOf = (type: ResourceType, {name, namespace}: ObjectName) =>
  [type.group, type.kind, namespace ?? '', name].join('|');
