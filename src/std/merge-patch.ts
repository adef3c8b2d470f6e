import type {Json} from './json.ts';
import {isJsonObject} from './json-at.ts';

/** Applies a JSON merge patch (RFC 7396) to a copy: null removes, objects are merged, everything else replaces. */
export function applyMergePatch(document: Json, patch: Json): Json {
  if (!isJsonObject(patch)) return patch;
  const result = isJsonObject(document) ? {...document} : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) Reflect.deleteProperty(result, key);
    else result[key] = applyMergePatch(result[key] ?? null, value);
  }
  return result;
}
