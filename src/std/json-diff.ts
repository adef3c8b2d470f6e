import {canonicalJson} from './json.ts';
import {isJsonObject} from './json-at.ts';

/** A step into a value: a key, an index, or the item of a list that has this name. */
export type PathStep = string | number | {name: string};

export interface FieldChange {
  path: PathStep[];
  /** Absent when the field was not there. */
  before?: unknown;
  after?: unknown;
}

/**
 * What differs between two JSON values, field by field, in the order of keys. Items of lists are matched by their `name`
 * where each has one of its own, as containers and ports do, and by their place otherwise.
 */
export function diffJson(before: unknown, after: unknown): FieldChange[] {
  const changes: FieldChange[] = [];
  collect(before, after, [], changes);
  return changes;
}

function collect(before: unknown, after: unknown, path: PathStep[], changes: FieldChange[]): void {
  if (isJsonObject(before) && isJsonObject(after)) {
    for (const key of [...new Set([...Object.keys(before), ...Object.keys(after)])].sort())
      collect(before[key], after[key], [...path, key], changes);
    return;
  }
  if (Array.isArray(before) && Array.isArray(after)) {
    collectItems(before, after, path, changes);
    return;
  }
  if (before === after || canonicalJson(before) === canonicalJson(after)) {
    // null and absent are written the same, and are not the same.
    if ((before === undefined) === (after === undefined)) return;
  }
  changes.push({
    path,
    ...(before === undefined ? {} : {before}),
    ...(after === undefined ? {} : {after}),
  });
}

function collectItems(
  before: readonly unknown[],
  after: readonly unknown[],
  path: PathStep[],
  changes: FieldChange[],
): void {
  const [old, now] = [namesOf(before), namesOf(after)];
  if (!old || !now) {
    for (let i = 0; i < Math.max(before.length, after.length); i += 1)
      collect(before[i], after[i], [...path, i], changes);
    return;
  }
  for (const name of [...new Set([...old.keys(), ...now.keys()])])
    collect(old.get(name), now.get(name), [...path, {name}], changes);
  const order = (names: ReadonlyMap<string, unknown>, others: ReadonlyMap<string, unknown>) =>
    [...names.keys()].filter(name => others.has(name));
  // The same items in another order: init containers run in theirs.
  if (order(old, now).join('\n') !== order(now, old).join('\n'))
    changes.push({path: [...path, 'order'], before: [...old.keys()], after: [...now.keys()]});
}

/** Items by name, or undefined when they have none of their own. */
function namesOf(items: readonly unknown[]): Map<string, unknown> | undefined {
  const named = new Map<string, unknown>();
  for (const item of items) {
    const name = isJsonObject(item) ? item.name : undefined;
    if (typeof name !== 'string' || named.has(name)) return undefined;
    named.set(name, item);
  }
  return named;
}

/** `spec.template.spec.containers[web].image` */
export function formatPath(path: readonly PathStep[]): string {
  return path
    .map((step, i) => {
      if (typeof step === 'number') return `[${step}]`;
      if (typeof step === 'object') return `[${step.name}]`;
      const plain = /^[A-Za-z_][\w-]*$/.test(step);
      return plain ? `${i === 0 ? '' : '.'}${step}` : `[${JSON.stringify(step)}]`;
    })
    .join('');
}
