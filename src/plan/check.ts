import closest from 'fastest-levenshtein';
import {circleOf, type Grouped} from './graph.ts';
import type {PlanPath} from './locate.ts';
import type {Outline} from './outline.ts';

export interface Mistake {
  message: string;
  path: PlanPath;
  hint?: string | undefined;
}

/** What a schema cannot see: names that must be unique or must exist, and fields that contradict each other. */
export function findSemanticMistakes(spec: Outline): Mistake[] {
  const groups = spec.groups.map(group => group?.name);
  const probes = spec.probes.map(probe => probe?.name);
  return [
    ...duplicates(groups, ['spec', 'groups'], 'group'),
    ...duplicates(probes, ['spec', 'probes'], 'probe'),
    ...hookMistakes(spec.source),
    ...(groups.includes(undefined) ? [] : [...unknownDependencies(spec), ...unknownGroups(spec)]),
    ...recoveryPoint(spec),
    ...spec.probes.flatMap((probe, index) =>
      probe ? contradictions(spec, probe, ['spec', 'probes', index]) : [],
    ),
  ];
}

/** Groups that depend on each other in a circle; not looked for while names are wrong. */
export function findCircle(spec: Outline): (Mistake & {circle: string[]}) | undefined {
  const groups = spec.groups.flatMap((group): Grouped[] =>
    group?.name === undefined ? [] : [{name: group.name, dependsOn: defined(group.dependsOn)}],
  );
  const circle = circleOf(groups);
  if (!circle) return undefined;
  const index = spec.groups.findIndex(group => group?.name === circle[0]);
  return {
    circle,
    message: `groups depend on each other in a circle: ${circle.join(' → ')}`,
    path: ['spec', 'groups', index, 'dependsOn'],
  };
}

const defined = (names: readonly (string | undefined)[] = []) => names.filter(name => name !== undefined);

function duplicates(names: readonly (string | undefined)[], path: PlanPath, what: string): Mistake[] {
  return names.flatMap((name, index) =>
    name !== undefined && names.indexOf(name) < index
      ? [{message: `there is already a ${what} ${name}`, path: [...path, index, 'name']}]
      : [],
  );
}

function hookMistakes({hooks}: Outline['source']): Mistake[] {
  const path = ['spec', 'source', 'hooks'];
  const isNothing = (command: unknown) =>
    command === undefined || (Array.isArray(command) && command.length === 0);
  const idle = hooks.flatMap((hook, index) =>
    hook && isNothing(hook.pre) && isNothing(hook.post)
      ? [{message: `hook ${hook.name} runs nothing: it needs \`pre\` or \`post\``, path: [...path, index]}]
      : [],
  );
  const names = hooks.map(hook => hook?.name);
  return [...duplicates(names, path, 'hook'), ...idle];
}

function unknownDependencies({groups}: Outline): Mistake[] {
  const names = defined(groups.map(group => group?.name));
  return groups.flatMap((group, at) =>
    unknownOf(group?.dependsOn, names, ['spec', 'groups', at, 'dependsOn']).map(({name, path}) => ({
      message: `group ${group?.name} depends on ${name}, which is no group of the plan`,
      path,
      hint: nearest(
        name,
        names.filter(other => other !== group?.name),
      ),
    })),
  );
}

function unknownGroups({groups, probes}: Outline): Mistake[] {
  const names = defined(groups.map(group => group?.name));
  return probes.flatMap((probe, at) =>
    unknownOf(probe?.health?.groups, names, ['spec', 'probes', at, 'health', 'groups']).map(
      ({name, path}) => ({
        message: `probe ${probe?.name} names the group ${name}, which is no group of the plan`,
        path,
        hint: nearest(name, names),
      }),
    ),
  );
}

function unknownOf(named: readonly (string | undefined)[] = [], known: readonly string[], path: PlanPath) {
  return named.flatMap((name, index) =>
    name === undefined || known.includes(name) ? [] : [{name, path: [...path, index]}],
  );
}

const nearest = (name: string, names: readonly string[]) =>
  names.length > 0 ? `did you mean \`${closest.closest(name, names)}\`?` : undefined;

function recoveryPoint({recoveryPoint: point}: Outline): Mistake[] {
  if (point?.policy === undefined) return [];
  const path = ['spec', 'recoveryPoint'];
  return (['id', 'at'] as const).flatMap(field => {
    const wanted = point.policy === field;
    if (wanted === (point[field] !== undefined)) return [];
    return wanted
      ? [{message: `policy ${field} needs \`${field}\``, path}]
      : [
          {
            message: `\`${field}\` is only for policy ${field}, and the policy is ${point.policy}`,
            path: [...path, field],
          },
        ];
  });
}

type Probe = NonNullable<Outline['probes'][number]>;

function contradictions({source}: Outline, probe: Probe, path: PlanPath): Mistake[] {
  const {min, max} = probe.k8s?.expect.count ?? {};
  return [
    probe.canary !== undefined && source.canary === undefined
      ? {
          message: `probe ${probe.name} looks for a canary, and spec.source.canary writes none`,
          path: [...path, 'canary'],
        }
      : undefined,
    typeof min === 'number' && typeof max === 'number' && min > max
      ? {
          message: `no number is ${min} at least and ${max} at most`,
          path: [...path, 'k8s', 'expect', 'count'],
        }
      : undefined,
    comparison(probe, path),
    emptyProof(probe, path),
  ].filter(mistake => mistake !== undefined);
}

/** A comparison that is never made would be a proof that is never given. */
function comparison({name, compare, sql, http}: Probe, path: PlanPath): Mistake | undefined {
  if (compare === undefined || sql !== undefined) return undefined;
  const at = [...path, 'compare'];
  if (!http)
    return {message: `probe ${name} has nothing to compare: only sql and http give a value`, path: at};
  const json = http.expect?.json;
  if (!json) return {message: `probe ${name} has nothing to compare: its http needs expect.json`, path: at};
  if (json.equals === undefined) return undefined;
  return {message: `probe ${name} says twice what is expected: by expect.json.equals and here`, path: at};
}

/** A query that may answer anything proves no data: zero rows would be as green as all of them. */
function emptyProof({name, proves, compare, sql, http}: Probe, path: PlanPath): Mistake | undefined {
  if ((proves !== 'dataPresent' && proves !== 'dataCurrent') || compare !== undefined) return undefined;
  const hint = 'add `compare: {baseline: snapshot}`, or `compare: {equals: …}`';
  if (sql !== undefined)
    return {message: `probe ${name} proves data, and takes any answer`, path: [...path, 'sql'], hint};
  const {json, bodyIncludes} = http?.expect ?? {};
  if (http === undefined || bodyIncludes !== undefined || json?.equals !== undefined) return undefined;
  return {
    message: `probe ${name} proves data, and takes any answer`,
    path: [...path, 'http'],
    hint: json ? hint : 'say what is expected: expect.bodyIncludes, or expect.json with `compare`',
  };
}
