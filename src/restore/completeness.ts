import {PraError} from '../errors.ts';
import type {RestoreItem} from './item.ts';
import type {RestorePlan} from './preview.ts';
import {ItemOutcome, type ObjectOutcome} from './session.ts';

export interface KindCompleteness {
  kind: string;
  expected: number;
  restored: number;
  skipped: number;
  /** Of the restored ones, those that are not as they were. */
  changed: number;
  failed: number;
}

/** What came back, as the drill record tells it. */
export interface Completeness {
  kinds: KindCompleteness[];
  failures: {ref: string; reason: string}[];
  changes: {ref: string; rule: string; reason: string}[];
  skips: {ref: string; reason: string}[];
}

/**
 * Counts a restore by kind. What the plan was to create and no outcome tells of counts as failed: it was not reached.
 * @param outcomes of restoreWaves and startGroup together.
 * @throws PraError BUG when an object of the snapshot is neither restored, skipped nor failed.
 */
export function summarizeRestore(plan: RestorePlan, outcomes: readonly ObjectOutcome[]): Completeness {
  const kinds = new Map<string, KindCompleteness>();
  const kindOf = (kind: string) => {
    const known = kinds.get(kind) ?? {kind, expected: 0, restored: 0, skipped: 0, changed: 0, failed: 0};
    kinds.set(kind, known);
    return known;
  };
  const failures: Completeness['failures'] = [];
  const skips: Completeness['skips'] = plan.skipped.map(({ref, reason}) => ({ref, reason}));
  for (const {kind} of plan.skipped) count(kindOf(kind), 'skipped');
  const told = toldOf(outcomes);
  for (const item of plannedObjects(plan)) {
    const {outcome, reason = ''} = told(item) ?? UNREACHED;
    if (outcome === 'failed') failures.push({ref: item.ref, reason});
    if (outcome === 'skipped') skips.push({ref: item.ref, reason});
    count(kindOf(item.object.kind), outcome);
  }
  for (const {ref, outcome, reason = '', followUp} of outcomes)
    if (followUp && outcome === 'failed') failures.push({ref, reason});
  const all = [...kinds.values()].sort((a, b) => (a.kind < b.kind ? -1 : 1));
  const expected = all.reduce((sum, kind) => sum + kind.expected, 0);
  if (expected !== plan.expected) {
    throw new PraError('BUG', `${plan.expected} objects were captured, ${expected} are accounted for`);
  }
  return {
    kinds: all,
    failures,
    changes: plan.changes.map(({ref, rule, reason}) => ({ref, rule, reason})),
    skips,
  };
}

/** What the plan creates, in waves and with groups, each object once. */
function plannedObjects(plan: RestorePlan): RestoreItem[] {
  const items = [...plan.waves.flatMap(wave => wave.items), ...plan.groups.flatMap(group => group.late)];
  return items.filter(item => !item.followUp);
}

const UNREACHED: Pick<ObjectOutcome, 'outcome' | 'reason'> = {
  outcome: 'failed',
  reason: 'not reached: the restore ended before it',
};

/** Finds the last outcome of an item, by the item itself where the outcome knows it: names of many take memory. */
function toldOf(outcomes: readonly ObjectOutcome[]): (item: RestoreItem) => ObjectOutcome | undefined {
  const byItem = new Map<RestoreItem, ObjectOutcome>();
  const byRef = new Map<string, ObjectOutcome>();
  for (const outcome of outcomes) {
    if (outcome.followUp) continue;
    if (outcome instanceof ItemOutcome) byItem.set(outcome.item, outcome);
    else byRef.set(outcome.ref, outcome);
  }
  return item => (byRef.size > 0 ? byRef.get(item.ref) : undefined) ?? byItem.get(item);
}

function count(kind: KindCompleteness, outcome: ObjectOutcome['outcome']): void {
  kind.expected += 1;
  if (outcome === 'skipped') kind.skipped += 1;
  else if (outcome === 'failed') kind.failed += 1;
  else kind.restored += 1;
  if (outcome === 'changed' || outcome === 'recreated') kind.changed += 1;
}
