import type {Json} from './json.ts';
import {isJsonObject} from './json-at.ts';

const FIELD = {enumerable: true, configurable: true, writable: true};

/** Applies a JSON merge patch (RFC 7396) to a copy: null removes, objects are merged, everything else replaces. */
export function applyMergePatch(document: Json, patch: Json): Json {
  if (!isJsonObject(patch)) return patch;
  const result = isJsonObject(document) ? {...document} : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) Reflect.deleteProperty(result, key);
    else {
      const before = Object.hasOwn(result, key) ? (result[key] ?? null) : null;
      // Not by assignment: a key may be `__proto__`.
      Object.defineProperty(result, key, {value: applyMergePatch(before, value), ...FIELD});
    }
  }
  return result;
}
