import closest from 'fastest-levenshtein';
import type {PlanPath} from './locate.ts';
import type {Plan} from './schema.ts';

export interface Mistake {
  message: string;
  path: PlanPath;
  hint?: string | undefined;
}

/** What a schema cannot see: names that must be unique or must exist, and fields that contradict each other. */
export function findSemanticMistakes(plan: Plan): Mistake[] {
  const {spec} = plan;
  return [
    ...duplicates(
      spec.groups.map(group => group.name),
      ['spec', 'groups'],
      'group',
    ),
    ...duplicates(
      spec.probes.map(probe => probe.name),
      ['spec', 'probes'],
      'probe',
    ),
    ...unknownDependencies(plan),
    ...unknownGroups(plan),
    ...recoveryPoint(plan),
    ...canaryWithout(plan),
  ];
}

function duplicates(names: readonly string[], path: PlanPath, what: string): Mistake[] {
  return names.flatMap((name, index) =>
    names.indexOf(name) < index
      ? [{message: `there is already a ${what} ${name}`, path: [...path, index, 'name']}]
      : [],
  );
}

function unknownDependencies({spec}: Plan): Mistake[] {
  const names = spec.groups.map(group => group.name);
  return spec.groups.flatMap((group, index) =>
    group.dependsOn.flatMap((needed, position) =>
      names.includes(needed)
        ? []
        : [
            {
              message: `group ${group.name} depends on ${needed}, which is no group of the plan`,
              path: ['spec', 'groups', index, 'dependsOn', position],
              hint: `did you mean ${closest.closest(needed, names)}?`,
            },
          ],
    ),
  );
}

function unknownGroups({spec}: Plan): Mistake[] {
  const names = spec.groups.map(group => group.name);
  return spec.probes.flatMap((probe, index) =>
    (probe.health?.groups ?? [])
      .filter(name => !names.includes(name))
      .map(name => ({
        message: `probe ${probe.name} names the group ${name}, which is no group of the plan`,
        path: ['spec', 'probes', index, 'health', 'groups'],
        hint: `groups: ${names.join(', ')}`,
      })),
  );
}

function recoveryPoint({spec}: Plan): Mistake[] {
  const {policy, id, at} = spec.recoveryPoint;
  const path = ['spec', 'recoveryPoint'];
  if (policy === 'id' && id === undefined) return [{message: 'policy id needs `id`', path}];
  if (policy === 'at' && at === undefined) return [{message: 'policy at needs `at`', path}];
  if (policy !== 'id' && id !== undefined)
    return [{message: `\`id\` is only for policy id, and the policy is ${policy}`, path: [...path, 'id']}];
  return [];
}

function canaryWithout({spec}: Plan): Mistake[] {
  if (spec.source.canary) return [];
  return spec.probes.flatMap((probe, index) =>
    probe.canary
      ? [
          {
            message: `probe ${probe.name} looks for a canary, and spec.source.canary writes none`,
            path: ['spec', 'probes', index, 'canary'],
          },
        ]
      : [],
  );
}
