import type {KubeObject} from '../cluster/object.ts';
import {roundedNumber} from '../std/exact-json.ts';
import {isJsonObject, objectAt, stringAt, withoutAt} from '../std/json-at.ts';
import {applyMergePatch} from '../std/merge-patch.ts';
import {wakePatch} from './inert.ts';

/**
 * Tells whether a live object has all that is wanted of it. What the API server adds (defaults, status, allotted
 * addresses) does not count as a difference.
 */
function covers(live: unknown, wanted: unknown): boolean {
  const rounded = roundedNumber(wanted);
  if (rounded !== undefined) return live === rounded;
  if (isJsonObject(wanted)) {
    return (
      isJsonObject(live) &&
      Object.entries(wanted).every(([key, value]) =>
        isEmpty(value) ? isEmpty(live[key]) : covers(live[key], value),
      )
    );
  }
  if (Array.isArray(wanted)) {
    return (
      Array.isArray(live) &&
      live.length === wanted.length &&
      wanted.every((value, index) => covers(live[index], value))
    );
  }
  return live === wanted;
}

/** The API server drops what is empty, so empty and absent are the same. */
const isEmpty = (value: unknown) =>
  value === undefined ||
  value === null ||
  (Array.isArray(value) && value.length === 0) ||
  (isJsonObject(value) && Object.keys(value).length === 0);

/** Tells whether an object is in the target as wanted: at rest, or started since. */
export function isRestored(live: KubeObject, wanted: KubeObject): boolean {
  if (covers(live, wanted) || isConvertedLater(live, wanted)) return true;
  const wake = wakePatch(wanted);
  if (wake === undefined) return false;
  const woken = applyMergePatch(JSON.parse(JSON.stringify(wanted)), wake);
  const annotations = Object.keys(objectAt(woken, 'metadata', 'annotations') ?? {});
  return covers(
    live,
    annotations.length > 0 || !isJsonObject(woken) ? woken : withoutAt(woken, ['metadata', 'annotations']),
  );
}

/** A definition whose conversion webhook has been put back already (conversion.ts). */
function isConvertedLater(live: KubeObject, wanted: KubeObject): boolean {
  return (
    stringAt(wanted, 'spec', 'conversion', 'strategy') === 'None' &&
    stringAt(live, 'spec', 'conversion', 'strategy') === 'Webhook' &&
    covers(live, withoutAt(wanted, ['spec', 'conversion']))
  );
}
