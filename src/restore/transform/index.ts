import type {KubeObject} from '../../cluster/object.ts';
import {messageOf, PraError} from '../../errors.ts';
import type {Transform} from '../policy.ts';
import {Change, type RestoreMode, type RuleVerdict} from '../rules/rule.ts';
import {ACTION_NAMES, type Action, type ActionName, type Alteration} from './action.ts';
import {hosts} from './hosts.ts';
import {images} from './images.ts';
import {compileMatch} from './match.ts';
import {annotations, drop, merge, patch} from './patch.ts';
import {replicas} from './replicas.ts';
import {storageClasses} from './storage-classes.ts';

/** What each kind of transform does. To add one: a file, a line here and in `ACTION_NAMES`, its schema in the plan. */
const ACTIONS: {readonly [K in ActionName]: Action<K>} = {
  patch,
  merge,
  images,
  storageClasses,
  hosts,
  annotations,
  replicas,
  drop,
};

/** The transforms of a plan for one mode. */
export interface Transformer {
  /** Alters an object, each alteration recorded; undefined when none fits. */
  apply(object: KubeObject): RuleVerdict | undefined;
  /** Those that fitted no object until now: a match with a typing mistake alters nothing, silently. */
  unused(): string[];
}

/** Makes one function of all transforms of a plan. One that cannot be carried out is a finding of severity error. */
export function compileTransforms(transforms: readonly Transform[], mode: RestoreMode): Transformer {
  const active = transforms
    .map((transform, index) => ({
      transform,
      title: transform.name ? `transform "${transform.name}"` : `transform ${index + 1} of the plan`,
      fits: compileMatch(transform.match ?? {}),
      hasFitted: false,
    }))
    .filter(({transform: {modes}}) => modes === undefined || modes.includes(mode));
  return {
    apply: object => {
      if (active.length === 0) return undefined;
      const change = new Change(object);
      for (const entry of active) {
        if (!entry.fits(change.object)) continue;
        try {
          const found = alter(change.object, entry.transform);
          entry.hasFitted ||= entry.transform.match !== undefined || found !== undefined;
          if (!found) continue;
          const reason = `${entry.title}: ${[found.path, found.what].filter(Boolean).join(' ')}`;
          change.to(found.object, {reason, path: found.path});
        } catch (error) {
          entry.hasFitted = true;
          const why =
            error instanceof PraError
              ? [error.message, error.why].filter(Boolean).join(': ')
              : messageOf(error);
          change.remark({reason: `${entry.title}: ${why}`, severity: 'error'});
        }
      }
      return change.verdict();
    },
    unused: () => active.filter(({hasFitted}) => !hasFitted).map(({title}) => title),
  };
}

function alter(object: KubeObject, transform: Transform): Alteration | undefined {
  for (const name of ACTION_NAMES) {
    const found = run(name, object, transform);
    if (found) return found;
  }
  return undefined;
}

function run<K extends ActionName>(
  name: K,
  object: KubeObject,
  transform: Transform,
): Alteration | undefined {
  const value = transform[name];
  return value === undefined || value === null ? undefined : ACTIONS[name](object, value);
}
