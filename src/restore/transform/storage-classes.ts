import {groupKindOf} from '../../snapshot/exclude.ts';
import type {Json} from '../../std/json.ts';
import {arrayAt, isJsonObject, stringAt, withAt} from '../../std/json-at.ts';
import {type Action, Replacements} from './action.ts';

const FIELD = ['spec', 'storageClassName'];

/** Storage classes of claims, and of the claims that a StatefulSet will make. */
export const storageClasses: Action<'storageClasses'> = (object, map) => {
  const made = new Replacements();
  const rename = <T extends object>(claim: T): T => {
    const name = stringAt(claim, ...FIELD);
    const to = name !== undefined && Object.hasOwn(map, name) ? map[name] : undefined;
    if (name === undefined || to === undefined || to === name) return claim;
    made.note(name, to);
    return withAt(claim, FIELD, to);
  };
  const kind = groupKindOf(object);
  if (kind === 'PersistentVolumeClaim') {
    const renamed = rename(object);
    return made.any ? {object: renamed, path: FIELD.join('.'), what: made.toString()} : undefined;
  }
  if (kind !== 'StatefulSet.apps') return undefined;
  const templates = arrayAt(object, 'spec', 'volumeClaimTemplates').map<Json>(template =>
    isJsonObject(template) ? rename(template) : template,
  );
  if (!made.any) return undefined;
  return {
    object: withAt(object, ['spec', 'volumeClaimTemplates'], templates),
    path: `spec.volumeClaimTemplates[*].${FIELD.join('.')}`,
    what: made.toString(),
  };
};
