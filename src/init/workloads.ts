import type {KubeObject} from '../cluster/object.ts';
import {hasEnded} from '../cluster/running.ts';
import {podSpecIn} from '../snapshot/pod-spec.ts';
import type {Labels} from '../snapshot/selector.ts';
import {controllerOf, workloadOf} from '../snapshot/workload-of.ts';
import type {JsonObject} from '../std/json.ts';
import {arrayAt, at, numberAt, objectAt, stringAt, stringsAt} from '../std/json-at.ts';
import {type ClaimFact, type ContainerFact, type WorkloadFact, workloadKey} from './facts.ts';

/** Objects that workloads are read from, all of the namespaces of the plan. */
export interface WorkloadObjects {
  /** Deployments, StatefulSets, DaemonSets, CronJobs. */
  templates: readonly KubeObject[];
  replicaSets: readonly KubeObject[];
  pods: readonly KubeObject[];
  claims: readonly KubeObject[];
}

/** Everything that makes pods: by its template, or for what pra does not know, such as a database operator, by the pods. */
export function readWorkloads(objects: WorkloadObjects): WorkloadFact[] {
  const claims = objects.claims.map(claim => ({
    namespace: claim.metadata.namespace ?? '',
    name: claim.metadata.name,
  }));
  const alone = objects.replicaSets.filter(set => controllerOf(set) === undefined);
  const templated = [...objects.templates, ...alone].map(object => templatedFact(object, claims));
  const known = new Set(templated.map(workloadKey));
  const sets = new Map(
    objects.replicaSets.map(set => [`${set.metadata.namespace}/${set.metadata.name}`, set]),
  );
  const running = objects.pods.filter(pod => !hasEnded(pod));
  const byOwner = Map.groupBy(running, pod => `${pod.metadata.namespace}/${workloadOf(pod, sets)}`);
  const others = [...byOwner]
    .filter(([owner]) => !known.has(owner))
    .map(([owner, pods]) => podFact(owner, pods));
  return [...templated, ...others].toSorted((a, b) => (workloadKey(a) < workloadKey(b) ? -1 : 1));
}

/** A claim as the plan speaks of it. */
export function readClaim(object: KubeObject): ClaimFact {
  return {
    namespace: object.metadata.namespace ?? '',
    name: object.metadata.name,
    size: stringAt(object, 'spec', 'resources', 'requests', 'storage') ?? 'unknown size',
    labels: stringsAt(object, 'metadata', 'labels'),
  };
}

function templatedFact(
  object: KubeObject,
  claims: readonly Pick<ClaimFact, 'namespace' | 'name'>[],
): WorkloadFact {
  const {name, namespace = ''} = object.metadata;
  const spec = podSpecIn(object) ?? {};
  const template =
    objectAt(object, 'spec', 'jobTemplate', 'spec', 'template') ?? objectAt(object, 'spec', 'template');
  const own = arrayAt(object, 'spec', 'volumeClaimTemplates').flatMap(
    claim => stringAt(claim, 'metadata', 'name') ?? [],
  );
  const numbered = claims.filter(
    claim =>
      claim.namespace === namespace && own.some(prefix => isNumbered(claim.name, `${prefix}-${name}-`)),
  );
  return {
    kind: object.kind,
    namespace,
    name,
    replicas: ['DaemonSet', 'CronJob'].includes(object.kind)
      ? undefined
      : (numberAt(object, 'spec', 'replicas') ?? 1),
    labels: stringsAt(object, 'metadata', 'labels'),
    podLabels: stringsAt(template, 'metadata', 'labels'),
    matchLabels: stringsAt(object, 'spec', 'selector', 'matchLabels'),
    containers: containersOf(spec, own),
    claims: [...new Set([...claimNames(spec), ...numbered.map(claim => claim.name)])].sort(),
  };
}

const isNumbered = (name: string, prefix: string) =>
  name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length));

/** Pods without a template that pra reads; what they all have in common is theirs. */
function podFact(owner: string, pods: readonly KubeObject[]): WorkloadFact {
  const [namespace = '', kind = '', name = ''] = owner.split('/');
  const specs = pods.map(pod => podSpecIn(pod) ?? {});
  const [first = {}, ...rest] = pods.map(pod => stringsAt(pod, 'metadata', 'labels'));
  const shared = Object.entries(first).filter(([key, value]) => rest.every(labels => labels[key] === value));
  const podLabels: Labels = Object.fromEntries(shared);
  return {
    kind,
    namespace,
    name,
    replicas: undefined,
    labels: {},
    podLabels,
    matchLabels: {},
    containers: containersOf(specs[0] ?? {}, []),
    claims: [...new Set(specs.flatMap(claimNames))].sort(),
  };
}

const claimNames = (spec: JsonObject) =>
  arrayAt(spec, 'volumes').flatMap(volume => stringAt(volume, 'persistentVolumeClaim', 'claimName') ?? []);

function containersOf(spec: JsonObject, claimTemplates: readonly string[]): ContainerFact[] {
  const volumes = arrayAt(spec, 'volumes')
    .filter(volume => at(volume, 'persistentVolumeClaim') !== undefined)
    .map(volume => stringAt(volume, 'name'));
  const persistent = new Set<string | undefined>([...volumes, ...claimTemplates]);
  return arrayAt(spec, 'containers').map(container => ({
    name: stringAt(container, 'name') ?? '',
    image: stringAt(container, 'image') ?? '',
    env: new Map(
      arrayAt(container, 'env').map(variable => [stringAt(variable, 'name') ?? '', literalOf(variable)]),
    ),
    hasEnvFrom: arrayAt(container, 'envFrom').length > 0,
    mountsClaim: arrayAt(container, 'volumeMounts').some(mount => persistent.has(stringAt(mount, 'name'))),
    ports: arrayAt(container, 'ports').map(port => ({
      name: stringAt(port, 'name') ?? '',
      number: numberAt(port, 'containerPort') ?? 0,
    })),
    readiness: readinessOf(container),
  }));
}

const literalOf = (variable: unknown) =>
  at(variable, 'valueFrom') === undefined ? (stringAt(variable, 'value') ?? '') : undefined;

/** A page that the pod must answer for Kubernetes to send it requests. */
function readinessOf(container: unknown): ContainerFact['readiness'] {
  const page = objectAt(container, 'readinessProbe', 'httpGet');
  if (!page) return undefined;
  return {path: stringAt(page, 'path') ?? '/', port: String(at(page, 'port') ?? '')};
}
