import type {KubeObject} from '../cluster/object.ts';
import type {ExistingPolicy} from '../plan/schema/existing.ts';
import type {WaveName} from '../plan/schema/wave.ts';
import type {UserRule} from './policy.ts';
import {type RestoreMode, type Rule, skip} from './rules/rule.ts';
import {compileMatch} from './transform/match.ts';

/** What the rules of a plan say; of each sort the first that fits an object counts. */
export interface UserRules {
  /** Leaves objects out. */
  rule: Rule;
  waveOf(object: KubeObject): WaveName | undefined;
  existingOf(object: KubeObject): ExistingPolicy | undefined;
  /** Whether the next wave waits until the object is ready. */
  waitReady(object: KubeObject): boolean;
}

/** Makes functions of the rules of a plan for one mode. */
export function compileUserRules(rules: readonly UserRule[], mode: RestoreMode): UserRules {
  const active = rules
    .filter(({modes}) => modes === undefined || modes.includes(mode))
    .map(rule => ({...rule, fits: compileMatch(rule.match)}));
  const first = <K extends 'skip' | 'wave' | 'existing' | 'waitReady'>(object: KubeObject, field: K) =>
    active.find(rule => rule[field] !== undefined && rule.fits(object))?.[field];
  return {
    rule: {
      name: 'rule of the plan',
      kinds: 'all',
      apply: object => {
        const reason = first(object, 'skip');
        return reason === undefined ? undefined : skip(reason);
      },
    },
    waveOf: object => first(object, 'wave'),
    existingOf: object => first(object, 'existing'),
    waitReady: object => first(object, 'waitReady') ?? false,
  };
}
