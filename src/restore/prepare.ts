import {type KubeObject, objectRef} from '../cluster/object.ts';
import {matchGlobs} from '../snapshot/glob.ts';
import {at, withoutAt} from '../std/json-at.ts';
import type {GuardWaiver} from './policy.ts';
import {GUARDS, RULES, rulesFor} from './rules/index.ts';
import type {Rule, RuleContext, RuleRemark} from './rules/rule.ts';
import {compileTransforms} from './transform/index.ts';
import {compileUserRules} from './user-rules.ts';

/** A remark with the rule that made it. */
export interface RuleNote extends RuleRemark {
  rule: string;
  guard?: number | undefined;
}

/** What becomes of one object of the snapshot. */
export interface PreparedObject {
  action: 'keep' | 'skip' | 'change';
  /** As it is to be created; the last form that it had when it is left out. */
  object: KubeObject;
  notes: RuleNote[];
  /** Guards that the plan switched off for this object. */
  waived: GuardWaiver[];
}

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/**
 * Makes the pure function that turns an object of the snapshot into the object to create: rules, then the plan's
 * transforms, then the guards, which so have the last word.
 */
export function compilePreparation(
  context: RuleContext,
  transformer = compileTransforms(context.policy.transforms, context.mode),
): (object: KubeObject) => PreparedObject {
  const rulesOf = rulesFor(RULES);
  const guardsOf = rulesFor(GUARDS);
  const userRule = compileUserRules(context.policy.rules, context.mode).rule;
  const waiverOf = compileWaivers(context.policy.waivers);
  const transformRule: Rule = {name: 'transform', kinds: 'all', apply: object => transformer.apply(object)};
  return original => {
    const prepared: PreparedObject = {action: 'keep', object: original, notes: [], waived: []};
    for (const rule of [userRule, ...rulesOf(original), transformRule, ...guardsOf(original)]) {
      if (!works(rule, context)) continue;
      const verdict = rule.apply(prepared.object, context);
      if (verdict === undefined) continue;
      const waiver = rule.guard === undefined ? undefined : waiverOf(rule.guard, original);
      if (waiver) {
        prepared.waived.push(waiver);
        continue;
      }
      prepared.notes.push(...verdict.notes.map(note => ({...note, rule: rule.name, guard: rule.guard})));
      if (verdict.action === 'skip') return {...prepared, action: 'skip'};
      if (verdict.action === 'change') Object.assign(prepared, {action: 'change', object: verdict.object});
    }
    if (prepared.action === 'change') prepared.object = withoutLastApplied(prepared.object);
    return prepared;
  };
}

const works = (rule: Rule, context: RuleContext) =>
  rule.when?.(context) ?? (rule.guard === undefined || context.mode === 'drill');

/** What kubectl remembers of the last apply is no longer true of an object that was changed. */
function withoutLastApplied(object: KubeObject): KubeObject {
  return at(object, 'metadata', 'annotations', LAST_APPLIED) === undefined
    ? object
    : withoutAt(object, ['metadata', 'annotations', LAST_APPLIED]);
}

/** Guard 9 is never waived: sharing a disk with the source is not a matter of a drill's taste. */
const UNWAIVABLE = new Set([9]);

function compileWaivers(waivers: readonly GuardWaiver[]) {
  const compiled = waivers
    .filter(waiver => !UNWAIVABLE.has(waiver.guard))
    .map(waiver => ({waiver, fits: waiver.object === undefined ? () => true : matchGlobs([waiver.object])}));
  return (guard: number, object: KubeObject): GuardWaiver | undefined => {
    const ref = objectRef(object);
    return compiled.find(({waiver, fits}) => waiver.guard === guard && fits(ref))?.waiver;
  };
}
