import {selectorText} from '../snapshot/selector.ts';
import type {JsonObject} from '../std/json.ts';
import {type ClusterFacts, type WorkloadFact, workloadKey} from './facts.ts';
import {planNames} from './names.ts';
import {labelsOf} from './select.ts';
import {databasesIn} from './volumes.ts';
import type {Item} from './yaml.ts';

/** Groups in a likely order: databases, and after them everything else, by namespace. */
export function planGroups({workloads, scope}: ClusterFacts): Item<JsonObject>[] {
  const isDatabase = databasesIn(workloads);
  const unique = planNames();
  const byNamespace = Map.groupBy(workloads, ({namespace}) => namespace);
  const first: Item<JsonObject>[] = [];
  const rest: string[] = [];
  for (const [namespace, members] of byNamespace) {
    const databases = members.filter(member => isDatabase.has(workloadKey(member)));
    if (databases.length === members.length) first.push(wholeNamespace(unique(namespace), namespace));
    else {
      first.push(...databases.flatMap(member => oneDatabase(unique, member, workloads)));
      rest.push(namespace);
    }
  }
  const dependsOn = first.map(({value}) => value.name ?? '');
  const after = rest.map(namespace => {
    const {value, lines} = wholeNamespace(unique(namespace), namespace);
    return {value: dependsOn.length === 0 ? value : {name: value.name ?? '', dependsOn, ...value}, lines};
  });
  const groups = [...first, ...after];
  return groups.length > 0
    ? groups
    : [{value: {name: 'all', select: {namespaces: [...scope.names]}}, lines: []}];
}

const wholeNamespace = (name: string, namespace: string): Item<JsonObject> => ({
  value: {name, select: {namespaces: [namespace]}},
  lines: [],
});

/** Beside other workloads a database is told by its labels; one without any starts with them. */
function oneDatabase(
  unique: (text: string) => string,
  member: WorkloadFact,
  all: readonly WorkloadFact[],
): Item<JsonObject>[] {
  const labels = labelsOf(member, all);
  if (!labels) return [];
  const name = unique(`${member.namespace}-${member.name}`);
  const select = {namespaces: [member.namespace], selector: selectorText(labels)};
  return [{value: {name, select}, lines: []}];
}
