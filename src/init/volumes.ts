import type {Labels} from '../snapshot/selector.ts';
import type {JsonObject} from '../std/json.ts';
import {type ClusterFacts, type WorkloadFact, workloadKey} from './facts.ts';
import {type Recognised, recognise} from './recognise.ts';
import {hasLabels, labelsOf} from './select.ts';
import type {Item} from './yaml.ts';

/** A database that a rule of the plan saves. */
export interface SavedDatabase {
  workload: WorkloadFact;
  labels: Labels;
  database: string;
  container: string;
  notEmpty: readonly string[];
}

export interface VolumeRules {
  rules: Item<JsonObject>[];
  saved: SavedDatabase[];
  /** Volumes that a person must decide about, as they are named in the plan. */
  questions: string[];
}

/** A rule for each workload with volumes: a dump where pra knows how, else one without a method, which is a question. */
export function planVolumes(facts: ClusterFacts): VolumeRules {
  const result: VolumeRules = {rules: [], saved: [], questions: []};
  const covered = new Set<string>();
  const mounting = facts.workloads
    .filter(({claims}) => claims.length > 0)
    .map(workload => ({workload, found: recognise(workload)}))
    // A database speaks for its volume, also where another workload mounts it too.
    .sort((a, b) => Number(Boolean(b.found?.notEmpty)) - Number(Boolean(a.found?.notEmpty)));
  for (const {workload, found} of mounting) {
    const open = workload.claims.filter(claim => !covered.has(`${workload.namespace}/${claim}`));
    if (open.length === 0) continue;
    for (const claim of open) covered.add(`${workload.namespace}/${claim}`);
    const labels = labelsOf(workload, facts.workloads);
    const obstacle = obstacleOf(workload, labels, found);
    if (labels && found?.notEmpty && obstacle === undefined) {
      result.rules.push(dumpRule(workload, labels, found));
      result.saved.push(savedDatabase(workload, labels, found, found.notEmpty));
    } else ask(result, facts, workload, {open, labels, found, obstacle});
  }
  for (const claim of facts.claims) {
    const isCovered =
      covered.has(`${claim.namespace}/${claim.name}`) ||
      result.saved.some(
        ({workload, labels}) => workload.namespace === claim.namespace && hasLabels(claim.labels, labels),
      );
    if (!isCovered) askAboutUnused(result, claim);
  }
  return result;
}

/** Why the preset that pra knows cannot be used on this workload. */
function obstacleOf(
  {replicas}: WorkloadFact,
  labels: Labels | undefined,
  found: Recognised | undefined,
): string | undefined {
  if (!labels) return 'Its pods have no labels of their own, by which a rule could choose them.';
  if (found?.missing !== undefined) return `It looks like ${found.recipe.database}, but ${found.missing}.`;
  if (found && replicas === 0)
    return `It looks like ${found.recipe.database}, but it has no replicas to ask.`;
  return undefined;
}

function dumpRule(
  {namespace, kind, name, claims, replicas, containers}: WorkloadFact,
  labels: Labels,
  {recipe, container}: Recognised,
): Item<JsonObject> {
  const lines = [`${recipe.database} of ${kind} ${namespace}/${name}.`, ...recipe.advice];
  if (claims.length > 1 && (replicas ?? 1) <= 1)
    lines.push(`The pod mounts ${claims.join(', ')}: what is not the database comes back empty.`);
  if ((replicas ?? 1) > 1)
    lines.push(
      `One of its ${replicas} pods is asked for the dump, and one is given it: is each the one that may write?`,
    );
  const which = containers.length > 1 ? {container: container.name} : {};
  return {
    value: {
      select: {...labels},
      namespaces: [namespace],
      method: 'dump',
      dump: {...which, preset: recipe.preset},
    },
    lines,
  };
}

const savedDatabase = (
  workload: WorkloadFact,
  labels: Labels,
  {recipe, container}: Recognised,
  notEmpty: readonly string[],
): SavedDatabase => ({workload, labels, database: recipe.database, container: container.name, notEmpty});

interface Doubt {
  open: readonly string[];
  labels: Labels | undefined;
  found: Recognised | undefined;
  obstacle: string | undefined;
}

function ask(result: VolumeRules, facts: ClusterFacts, workload: WorkloadFact, doubt: Doubt): void {
  const {namespace, kind, name} = workload;
  const sizes = new Map(facts.claims.map(claim => [`${claim.namespace}/${claim.name}`, claim.size]));
  const volumes = doubt.open.map(
    claim => `${namespace}/${claim} (${sizes.get(`${namespace}/${claim}`) ?? 'not there'})`,
  );
  const question = `volume ${volumes.join(', ')} of ${kind} ${name} has no rule yet`;
  const why = doubt.obstacle ?? (doubt.found ? `It looks like ${doubt.found.recipe.database}.` : undefined);
  result.questions.push(question);
  result.rules.push({
    value: {...(doubt.labels ? {select: {...doubt.labels}} : {}), namespaces: [namespace]},
    lines: [
      `${question}: decide on its \`method\`.`,
      ...(why === undefined ? [] : [why]),
      ...(doubt.found?.notEmpty ? [] : (doubt.found?.recipe.advice ?? [])),
    ],
  });
}

function askAboutUnused(
  result: VolumeRules,
  {namespace, name, size, labels}: ClusterFacts['claims'][number],
): void {
  const isLabelled = Object.keys(labels).length > 0;
  const question = `volume ${namespace}/${name} (${size}), which no pod mounts, has no rule yet`;
  result.questions.push(question);
  result.rules.push({
    value: {...(isLabelled ? {select: {...labels}} : {}), namespaces: [namespace]},
    lines: [
      `${question}: delete it and this rule, or decide on its \`method\`.`,
      ...(isLabelled ? [] : ['It has no labels: give it one, and choose it by that with `select`.']),
    ],
  });
}

/** Names of the workloads that are databases, whether their data is saved by a rule or not. */
export function databasesIn(workloads: readonly WorkloadFact[]): ReadonlySet<string> {
  return new Set(workloads.filter(workload => recognise(workload) !== undefined).map(workloadKey));
}
