import {objectRef} from '../cluster/object.ts';
import {restoreConversions} from './conversion.ts';
import {
  findEmptyVolumes,
  findMissing,
  findUnserved,
  type RestoreFinding,
  type SavedVolume,
} from './findings.ts';
import {type GroupedItems, groupItems, type RestoreGroup} from './groups.ts';
import {RESTORE_GUARDS} from './guards/names.ts';
import {indexObjects, type ObjectIndex, type SnapshotObject} from './index-objects.ts';
import {findOperators} from './operators.ts';
import {orderItems, type RestoreItem, type RestoreWave, restoreItem} from './order.ts';
import {splitOwners, withOwners} from './owners.ts';
import {EMPTY_POLICY, type GroupPolicy, type RestorePolicy} from './policy.ts';
import {compilePreparation, type PreparedObject} from './prepare.ts';
import type {RestoreMode, RestoreTarget} from './rules/rule.ts';

export interface RestoreInput {
  objects: Iterable<SnapshotObject>;
  mode: RestoreMode;
  target: RestoreTarget;
  policy?: RestorePolicy;
  /** Volumes whose data the snapshot holds; claims of other volumes are named. Not judged when it is not given. */
  volumes?: readonly SavedVolume[];
}

/** Everything that a restore will do, worked out before anything is written. */
export interface RestorePlan {
  mode: RestoreMode;
  waves: RestoreWave[];
  groups: RestoreGroup[];
  skipped: {ref: string; kind: string; rule: string; reason: string}[];
  changes: {ref: string; rule: string; reason: string; path?: string | undefined}[];
  guards: {number: number; name: string; ref: string; what: string}[];
  waived: {number: number; name: string; ref: string; reason: string}[];
  findings: RestoreFinding[];
  notTested: {what: string; reason: string}[];
  /** Objects of the snapshot: each is in a wave, in a group, or skipped. */
  expected: number;
}

/** In a drill without groups everything is one. */
const ALL: GroupPolicy = {name: 'all', dependsOn: [], select: {}};

/**
 * Works out a restore from the objects of a snapshot, without any I/O: what is created in which order, what is left
 * out or altered and why, which groups start what, and every reason why the recovery would not be whole.
 */
export function planRestore(input: RestoreInput): RestorePlan {
  const policy = input.policy ?? EMPTY_POLICY;
  const {mode, target} = input;
  const index = indexObjects(input.objects);
  const inert = mode === 'drill' || policy.groups.length > 0;
  const prepare = compilePreparation({mode, inert, target, policy, find: index.find});
  const plan: RestorePlan = {
    mode,
    waves: [],
    groups: [],
    skipped: [],
    changes: [],
    guards: [],
    waived: [],
    findings: [],
    notTested: [],
    expected: index.all.length,
  };
  const prepared = index.all.map(({type, object}) => ({type, original: object, ...prepare(object)}));
  for (const each of prepared) record(plan, objectRef(each.original), each.original.kind, each);
  const kept = prepared
    .filter(({action}) => action !== 'skip')
    .map(({type, object}) => restoreItem(type, object));
  const items = dropLostOwners(kept, plan);

  const operators = findOperators(index);
  const grouped = inert ? groupItems(items, groupsOf(policy), operators, mode) : asOne(items);
  plan.groups = grouped.groups;
  for (const {ref, object} of grouped.ungrouped) {
    plan.skipped.push({
      ref,
      kind: object.kind,
      rule: 'groups',
      reason: 'is in no group of the plan, so nothing starts it',
    });
  }
  plan.waves = orderItems([...grouped.items, ...restoreConversions(index, grouped.items)], operators);
  plan.notTested = [...grouped.notTested];
  plan.findings.push(...grouped.findings, ...findMissing(items), ...findUnserved(items, target));
  judgeVolumes(plan, index, input.volumes, policy);
  plan.findings.sort(bySeverity);
  return plan;
}

const groupsOf = (policy: RestorePolicy) => (policy.groups.length > 0 ? policy.groups : [ALL]);
const asOne = (items: RestoreItem[]): GroupedItems => ({
  groups: [],
  items,
  ungrouped: [],
  findings: [],
  notTested: [],
});

/** Writes what the rules said about one object into the plan. */
function record(plan: RestorePlan, ref: string, kind: string, {action, notes, waived}: PreparedObject): void {
  for (const note of notes) {
    const {rule, reason, path, guard, severity} = note;
    if (guard !== undefined)
      plan.guards.push({number: guard, name: RESTORE_GUARDS[guard] ?? rule, ref, what: reason});
    if (severity) plan.findings.push({severity, ref, message: `${ref}: ${reason}`});
    if (action === 'change' && path !== undefined) plan.changes.push({ref, rule, reason, path});
    else if (action === 'change' && rule === 'transform') plan.changes.push({ref, rule, reason});
  }
  const last = notes.at(-1);
  if (action === 'skip' && last) plan.skipped.push({ref, kind, rule: last.rule, reason: last.reason});
  for (const waiver of waived)
    plan.waived.push({number: waiver.guard, name: waiver.name, ref, reason: waiver.reason});
}

/** Drops ownerReferences whose owner does not come back: with a UID of nothing, the object would be collected. */
function dropLostOwners(items: readonly RestoreItem[], plan: RestorePlan): RestoreItem[] {
  const keys = new Set(items.map(item => item.key));
  return items.map(item => {
    const {kept, gone} = splitOwners(item.object, key => keys.has(key));
    if (gone.length === 0) return item;
    const names = gone.map(owner => `${owner.kind}/${owner.name}`).join(', ');
    const reason = `its owner ${names} does not come back`;
    plan.changes.push({ref: item.ref, rule: 'owner-references', reason, path: 'metadata.ownerReferences'});
    plan.findings.push({severity: 'warning', ref: item.ref, message: `${item.ref}: ${reason}`});
    return {...item, object: withOwners(item.object, kept)};
  });
}

function judgeVolumes(
  plan: RestorePlan,
  index: ObjectIndex,
  volumes: readonly SavedVolume[] | undefined,
  policy: RestorePolicy,
): void {
  if (volumes === undefined) return;
  const {findings, waived} = findEmptyVolumes(index, volumes, policy);
  plan.findings.push(...findings);
  plan.notTested.push(
    ...waived.map(ref => ({what: ref, reason: 'the plan lets its volume come back empty'})),
  );
}

const RANK = {error: 0, warning: 1, info: 2} as const;
const bySeverity = (a: RestoreFinding, b: RestoreFinding) => RANK[a.severity] - RANK[b.severity];
