import type {KubeObject} from '../cluster/object.ts';
import {groupKindOf} from '../snapshot/exclude.ts';
import {matchGlobs} from '../snapshot/glob.ts';
import {parseSelector} from '../snapshot/selector.ts';
import type {JsonObject} from '../std/json.ts';
import {numberAt, stringAt, stringsAt} from '../std/json-at.ts';
import {podLabelsOf} from './claims.ts';
import type {RestoreFinding} from './findings.ts';
import {objectKey} from './index-objects.ts';
import {REPLICAS, wakePatch} from './inert.ts';
import type {RestoreItem} from './item.ts';
import type {GroupPolicy} from './policy.ts';
import type {RestoreMode} from './rules/rule.ts';

/** A workload at rest and how it is started. */
export interface GroupWorkload {
  item: RestoreItem;
  /** JSON merge patch that gives it back what it had. */
  wake: JsonObject;
  /** Replicas that it will have; undefined for what is not scaled by number. */
  replicas: number | undefined;
}

export interface RestoreGroup {
  name: string;
  dependsOn: readonly string[];
  maxParallel: number | undefined;
  /** Started and waited for before the other workloads, since these may be made of their custom resources. */
  operators: readonly GroupWorkload[];
  workloads: readonly GroupWorkload[];
  /** Created when the workloads are healthy: autoscalers, and pods without an owner. */
  late: readonly RestoreItem[];
  /** CronJobs and Jobs, which go on when the group is healthy; none in a drill. */
  resumed: readonly GroupWorkload[];
}

export interface GroupedItems {
  groups: RestoreGroup[];
  /** What the waves create; the rest comes with the groups. */
  items: RestoreItem[];
  /** Left out, since it would run at once and no group starts it. */
  ungrouped: RestoreItem[];
  findings: RestoreFinding[];
  notTested: {what: string; reason: string}[];
}

const BATCH = new Set(['CronJob.batch', 'Job.batch']);

/** Shares the workloads at rest out to the groups of the plan; the first group that selects a workload gets it. */
export function groupItems(
  all: readonly RestoreItem[],
  policies: readonly GroupPolicy[],
  operators: ReadonlySet<string>,
  mode: RestoreMode,
): GroupedItems {
  const members = policies.map(policy => ({policy, fits: compileGroup(policy), items: [] as RestoreItem[]}));
  const result: GroupedItems = {groups: [], items: [], ungrouped: [], findings: [], notTested: []};
  const groupOfWorkload = new Map<string, RestoreItem[]>();
  const autoscalers = new Set(
    all.filter(({object}) => groupKindOf(object) === 'HorizontalPodAutoscaler.autoscaling'),
  );
  for (const item of all) {
    if (autoscalers.has(item)) continue;
    const isPod = groupKindOf(item.object) === 'Pod';
    if (!isPod) result.items.push(item);
    if (!isPod && wakePatch(item.object) === undefined) continue;
    const member = members.find(({fits}) => fits(item.object));
    if (member) {
      member.items.push(item);
      groupOfWorkload.set(item.key, member.items);
    } else if (isPod) result.ungrouped.push(item);
    else if (!BATCH.has(groupKindOf(item.object))) result.findings.push(unselected(item));
  }
  for (const item of autoscalers) (groupOfWorkload.get(scaledKey(item.object)) ?? result.items).push(item);
  result.groups = members.map(({policy, items}) => restoreGroup(policy, items, operators, mode));
  result.findings.push(...result.groups.filter(isEmpty).map(emptyGroup));
  if (mode === 'drill')
    result.notTested = all.filter(({object}) => BATCH.has(groupKindOf(object))).map(notTested);
  return result;
}

function compileGroup({select}: GroupPolicy): (object: KubeObject) => boolean {
  const namespace = select.namespaces === undefined ? () => true : matchGlobs(select.namespaces);
  const labels = parseSelector(select.selector ?? '');
  return object =>
    namespace(object.metadata.namespace ?? '') &&
    (labels(stringsAt(object, 'metadata', 'labels')) || labels(podLabelsOf(object)));
}

function restoreGroup(
  policy: GroupPolicy,
  items: readonly RestoreItem[],
  operators: ReadonlySet<string>,
  mode: RestoreMode,
): RestoreGroup {
  const started = items.flatMap(item => {
    const wake = wakePatch(item.object);
    return wake ? [{item, wake, replicas: replicasOf(item.object)}] : [];
  });
  const isBatch = ({item}: GroupWorkload) => BATCH.has(groupKindOf(item.object));
  const isOperator = ({item}: GroupWorkload) => operators.has(item.ref);
  return {
    name: policy.name,
    dependsOn: policy.dependsOn,
    maxParallel: policy.maxParallel,
    operators: started.filter(workload => isOperator(workload)),
    workloads: started.filter(workload => !isBatch(workload) && !isOperator(workload)),
    late: items.filter(({object}) =>
      ['Pod', 'HorizontalPodAutoscaler.autoscaling'].includes(groupKindOf(object)),
    ),
    resumed: mode === 'drill' ? [] : started.filter(isBatch),
  };
}

function replicasOf(object: KubeObject): number | undefined {
  const text = stringAt(object, 'metadata', 'annotations', REPLICAS);
  return text === undefined ? numberAt(object, 'spec', 'replicas') : Number(text);
}

function scaledKey(autoscaler: KubeObject): string {
  const apiVersion = stringAt(autoscaler, 'spec', 'scaleTargetRef', 'apiVersion') ?? 'v1';
  const kind = stringAt(autoscaler, 'spec', 'scaleTargetRef', 'kind') ?? '';
  const name = stringAt(autoscaler, 'spec', 'scaleTargetRef', 'name') ?? '';
  return objectKey(groupKindOf({apiVersion, kind, metadata: {name}}), autoscaler.metadata.namespace, name);
}

const isEmpty = (group: RestoreGroup) =>
  group.operators.length + group.workloads.length + group.late.length === 0;
const emptyGroup = ({name}: RestoreGroup): RestoreFinding => ({
  severity: 'warning',
  ref: `group ${name}`,
  message: `group ${name} selects no workload of the snapshot`,
});
const unselected = ({ref}: RestoreItem): RestoreFinding => ({
  severity: 'warning',
  ref,
  message: `${ref} is in no group of the plan, so nothing starts it`,
});
const notTested = ({ref}: RestoreItem) => ({what: ref, reason: 'stays suspended in a drill'});
