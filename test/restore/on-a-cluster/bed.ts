import {createObject, readObject} from '../../../src/cluster/apply.ts';
import {type Cluster, connectCluster} from '../../../src/cluster/client.ts';
import {discover} from '../../../src/cluster/discover.ts';
import type {KubeObject, ResourceType} from '../../../src/cluster/object.ts';
import {ResourceMap} from '../../../src/cluster/resource-map.ts';
import {type Completeness, summarizeRestore} from '../../../src/restore/completeness.ts';
import {waitEstablished} from '../../../src/restore/established.ts';
import {existingPolicyOf, parseExisting} from '../../../src/restore/existing-policy.ts';
import type {SavedVolume} from '../../../src/restore/findings.ts';
import type {SnapshotObject} from '../../../src/restore/index-objects.ts';
import type {NamespaceMap} from '../../../src/restore/namespace-map.ts';
import {EMPTY_POLICY, type RestorePolicy} from '../../../src/restore/policy.ts';
import {planRestore, type RestorePlan} from '../../../src/restore/preview.ts';
import type {RestoreMode} from '../../../src/restore/rules/rule.ts';
import {type ObjectOutcome, type RestoreEvent, restoreWaves, UidMap} from '../../../src/restore/run.ts';
import {readTargetFacts} from '../../../src/restore/target-facts.ts';
import {canonicalObject} from '../../../src/snapshot/canonical.ts';
import type {JsonObject} from '../../../src/std/json.ts';
import {type ControlPlane, type ControlPlaneOptions, startControlPlane} from '../../bed/control-plane.ts';
import {kubeObject} from '../objects.ts';

const {signal} = new AbortController();

export interface RestoreCase {
  /** Made in the source by its API server, read again, and kept as a snapshot keeps them. */
  given?: readonly KubeObject[];
  /** In the snapshot as they stand here: what a source has that a test cannot have made. */
  raw?: readonly KubeObject[];
  /** In the target already. */
  there?: readonly KubeObject[];
  mode?: RestoreMode;
  policy?: Partial<RestorePolicy>;
  namespaces?: NamespaceMap;
  volumes?: readonly SavedVolume[];
  /** As people write it; `update` by default. */
  existing?: readonly string[];
  readyTimeoutMs?: number;
  onEvent?: (event: RestoreEvent) => void;
}

export interface RestoredCase {
  plan: RestorePlan;
  outcomes: ObjectOutcome[];
  summary: Completeness;
  /** `Kind name` in the order in which they were written. */
  written: string[];
  events: RestoreEvent[];
  messages: string[];
}

/** Two real API servers, one to take objects from and one to restore them into. */
export class RestoreBed {
  readonly source: Cluster;
  readonly target: Cluster;
  readonly #planes: readonly ControlPlane[];

  private constructor(source: Cluster, target: Cluster, planes: readonly ControlPlane[]) {
    this.source = source;
    this.target = target;
    this.#planes = planes;
  }

  /** @param options of the target */
  static async start(options: ControlPlaneOptions = {}): Promise<RestoreBed> {
    const first = await startControlPlane();
    const second = await startControlPlane(options);
    const [source, target] = await Promise.all(
      [first, second].map(({kubeconfig}) => connectCluster({kubeconfig})),
    );
    if (!source || !target) throw new Error('no clusters');
    return new RestoreBed(source, target, [first, second]);
  }

  async stop(): Promise<void> {
    await this.source.close();
    await this.target.close();
    for (const plane of this.#planes) await plane.stop();
  }

  /** Takes what is given from the source and restores it. */
  async restore(test: RestoreCase): Promise<RestoredCase> {
    const made = test.given ? await create(this.source, test.given) : [];
    if (test.there) await create(this.target, test.there);
    const types = await typesOf(this.source);
    const raw = (test.raw ?? []).map(object => ({type: typeIn(types, object), object}));
    return this.restoreSnapshot([...made, ...raw], test);
  }

  /** Restores objects as a snapshot holds them. */
  async restoreSnapshot(objects: readonly SnapshotObject[], test: RestoreCase = {}): Promise<RestoredCase> {
    const plan = await planRestore({
      objects,
      mode: test.mode ?? 'recover',
      target: await readTargetFacts(this.target, {signal}),
      policy: {...EMPTY_POLICY, ...test.policy},
      ...(test.namespaces ? {namespaces: test.namespaces} : {}),
      ...(test.volumes ? {volumes: test.volumes} : {}),
    });
    const events: RestoreEvent[] = [];
    const outcomes: ObjectOutcome[] = [];
    const uids = new UidMap();
    for (const when of ['before-groups', 'after-groups'] as const)
      outcomes.push(
        ...(await restoreWaves({
          cluster: this.target,
          plan,
          when,
          uids,
          signal,
          existing: existingPolicyOf(parseExisting(test.existing ?? [], 'update')),
          readyTimeoutMs: test.readyTimeoutMs,
          onEvent: event => {
            events.push(event);
            test.onEvent?.(event);
          },
        })),
      );
    return {
      plan,
      outcomes,
      summary: summarizeRestore(plan, outcomes),
      written: events.flatMap(event =>
        event.type === 'object' ? [event.outcome.ref.replace(/^\S+\//, '')] : [],
      ),
      events,
      messages: plan.findings.map(({severity, message}) => `${severity}: ${message}`),
    };
  }

  /** An object of the target as it is now. */
  async live(object: KubeObject): Promise<KubeObject | undefined> {
    return readObject(this.target, typeIn(await typesOf(this.target), object), object.metadata);
  }

  /** As `live`, of an object that must be there. */
  async need(object: KubeObject): Promise<KubeObject> {
    const live = await this.live(object);
    if (!live) throw new Error(`${object.kind} ${object.metadata.name} is not in the target`);
    return live;
  }

  /** Makes objects in the target. */
  async put(...objects: KubeObject[]): Promise<void> {
    await create(this.target, objects);
  }
}

const typesOf = async (cluster: Cluster) => new ResourceMap((await discover(cluster, {signal})).types);

/** Kinds that no API server of a test serves still have a type in a snapshot. */
function typeIn(types: ResourceMap, object: KubeObject): ResourceType {
  try {
    return types.of(object);
  } catch {
    const [group = '', version = ''] = object.apiVersion.includes('/')
      ? object.apiVersion.split('/')
      : ['', object.apiVersion];
    const plural = `${object.kind.toLowerCase()}s`;
    const namespaced = object.metadata.namespace !== undefined;
    return {group, version, kind: object.kind, plural, namespaced, verbs: ['create'], shortNames: []};
  }
}

/** Makes objects in their order, definitions established before what they define. @returns them as a snapshot has them */
async function create(cluster: Cluster, objects: readonly KubeObject[]): Promise<SnapshotObject[]> {
  let types = await typesOf(cluster);
  const made: SnapshotObject[] = [];
  for (const object of objects) {
    const created = await createObject(cluster, types.of(object), object);
    if (object.kind === 'CustomResourceDefinition') {
      await waitEstablished(cluster, [object], signal);
      types = await typesOf(cluster);
    }
    made.push({type: types.of(object), object: canonicalObject(created)});
  }
  return made;
}

let counter = 0;

/** A namespace of a test of its own, and what makes objects in it. */
export function place() {
  counter += 1;
  const ns = `case-${counter}`;
  const object = (
    apiVersion: string,
    kind: string,
    name: string,
    rest: JsonObject & {metadata?: JsonObject} = {},
  ): KubeObject => {
    const made = kubeObject(apiVersion, kind, name, rest);
    return made.metadata.namespace === undefined
      ? made
      : {
          ...made,
          metadata: {
            ...made.metadata,
            namespace: made.metadata.namespace === 'shop' ? ns : made.metadata.namespace,
          },
        };
  };
  return {
    ns,
    object,
    namespace: (metadata: JsonObject = {}) => object('v1', 'Namespace', ns, {metadata}),
    config: (name: string, rest: JsonObject & {metadata?: JsonObject} = {}) =>
      object('v1', 'ConfigMap', name, rest),
    service: (name: string, spec: JsonObject = {}) =>
      object('v1', 'Service', name, {spec: {selector: {app: name}, ports: [{port: 80}], ...spec}}),
    workload: (kind: string, name: string, spec: JsonObject = {}, pod: JsonObject = {}) =>
      object('apps/v1', kind, name, {
        spec: {
          ...(kind === 'DaemonSet' ? {} : {replicas: 2}),
          selector: {matchLabels: {app: name}},
          template: {
            metadata: {labels: {app: name}},
            spec: {containers: [{name: 'main', image: 'localhost/app:1'}], ...pod},
          },
          ...spec,
        },
      }),
    job: (name: string, rest: JsonObject & {metadata?: JsonObject} = {}) =>
      object('batch/v1', 'Job', name, {
        spec: {
          template: {
            spec: {restartPolicy: 'Never', containers: [{name: 'main', image: 'localhost/app:1'}]},
          },
        },
        ...rest,
      }),
    claim: (name: string, spec: JsonObject = {}, metadata: JsonObject = {}) =>
      object('v1', 'PersistentVolumeClaim', name, {
        metadata,
        spec: {accessModes: ['ReadWriteOnce'], resources: {requests: {storage: '1Gi'}}, ...spec},
      }),
    /** A namespaced kind that takes anything: its definition, and what makes objects of it. */
    kind: (kind: string, spec: JsonObject = {}) => {
      const plural = `${kind.toLowerCase()}s`;
      const group = `${ns}.example`;
      return {
        group,
        definition: object('apiextensions.k8s.io/v1', 'CustomResourceDefinition', `${plural}.${group}`, {
          spec: {
            group,
            scope: 'Namespaced',
            names: {kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List`},
            versions: [
              {
                name: 'v1',
                served: true,
                storage: true,
                schema: {openAPIV3Schema: {type: 'object', 'x-kubernetes-preserve-unknown-fields': true}},
              },
            ],
            ...spec,
          },
        }),
        make: (name: string, rest: JsonObject & {metadata?: JsonObject} = {}) =>
          object(`${group}/v1`, kind, name, rest),
      };
    },
  };
}
