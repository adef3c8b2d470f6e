import closest from 'fastest-levenshtein';
import {PraError} from '../errors.ts';

export interface Grouped {
  name: string;
  dependsOn: readonly string[];
}

/**
 * Layers of groups: each after all that it depends on, in the order of the plan within a layer.
 * @throws PraError PLAN_INVALID for a dependency that does not exist, PLAN_CYCLE that names the circle.
 */
export function orderGroups(groups: readonly Grouped[]): string[][] {
  const names = groups.map(group => group.name);
  for (const group of groups) {
    const unknown = group.dependsOn.find(needed => !names.includes(needed));
    if (unknown === undefined) continue;
    throw new PraError(
      'PLAN_INVALID',
      `group ${group.name} depends on ${unknown}, which is no group of the plan`,
      {
        next: [`did you mean ${closest.closest(unknown, names)}?`],
      },
    );
  }
  const {layers, left} = layersOf(groups);
  if (left.length === 0) return layers;
  throw new PraError(
    'PLAN_CYCLE',
    `groups depend on each other in a circle: ${followCircle(left).join(' → ')}`,
    {
      next: ['remove one of these dependencies'],
    },
  );
}

/** A circle of dependencies, its first group again at its end. Dependencies that do not exist are not followed. */
export function circleOf(groups: readonly Grouped[]): string[] | undefined {
  const names = groups.map(group => group.name);
  const known = groups.map(({name, dependsOn}) => ({
    name,
    dependsOn: dependsOn.filter(needed => names.includes(needed)),
  }));
  const {left} = layersOf(known);
  return left.length === 0 ? undefined : followCircle(left);
}

function layersOf(groups: readonly Grouped[]): {layers: string[][]; left: readonly Grouped[]} {
  const layers: string[][] = [];
  const placed = new Set<string>();
  let left = groups;
  while (left.length > 0) {
    const ready = left.filter(group => group.dependsOn.every(needed => placed.has(needed)));
    if (ready.length === 0) break;
    layers.push(ready.map(group => group.name));
    for (const group of ready) placed.add(group.name);
    left = left.filter(group => !ready.includes(group));
  }
  return {layers, left};
}

/** In what is left every group waits for another one that is left, so following them must come back to where it was. */
function followCircle(left: readonly Grouped[]): string[] {
  const byName = new Map(left.map(group => [group.name, group]));
  const path: string[] = [];
  let at = left[0];
  while (at && !path.includes(at.name)) {
    path.push(at.name);
    const next = at.dependsOn.find(needed => byName.has(needed));
    at = next === undefined ? undefined : byName.get(next);
  }
  return at ? [...path.slice(path.indexOf(at.name)), at.name] : path;
}
