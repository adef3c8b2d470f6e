import type {KubeObject} from '../cluster/object.ts';
import {readEntries} from '../repository/object-set.ts';
import type {Repository} from '../repository/repository.ts';
import type {SnapshotRoot} from '../repository/snapshot-root.ts';
import {ReferenceCollector} from '../snapshot/referenced.ts';
import {compileSelect, type Selection, type SnapshotSelect} from '../snapshot/select.ts';
import type {SnapshotObject} from './index-objects.ts';
import {keyOf} from './index-objects.ts';
import {type ObjectSource, snapshotSource} from './source.ts';

/** Whether a selection takes everything, so that nothing has to be looked at. */
export function isWhole(select: SnapshotSelect): boolean {
  const {namespaces, clusterScoped, selector, excludeSelector} = select;
  const lists = [
    select.excludeNamespaces,
    select.kinds,
    select.excludeKinds,
    select.names,
    select.excludeNames,
  ];
  return (
    namespaces.length === 1 &&
    namespaces[0] === '*' &&
    clusterScoped === 'all' &&
    !selector &&
    !excludeSelector &&
    lists.every(list => (list ?? []).length === 0)
  );
}

/**
 * The objects of a snapshot that a selection takes, by the same rules as a capture: namespaced ones that fit, and of
 * cluster-scoped ones all, none, or what the others need.
 * @throws PraError USAGE for a selector that cannot be read, REPOSITORY_CORRUPT
 */
export async function selectedSource(
  repository: Repository,
  root: SnapshotRoot,
  select: SnapshotSelect,
  {signal}: {signal: AbortSignal},
): Promise<ObjectSource> {
  if (isWhole(select)) return snapshotSource(repository, root, {signal});
  const selection = compileSelect({
    ...select,
    namespaces: await literalNamespaces(repository, root, select, signal),
  });
  const namespaced = (entry: SnapshotObject) => entry.type.namespaced && fits(selection, entry);
  if (select.clusterScoped === 'none') return snapshotSource(repository, root, {fits: namespaced, signal});
  const clusterWide = await clusterScoped(repository, root, selection, signal);
  return snapshotSource(repository, root, {
    fits: entry => (entry.type.namespaced ? fits(selection, entry) : clusterWide(entry)),
    signal,
  });
}

/** Namespaces of the system are taken only when they are named: in a snapshot that has them, `*` names them. */
async function literalNamespaces(
  repository: Repository,
  root: SnapshotRoot,
  {namespaces}: SnapshotSelect,
  signal: AbortSignal,
): Promise<string[]> {
  if (!namespaces.includes('*')) return [...namespaces];
  const all = new Set<string>(namespaces);
  for await (const {namespace} of readEntries(repository, root, {signal})) if (namespace) all.add(namespace);
  return [...all];
}

function fits(selection: Selection, {type, object}: SnapshotObject): boolean {
  return (
    selection.type(type) &&
    selection.namespace(object.metadata.namespace ?? '') &&
    selection.names(type)(object.metadata.name) &&
    selection.labels(object)
  );
}

/** Which cluster-scoped objects belong to the selection. */
async function clusterScoped(
  repository: Repository,
  root: SnapshotRoot,
  selection: Selection,
  signal: AbortSignal,
): Promise<(entry: SnapshotObject) => boolean> {
  const {select} = selection;
  if (select.clusterScoped === 'all') {
    return entry =>
      entry.type.kind === 'Namespace'
        ? selection.namespace(entry.object.metadata.name)
        : selection.type(entry.type) &&
          selection.names(entry.type)(entry.object.metadata.name) &&
          selection.labels(entry.object);
  }
  const source = await snapshotSource(repository, root, {signal});
  const collector = new ReferenceCollector();
  for await (const entry of source.objects(type => type.namespaced))
    if (fits(selection, entry)) collector.note(entry.object, entry.type);
  const candidates: SnapshotObject[] = [];
  for await (const entry of source.objects(type => !type.namespaced && collector.canHold(type)))
    candidates.push(entry);
  const wanted = new Set(collector.select(candidates).map(({object}: {object: KubeObject}) => keyOf(object)));
  return ({object}) => wanted.has(keyOf(object));
}
