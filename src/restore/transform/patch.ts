import {isDeepStrictEqual} from 'node:util';
import type {KubeObject} from '../../cluster/object.ts';
import {PraError} from '../../errors.ts';
import type {Json} from '../../std/json.ts';
import {isJsonObject} from '../../std/json-at.ts';
import {applyMergePatch} from '../../std/merge-patch.ts';
import type {Action} from './action.ts';
import {applyJsonPatch} from './json-patch.ts';
import {parsePath, withoutPath} from './path.ts';

/** JSON patch, RFC 6902. */
export const patch: Action<'patch'> = (object, operations) =>
  altered(
    object,
    document => applyJsonPatch(document, operations),
    operations.map(({op, path}) => `${op} ${path}`).join(', '),
  );

/** JSON merge patch, RFC 7396. */
export const merge: Action<'merge'> = (object, value) =>
  altered(object, document => applyMergePatch(document, value), pathsOf(value).join(', '));

/** Annotations that are set, or removed with null. */
export const annotations: Action<'annotations'> = (object, value) =>
  altered(
    object,
    document => applyMergePatch(document, {metadata: {annotations: {...value}}}),
    Object.keys(value)
      .map(name => `metadata.annotations["${name}"]`)
      .join(', '),
  );

/** Fields that are left out. */
export const drop: Action<'drop'> = (object, paths) => {
  const found = paths.filter(path => withoutPath(object, parsePath(path)) !== object);
  if (found.length === 0) return undefined;
  const smaller = (document: Json): Json =>
    asJson(found.reduce<unknown>((result, path) => withoutPath(result, parsePath(path)), document));
  return altered(object, smaller, found.join(', '));
};

/** Leaves of a patch, in dotted form. */
function pathsOf(value: Json, path: readonly string[] = []): string[] {
  if (!isJsonObject(value) || Object.keys(value).length === 0) return [path.join('.')];
  return Object.entries(value).flatMap(([key, inner]) => pathsOf(inner, [...path, key]));
}

const asJson = (value: unknown): Json => JSON.parse(JSON.stringify(value));

/** The object as a change of its JSON makes it, which must be the same object still. */
function altered(object: KubeObject, change: (document: Json) => Json, path: string) {
  const document = asJson(object);
  const result = change(document);
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
  if (isDeepStrictEqual(result, document)) return undefined;
  const whole: KubeObject = {
    ...result,
    apiVersion,
    kind,
    metadata: {...result.metadata, name: metadata.name, ...keepNamespace(metadata.namespace)},
  } satisfies Record<string, unknown>;
  return {object: whole, path};
}

const keepNamespace = (namespace: string | undefined) => (namespace === undefined ? {} : {namespace});
