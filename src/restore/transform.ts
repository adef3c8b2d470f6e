import {isDeepStrictEqual} from 'node:util';
import {groupOf, type KubeObject} from '../cluster/object.ts';
import {messageOf, PraError} from '../errors.ts';
import {matchGlobs} from '../snapshot/glob.ts';
import {parseSelector} from '../snapshot/selector.ts';
import type {Json} from '../std/json.ts';
import {isJsonObject, stringsAt} from '../std/json-at.ts';
import {applyJsonPatch} from './json-patch.ts';
import type {ObjectMatch, Transform} from './policy.ts';
import {Change, type RestoreMode, type RuleVerdict} from './rules/rule.ts';

/** Alters an object by the plan's transforms of this mode, each recorded. */
export type Transformer = (object: KubeObject) => RuleVerdict | undefined;

/**
 * Makes one function of all transforms of a plan for a mode.
 * The function gives undefined when none fits; a patch that cannot be applied is a finding of severity error.
 */
export function compileTransforms(transforms: readonly Transform[], mode: RestoreMode): Transformer {
  const active = transforms
    .map((transform, index) => ({...transform, index, fits: compileMatch(transform.match)}))
    .filter(transform => transform.modes === undefined || transform.modes.includes(mode));
  return object => {
    const change = new Change(object);
    for (const {fits, patch, index} of active) {
      if (!fits(object)) continue;
      try {
        const paths = patch.map(operation => `${operation.op} ${operation.path}`).join(', ');
        change.to(patched(change.object, patch), {reason: `transform ${index + 1} of the plan: ${paths}`});
      } catch (error) {
        const why = error instanceof PraError ? `${error.message}: ${error.why}` : messageOf(error);
        change.remark({reason: `transform ${index + 1} of the plan: ${why}`, severity: 'error'});
      }
    }
    return change.verdict();
  };
}

/** Tells which objects a match of the plan is for; names and namespaces may be globs. */
function compileMatch(match: ObjectMatch): (object: KubeObject) => boolean {
  const glob = (text: string | undefined) => (text === undefined ? () => true : matchGlobs([text]));
  const name = glob(match.name);
  const namespace = glob(match.namespace);
  const labels = parseSelector(match.selector ?? '');
  return object =>
    (match.kind === undefined || match.kind === object.kind) &&
    (match.group === undefined || match.group === groupOf(object.apiVersion)) &&
    name(object.metadata.name) &&
    namespace(object.metadata.namespace ?? '') &&
    labels(stringsAt(object, 'metadata', 'labels'));
}

function patched(object: KubeObject, patch: Transform['patch']): KubeObject {
  const document: Json = JSON.parse(JSON.stringify(object));
  const result = applyJsonPatch(document, patch);
  if (!isJsonObject(result) || !isJsonObject(result.metadata)) {
    throw new PraError('RESTORE_FAILED', 'the patch leaves no object', {
      why: 'apiVersion, kind and metadata must stay',
    });
  }
  const {apiVersion, kind, metadata} = object;
  const same = result.apiVersion === apiVersion && result.kind === kind;
  if (!same || result.metadata.name !== metadata.name || result.metadata.namespace !== metadata.namespace) {
    throw new PraError('RESTORE_FAILED', 'the patch changes what the object is', {
      why: 'apiVersion, kind, name and namespace stay as they were',
    });
  }
  if (isDeepStrictEqual(result, document)) return object;
  return {
    ...result,
    apiVersion,
    kind,
    metadata: {...result.metadata, name: metadata.name, ...keepNamespace(metadata.namespace)},
  } satisfies Record<string, unknown>;
}

const keepNamespace = (namespace: string | undefined) => (namespace === undefined ? {} : {namespace});
