import {objectRef} from '../cluster/object.ts';
import {groupKind, groupKindOf} from '../snapshot/exclude.ts';
import {podSpecIn} from '../snapshot/pod-spec.ts';
import {type Arrival, compileArrival} from './arrival.ts';
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
import {compareItems, type ObjectOrigin, RestoreItem} from './item.ts';
import {compileNamespaceMap, type NamespaceMap} from './namespace-map.ts';
import {findOperators} from './operators.ts';
import {orderItems, type RestoreWave} from './order.ts';
import {LOOKED_UP, outlineOf} from './outline.ts';
import {ownerKeys, splitOwners, withOwners} from './owners.ts';
import {EMPTY_POLICY, type GroupPolicy, type RestorePolicy} from './policy.ts';
import {compilePreparation, type PreparedObject} from './prepare.ts';
import {Presence} from './presence.ts';
import {type ObjectReference, referencesOf} from './references.ts';
import type {RestoreMode, RestoreTarget} from './rules/rule.ts';
import {memorySource, type ObjectSource} from './source.ts';
import {findQuotas, findTerminating, ImageFindings} from './target-findings.ts';
import {compileTransforms} from './transform/index.ts';
import {compileUserRules, type UserRules} from './user-rules.ts';

export interface RestoreInput {
  /** Where the objects come from; those in memory are kept whole. */
  objects: Iterable<SnapshotObject> | ObjectSource;
  mode: RestoreMode;
  target: RestoreTarget;
  policy?: RestorePolicy;
  /** Volumes whose data the snapshot holds; claims of other volumes are named. Not judged when it is not given. */
  volumes?: readonly SavedVolume[];
  namespaces?: NamespaceMap;
}

/** An object as it is to be written. */
export interface LoadedObject {
  readonly object: PreparedObject['object'];
  /** Its JSON, when nothing changes it: then the object need not be made of it. */
  readonly bytes?: Buffer | undefined;
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
  /** Keys under which objects name their owners: only of these the new UIDs are needed. */
  owners: ReadonlySet<string>;
  /** What the plan file says of single objects. */
  rules: UserRules;
  /** The whole object of an item, made again from the snapshot when the item holds its outline only. */
  load(item: RestoreItem): Promise<LoadedObject>;
}

/** In a drill without groups everything is one. */
const ALL: GroupPolicy = {name: 'all', dependsOn: [], select: {}};

/**
 * Works out a restore from the objects of a snapshot, without writing anything: what is created in which order, what is
 * left out or altered and why, which groups start what, and every reason why the recovery would not be whole. Of most
 * objects it keeps an outline only, so that a large snapshot needs little memory.
 */
export async function planRestore(input: RestoreInput): Promise<RestorePlan> {
  const policy = input.policy ?? EMPTY_POLICY;
  const {mode, target} = input;
  const inMemory = Symbol.iterator in input.objects;
  const source = Symbol.iterator in input.objects ? memorySource(input.objects) : input.objects;
  const map = compileNamespaceMap(input.namespaces ?? {});
  const lookups: SnapshotObject[] = [];
  const nothing = {target, map, find: () => undefined};
  for await (const entry of source.objects(type => LOOKED_UP.has(groupKind(type)))) {
    const {type, object} = compileArrival(nothing)(entry);
    lookups.push({type, object: outlineOf(object)});
  }
  const {find} = indexObjects(lookups);
  const arrive = compileArrival({target, map, find});
  const inert = mode === 'drill' || policy.groups.length > 0;
  const transformer = compileTransforms(policy.transforms, mode);
  const prepare = compilePreparation({mode, inert, target, policy, find}, transformer);
  const plan = emptyPlan(mode);
  const kept: RestoreItem[] = [];
  const context = [...lookups];
  const images = new ImageFindings(target);
  const references = new Map<RestoreItem, ObjectReference[]>();
  for await (const entry of source.objects(() => true)) {
    plan.expected += 1;
    const arrival = arrive(entry);
    if (isContext(arrival)) context.push({type: arrival.type, object: outlineOf(arrival.object)});
    const item = considered(plan, entry, arrival, prepare(arrival.object), inMemory);
    if (!item) continue;
    kept.push(item.item);
    const needed = referencesOf(item.whole);
    if (needed.length > 0) references.set(item.item, needed);
    plan.findings.push(...findTerminating(item.whole, target));
    images.note(item.whole);
  }
  plan.load = loader(source, arrive, prepare);

  const index = indexObjects(context);
  const present = new Presence(kept);
  const items = dropLostOwners(kept.sort(compareItems), present, plan);
  plan.owners = ownersOf(items);
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
  const followUps = restoreConversions(index, grouped.items);
  plan.rules = compileUserRules(policy.rules, mode);
  plan.waves = orderItems([...grouped.items, ...followUps], operators, plan.rules.waveOf);
  plan.notTested = [...grouped.notTested];
  plan.findings = [
    ...plan.findings,
    ...grouped.findings,
    ...findMissing(references, present),
    ...findUnserved(items, target),
    ...findQuotas(items, target),
    ...images.findings(),
    ...transformer.unused().map(unusedTransform),
  ];
  judgeVolumes(plan, index, input, policy);
  plan.findings.sort(bySeverity);
  return plan;
}

const unusedTransform = (title: string): RestoreFinding => ({
  severity: 'warning',
  ref: title,
  message: `${title} fits no object of the selection`,
});

const emptyPlan = (mode: RestoreMode): RestorePlan => ({
  mode,
  waves: [],
  groups: [],
  skipped: [],
  changes: [],
  guards: [],
  waived: [],
  findings: [],
  notTested: [],
  expected: 0,
  owners: new Set(),
  rules: compileUserRules([], mode),
  load: async ({object}) => ({object}),
});

/** Kinds that planning looks at together: workloads and the claims that they mount. What was looked up is there already. */
const isContext = ({type, object}: SnapshotObject) =>
  !LOOKED_UP.has(groupKind(type)) &&
  (podSpecIn(object) !== undefined || groupKindOf(object) === 'PersistentVolumeClaim');

/** Writes what the rules said about one object into the plan, and makes its item if it is restored. */
function considered(
  plan: RestorePlan,
  entry: SnapshotObject,
  arrival: Arrival,
  prepared: PreparedObject,
  isHeld: boolean,
): {item: RestoreItem; whole: PreparedObject['object']} | undefined {
  record(plan, arrival, prepared);
  if (prepared.action === 'skip') return undefined;
  const whole = prepared.object;
  const isMoved = arrival.notes.length > 0;
  const {namespace = '', name} = entry.object.metadata;
  const item = new RestoreItem(arrival.type, isHeld ? whole : outlineOf(whole), {
    isHeld,
    isRaw: !isMoved && prepared.action === 'keep',
    origin: isMoved ? {type: entry.type, namespace, name} : undefined,
  });
  return {item, whole};
}

/** What reads an object again and makes of it, once more, what was planned. */
function loader(
  source: ObjectSource,
  arrive: (entry: SnapshotObject) => Arrival,
  prepare: (object: PreparedObject['object']) => PreparedObject,
): RestorePlan['load'] {
  return async item => {
    if (item.isHeld) return {object: item.object};
    const origin: ObjectOrigin = item.origin ?? item;
    const stored = await source.read(origin);
    if (item.isRaw) return stored;
    return {object: prepare(arrive({type: origin.type, object: stored.object}).object).object};
  };
}

function ownersOf(items: readonly RestoreItem[]): Set<string> {
  const owners = new Set<string>();
  for (const {object} of items)
    for (const owner of object.metadata.ownerReferences ?? [])
      for (const key of ownerKeys(owner, object.metadata.namespace)) owners.add(key);
  return owners;
}

const groupsOf = (policy: RestorePolicy) => (policy.groups.length > 0 ? policy.groups : [ALL]);
const asOne = (items: RestoreItem[]): GroupedItems => ({
  groups: [],
  items,
  ungrouped: [],
  findings: [],
  notTested: [],
});

function record(plan: RestorePlan, {object, notes: moved}: Arrival, prepared: PreparedObject): void {
  const {action, notes, waived} = prepared;
  if (moved.length + notes.length + waived.length === 0) return;
  const {kind} = object;
  const ref = objectRef(object);
  for (const {rule, reason, path} of moved) plan.changes.push({ref, rule, reason, path});
  for (const note of [...moved, ...notes]) {
    const {rule, reason, guard, severity} = note;
    if (guard !== undefined)
      plan.guards.push({number: guard, name: RESTORE_GUARDS[guard] ?? rule, ref, what: reason});
    if (severity) plan.findings.push({severity, ref, message: `${ref}: ${reason}`});
  }
  if (action === 'change')
    for (const {rule, reason, path} of notes)
      if (path !== undefined || rule === 'transform') plan.changes.push({ref, rule, reason, path});
  const last = notes.at(-1);
  if (action === 'skip' && last) plan.skipped.push({ref, kind, rule: last.rule, reason: last.reason});
  for (const waiver of waived)
    plan.waived.push({number: waiver.guard, name: waiver.name, ref, reason: waiver.reason});
}

/** Drops ownerReferences whose owner does not come back: with a UID of nothing, the object would be collected. */
function dropLostOwners(items: readonly RestoreItem[], present: Presence, plan: RestorePlan): RestoreItem[] {
  return items.map(item => {
    if (item.object.metadata.ownerReferences === undefined) return item;
    const {kept, gone} = splitOwners(item.object, present);
    if (gone.length === 0) return item;
    const names = gone.map(owner => `${owner.kind}/${owner.name}`).join(', ');
    const reason = `its owner ${names} does not come back`;
    plan.changes.push({ref: item.ref, rule: 'owner-references', reason, path: 'metadata.ownerReferences'});
    plan.findings.push({severity: 'warning', ref: item.ref, message: `${item.ref}: ${reason}`});
    return item.with(withOwners(item.object, kept), {isRaw: false});
  });
}

function judgeVolumes(
  plan: RestorePlan,
  index: ObjectIndex,
  {volumes, target}: RestoreInput,
  policy: RestorePolicy,
): void {
  if (volumes === undefined) return;
  const {findings, waived} = findEmptyVolumes(index, volumes, policy, target.claims);
  for (const finding of findings) plan.findings.push(finding);
  plan.notTested.push(
    ...waived.map(ref => ({what: ref, reason: 'the plan lets its volume come back empty'})),
  );
}

const RANK = {error: 0, warning: 1, info: 2} as const;
const bySeverity = (a: RestoreFinding, b: RestoreFinding) => RANK[a.severity] - RANK[b.severity];
