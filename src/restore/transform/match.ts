import {isDeepStrictEqual} from 'node:util';
import {groupOf, type KubeObject} from '../../cluster/object.ts';
import {matchGlobs} from '../../snapshot/glob.ts';
import {parseSelector} from '../../snapshot/selector.ts';
import {stringsAt} from '../../std/json-at.ts';
import type {FieldMatch, ObjectMatch} from '../policy.ts';
import {parsePath, valuesAt} from './path.ts';

/** Tells which objects a match of the plan is for: all that is given must hold; names and namespaces may be globs. */
export function compileMatch(match: ObjectMatch): (object: KubeObject) => boolean {
  const glob = (text: string | undefined) => (text === undefined ? () => true : matchGlobs([text]));
  const name = glob(match.name);
  const namespace = glob(match.namespace);
  const labels = parseSelector(match.selector ?? '');
  const fields = (match.fields ?? []).map(compileField);
  return object =>
    (match.kind === undefined || match.kind === object.kind) &&
    (match.group === undefined || match.group === groupOf(object.apiVersion)) &&
    name(object.metadata.name) &&
    namespace(object.metadata.namespace ?? '') &&
    labels(stringsAt(object, 'metadata', 'labels')) &&
    fields.every(fits => fits(object));
}

function compileField({path, equals, exists = true}: FieldMatch): (object: KubeObject) => boolean {
  const steps = parsePath(path);
  return object => {
    const found = valuesAt(object, steps);
    if (equals === undefined) return found.length > 0 === exists;
    return found.some(value => isDeepStrictEqual(value, equals));
  };
}
