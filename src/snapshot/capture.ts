import type {Cluster} from '../cluster/client.ts';
import {CORE_TYPES} from '../cluster/core-types.ts';
import {discoverResources} from '../cluster/discover.ts';
import {judgeHealth} from '../cluster/health.ts';
import {listAll, listObjects} from '../cluster/list.ts';
import type {KubeObject, ResourceType} from '../cluster/object.ts';
import {PraError} from '../errors.ts';
import {numberAt} from '../std/json-at.ts';
import {mapPool} from '../std/pool.ts';
import {canonicalObject} from './canonical.ts';
import type {SnapshotListener} from './event.ts';
import {groupKind, reasonToExclude} from './exclude.ts';
import {type CapturedObject, ReferenceCollector} from './referenced.ts';
import {compileSelect, listScopes, type Selection, type SnapshotSelect} from './select.ts';

/** A captured object with the health that it had. */
export interface CapturedRecord extends CapturedObject {
  health?: {state: string; replicas?: number};
}

export interface CaptureOptions {
  cluster: Cluster;
  select: SnapshotSelect;
  /** Takes each object once, in no certain order. */
  write: (record: CapturedRecord) => Promise<void> | void;
  signal: AbortSignal;
  onEvent?: SnapshotListener | undefined;
}

export interface Capture {
  objects: number;
  /** Of each kind, where its list stood: a watch from there sees what came after. */
  resourceVersions: Record<string, string>;
  /** How many objects were left out, by reason. */
  excluded: Record<string, number>;
}

/** Kinds that are listed at the same time. */
const CONCURRENCY = 8;

/**
 * Reads the selected objects of a cluster in canonical form: fresh discovery, all kinds in parallel, page by page.
 * @throws PraError CLUSTER_DISCOVERY_INCOMPLETE, CLUSTER_* naming the kind that could not be listed, SNAPSHOT_FAILED
 * when a namespace that the selection names is not there. One failed kind fails the capture.
 */
export async function captureObjects(options: CaptureOptions): Promise<Capture> {
  const run: CaptureRun = {
    ...options,
    selection: compileSelect(options.select),
    references: new ReferenceCollector(),
    capture: {objects: 0, resourceVersions: {}, excluded: {}},
  };
  const types = await discoverResources(options.cluster, {signal: options.signal});
  const capturable = types.filter(type => run.selection.type(type));
  const namespaces = await selectNamespaces(run, types);
  const scopes = listScopes(options.select, namespaces);
  await mapPool(
    capturable.filter(type => type.namespaced),
    CONCURRENCY,
    type => captureKind(run, type, scopes),
  );
  if (options.select.clusterScoped !== 'none') await captureClusterScoped(run, capturable);
  return run.capture;
}

interface CaptureRun extends CaptureOptions {
  selection: Selection;
  references: ReferenceCollector;
  capture: Capture;
}

/** Captures the Namespace objects of the selection and gives their names. */
async function selectNamespaces(run: CaptureRun, types: readonly ResourceType[]): Promise<string[]> {
  const type = types.find(candidate => groupKind(candidate) === 'Namespace');
  if (!type) throw new PraError('SNAPSHOT_FAILED', 'the cluster serves no namespaces');
  const all = await listAll(run.cluster, CORE_TYPES.Namespace, {signal: run.signal});
  const known = new Set(all.map(({metadata}) => metadata.name));
  const missing = run.select.namespaces.filter(name => !/[*?]/.test(name) && !known.has(name));
  if (missing.length > 0) {
    throw new PraError(
      'SNAPSHOT_FAILED',
      `namespace ${missing.join(', ')} does not exist in ${run.cluster.context}`,
      {
        next: ['kubectl get namespaces', 'correct `source.include.namespaces` of the plan'],
      },
    );
  }
  const selected = all.filter(({metadata}) => run.selection.namespace(metadata.name));
  if (selected.length === 0) {
    throw new PraError('SNAPSHOT_FAILED', `no namespace of ${run.cluster.context} is selected`, {
      why: `the selection is ${run.select.namespaces.join(', ')}`,
    });
  }
  const names: string[] = [];
  for (const object of selected) if (await capture(run, type, object)) names.push(object.metadata.name);
  return names;
}

async function captureKind(
  run: CaptureRun,
  type: ResourceType,
  scopes: readonly (string | undefined)[],
): Promise<void> {
  let objects = 0;
  for (const namespace of scopes) {
    const listed = await listKind(run, type, namespace);
    const wanted = listed.filter(
      object => run.selection.namespace(object.metadata.namespace ?? '') && run.selection.labels(object),
    );
    for (const object of wanted) {
      if (await capture(run, type, object)) objects += 1;
    }
  }
  run.onEvent?.({type: 'kind', kind: groupKind(type), objects});
  run.onEvent?.({type: 'progress', objects: run.capture.objects});
}

async function captureClusterScoped(run: CaptureRun, types: readonly ResourceType[]): Promise<void> {
  const isAll = run.select.clusterScoped === 'all';
  const wanted = types.filter(
    type => !type.namespaced && groupKind(type) !== 'Namespace' && (isAll || run.references.canHold(type)),
  );
  const lists = await mapPool(wanted, CONCURRENCY, async type =>
    (await listKind(run, type, undefined)).map(object => ({type, object})),
  );
  const found = lists.flat().filter(({object}) => run.selection.labels(object) || !isAll);
  const selected = isAll ? found : run.references.select(found);
  for (const {type, object} of selected) await capture(run, type, object);
  run.onEvent?.({type: 'progress', objects: run.capture.objects});
}

/** One kind whole, so that a list that expired and began anew leaves nothing of its first try. */
async function listKind(
  run: CaptureRun,
  type: ResourceType,
  namespace: string | undefined,
): Promise<KubeObject[]> {
  const objects: KubeObject[] = [];
  for await (const page of listObjects(run.cluster, type, {namespace, signal: run.signal})) {
    if (page.restarted) objects.length = 0;
    objects.push(...page.objects);
    // Lists of several namespaces: the first is the oldest, and a watch may begin too early but not too late.
    run.capture.resourceVersions[groupKind(type)] ??= page.resourceVersion;
  }
  return objects;
}

/** Writes one object, unless something else makes it again. */
async function capture(run: CaptureRun, type: ResourceType, object: KubeObject): Promise<boolean> {
  const reason = reasonToExclude(object);
  if (reason !== undefined) {
    const kind = `${groupKind(type)}: ${reason.startsWith('made by') ? 'made by its owner' : reason}`;
    run.capture.excluded[kind] = (run.capture.excluded[kind] ?? 0) + 1;
    return false;
  }
  run.references.note(object, type);
  run.capture.objects += 1;
  await run.write({type, object: canonicalObject(object), ...healthOf(object)});
  return true;
}

/** The baseline that a recovery is judged against; kinds without status have none. */
function healthOf(object: KubeObject): Pick<CapturedRecord, 'health'> {
  if (object.status === undefined) return {};
  const replicas = numberAt(object, 'spec', 'replicas');
  const {state} = judgeHealth(object, {});
  return {health: replicas === undefined ? {state} : {state, replicas}};
}
