import closest from 'fastest-levenshtein';
import {PraError} from '../errors.ts';

interface Grouped {
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
  const layers: string[][] = [];
  const placed = new Set<string>();
  while (placed.size < groups.length) {
    const layer = groups.filter(
      group => !placed.has(group.name) && group.dependsOn.every(needed => placed.has(needed)),
    );
    if (layer.length === 0) {
      const circle = findCircle(groups.filter(group => !placed.has(group.name)));
      throw new PraError('PLAN_CYCLE', `groups depend on each other in a circle: ${circle.join(' → ')}`, {
        next: ['remove one of these dependencies'],
      });
    }
    layers.push(layer.map(group => group.name));
    for (const group of layer) placed.add(group.name);
  }
  return layers;
}

/** In what is left every group waits for another one that is left, so following them must come back to where it was. */
function findCircle(left: readonly Grouped[]): string[] {
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
