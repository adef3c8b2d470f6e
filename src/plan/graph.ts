import {PraError, type SourceLocation} from '../errors.ts';

interface Grouped {
  name: string;
  dependsOn: readonly string[];
}

/**
 * Layers of groups: each after all that it depends on, in the order of the plan within a layer. A dependency that is no
 * group of the plan is not waited for; check.ts refuses it.
 * @throws PraError PLAN_CYCLE that names the circle.
 */
export function orderGroups(groups: readonly Grouped[]): string[][] {
  const names = new Set(groups.map(group => group.name));
  const layers: string[][] = [];
  const placed = new Set<string>();
  while (placed.size < groups.length) {
    const layer = groups.filter(
      group =>
        !placed.has(group.name) && group.dependsOn.every(needed => placed.has(needed) || !names.has(needed)),
    );
    if (layer.length === 0) throw new CycleError(findCircle(groups.filter(group => !placed.has(group.name))));
    layers.push(layer.map(group => group.name));
    for (const group of layer) placed.add(group.name);
  }
  return layers;
}

/** @throws PraError PLAN_CYCLE at the dependency of the first group of the circle. */
export function refuseCycle(
  groups: readonly Grouped[],
  locate: (groupIndex: number) => SourceLocation,
): void {
  try {
    orderGroups(groups);
  } catch (error) {
    if (!(error instanceof CycleError)) throw error;
    const index = groups.findIndex(group => group.name === error.circle[0]);
    throw new CycleError(error.circle, locate(index));
  }
}

class CycleError extends PraError {
  readonly circle: readonly string[];
  constructor(circle: readonly string[], location?: SourceLocation) {
    super('PLAN_CYCLE', `groups depend on each other in a circle: ${circle.join(' → ')}`, {
      location,
      next: ['remove one of these dependencies'],
    });
    this.circle = circle;
  }
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
