import type {Cluster} from '../cluster/client.ts';
import {CORE_TYPES} from '../cluster/core-types.ts';
import {listAll} from '../cluster/list.ts';
import {type KubeObject, objectRef, type ResourceType} from '../cluster/object.ts';
import {PraError} from '../errors.ts';
import {arrayAt, at, stringAt, stringsAt} from '../std/json-at.ts';
import type {DumpRequest} from '../volume/dump.ts';
import {type DumpRule, dumpCommands} from '../volume/dump-commands.ts';
import {matchGlobs} from './glob.ts';
import {listScopes, type Selection} from './select.ts';
import {type Labels, parseSelector, selectorText} from './selector.ts';
import {workloadOf} from './workload-of.ts';

/** How the data of some volumes is saved, as the plan says it. The first rule that fits a pod counts. */
export interface VolumeRule {
  /** Pods that mount the volumes. */
  select: string | Labels;
  namespaces?: readonly string[] | undefined;
  method: 'dump' | 'none' | 'csi' | 'filesystem';
  /** The container is the first one of the pod when none is named. */
  dump?: DumpRule | undefined;
}

export interface VolumeScope {
  cluster: Cluster;
  rules: readonly VolumeRule[];
  selection: Selection;
  signal: AbortSignal;
}

/**
 * Finds which pods to ask for dumps, and sees to it that each claim in scope is saved or waived by the plan.
 * @throws PraError PLAN_UNPROTECTED_VOLUME naming every claim that no rule covers, VOLUME_DUMP_FAILED when a rule finds
 * no running pod to ask, CLUSTER_*.
 */
export async function planDumps({cluster, rules, selection, signal}: VolumeScope): Promise<DumpRequest[]> {
  const inScope = (object: KubeObject) => selection.namespace(object.metadata.namespace ?? '');
  const scopes = listScopes(selection.select, selection.select.namespaces.filter(selection.namespace));
  const list = async (type: ResourceType) => {
    const lists = scopes.map(namespace => listAll(cluster, type, {namespace, signal}));
    return (await Promise.all(lists)).flat().filter(inScope);
  };
  const isNamed = selection.names(CORE_TYPES.PersistentVolumeClaim);
  const claims = (await list(CORE_TYPES.PersistentVolumeClaim)).filter(
    claim => isNamed(claim.metadata.name) && selection.labels(claim),
  );
  if (claims.length === 0 && rules.length === 0) return [];
  const [pods, replicaSets] = await Promise.all([list(CORE_TYPES.Pod), list(CORE_TYPES.ReplicaSet)]);
  const compiled = rules.map(compileRule);
  const owners = new Map(replicaSets.map(set => [`${set.metadata.namespace}/${set.metadata.name}`, set]));

  const covered = new Set<string>();
  const requests: DumpRequest[] = [];
  for (const [index, rule] of compiled.entries()) {
    const mine = pods.filter(pod => compiled.findIndex(({fits}) => fits(pod)) === index);
    for (const pod of mine)
      for (const name of claimsOf(pod)) covered.add(`${pod.metadata.namespace}/${name}`);
    for (const claim of claims) {
      if (compiled.findIndex(({fits}) => fits(claim)) === index) covered.add(keyOf(claim));
    }
    if (rule.method === 'dump') requests.push(...dumpRequests(rule, mine, owners));
  }
  refuseUnprotected(claims.filter(claim => !covered.has(keyOf(claim))));
  return requests;
}

const keyOf = ({metadata}: KubeObject) => `${metadata.namespace}/${metadata.name}`;

function compileRule(rule: VolumeRule) {
  const labels = parseSelector(selectorText(rule.select));
  const namespace = rule.namespaces === undefined ? () => true : matchGlobs(rule.namespaces);
  const fits = ({metadata}: KubeObject) =>
    namespace(metadata.namespace ?? '') && labels(stringsAt(metadata, 'labels'));
  return {...rule, fits};
}

/** One dump for each workload whose pods the rule selects: the pods of one workload hold the same data. */
function dumpRequests(
  rule: VolumeRule,
  pods: readonly KubeObject[],
  owners: ReadonlyMap<string, KubeObject>,
): DumpRequest[] {
  const {dump} = rule;
  if (!dump) return [];
  const running = pods
    .filter(isRunning)
    .sort((a, b) => Number(isReady(b)) - Number(isReady(a)) || compareNames(a, b));
  if (running.length === 0) {
    throw new PraError(
      'VOLUME_DUMP_FAILED',
      `no running pod with ${selectorText(rule.select)} to take a dump from`,
      {
        why:
          pods.length === 0
            ? 'no pod in the scope of the plan has these labels'
            : `${pods.length} pods have them, none is running`,
        next: [`kubectl get pods -A -l '${selectorText(rule.select)}'`],
      },
    );
  }
  const {command, restore: restoreCommand} = dumpCommands(dump);
  const byWorkload = Map.groupBy(running, pod => `${pod.metadata.namespace}/${workloadOf(pod, owners)}`);
  return [...byWorkload.values()].flatMap(([pod, ...others]) => {
    if (!pod) return [];
    const workload = workloadOf(pod, owners);
    const pvcs = new Set([pod, ...others].flatMap(claimsOf));
    return [
      {
        namespace: pod.metadata.namespace ?? '',
        workload,
        pod: pod.metadata.name,
        container: dump.container ?? stringAt(arrayAt(pod, 'spec', 'containers')[0], 'name') ?? '',
        pvcs: [...pvcs].sort(),
        command,
        restoreCommand,
      },
    ];
  });
}

export const isRunning = (pod: KubeObject) =>
  stringAt(pod, 'status', 'phase') === 'Running' && pod.metadata.deletionTimestamp === undefined;
const isReady = (pod: KubeObject) =>
  arrayAt(pod, 'status', 'conditions').some(
    condition => at(condition, 'type') === 'Ready' && at(condition, 'status') === 'True',
  );
const compareNames = (a: KubeObject, b: KubeObject) => (a.metadata.name < b.metadata.name ? -1 : 1);

const claimsOf = (pod: KubeObject) =>
  arrayAt(pod, 'spec', 'volumes').flatMap(
    volume => stringAt(volume, 'persistentVolumeClaim', 'claimName') ?? [],
  );

function refuseUnprotected(claims: readonly KubeObject[]): void {
  const [first, ...more] = claims.map(objectRef).sort();
  if (first === undefined) return;
  throw new PraError(
    'PLAN_UNPROTECTED_VOLUME',
    `no rule of the plan saves the data of ${[first, ...more].join(', ')}`,
    {
      why: 'a recovery would bring these volumes back empty',
      next: [
        'add a rule under `source.volumes` whose `select` fits the pods that mount them',
        'or let them come back empty on purpose: `method: none` with a `reason`',
      ],
    },
  );
}
