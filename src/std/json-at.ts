import type {Json, JsonObject} from './json.ts';

/**
 * Reading and changing one place of a JSON value whose shape is not known, without casts. Reading never throws:
 * what is absent or of another type is undefined (or empty). Changing copies only the objects on the way.
 */

/** True for a JSON object, not for an array or null. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value at a path of keys, or undefined. */
export function at(value: unknown, ...path: readonly string[]): unknown {
  let current = value;
  for (const key of path) {
    if (!isJsonObject(current)) return undefined;
    current = current[key];
  }
  return current;
}

export function objectAt(value: unknown, ...path: readonly string[]): JsonObject | undefined {
  const found = at(value, ...path);
  return isJsonObject(found) ? found : undefined;
}

/** The array at a path; empty when there is none. */
export function arrayAt(value: unknown, ...path: readonly string[]): Json[] {
  const found = at(value, ...path);
  return Array.isArray(found) ? found : [];
}

export function stringAt(value: unknown, ...path: readonly string[]): string | undefined {
  const found = at(value, ...path);
  return typeof found === 'string' ? found : undefined;
}

export function numberAt(value: unknown, ...path: readonly string[]): number | undefined {
  const found = at(value, ...path);
  return typeof found === 'number' ? found : undefined;
}

/** The string values of an object at a path, such as labels; other values are left out. */
export function stringsAt(value: unknown, ...path: readonly string[]): Record<string, string> {
  const entries = Object.entries(objectAt(value, ...path) ?? {});
  return Object.fromEntries(
    entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}

/** A copy with the value at the path set; objects on the way are made where they are absent. */
export function withAt<T extends object>(value: T, path: readonly string[], next: Json): T {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  const child = Reflect.get(value, key);
  return {...value, [key]: rest.length === 0 ? next : withAt(isJsonObject(child) ? child : {}, rest, next)};
}

/** A copy without what is at the path, and without the objects on the way that are emptied by it; the same value when there is nothing. */
export function withoutAt<T extends object>(value: T, path: readonly string[]): T {
  const [key, ...rest] = path;
  if (key === undefined || !Object.hasOwn(value, key)) return value;
  if (rest.length === 0) {
    const copy = {...value};
    Reflect.deleteProperty(copy, key);
    return copy;
  }
  const child = Reflect.get(value, key);
  if (!isJsonObject(child)) return value;
  const smaller = withoutAt(child, rest);
  if (smaller === child) return value;
  return Object.keys(smaller).length === 0 ? withoutAt(value, [key]) : {...value, [key]: smaller};
}
