import type {Cluster} from '../cluster/client.ts';
import {CORE_TYPES} from '../cluster/core-types.ts';
import {discoverResources} from '../cluster/discover.ts';
import {listAll} from '../cluster/list.ts';
import {listBytes} from '../cluster/list-bytes.ts';
import type {KubeObject, ResourceType} from '../cluster/object.ts';
import {PraError} from '../errors.ts';
import type {ObjectSetWriter} from '../repository/object-set-writer.ts';
import {mapPool} from '../std/pool.ts';
import {canonicalObject} from './canonical.ts';
import type {SnapshotListener} from './event.ts';
import {groupKind, reasonToExclude} from './exclude.ts';
import {PagePool, type PoolPage} from './page-pool.ts';
import {countExcluded, healthOf} from './page-processor.ts';
import {ReferenceCollector} from './referenced.ts';
import {compileSelect, listScopes, type Selection, type SnapshotSelect} from './select.ts';

export interface CaptureOptions {
  cluster: Cluster;
  select: SnapshotSelect;
  /** Takes the objects; opened and finished by the capture's caller. */
  writer: ObjectSetWriter;
  /** What `writer.open` gave. */
  known: SharedArrayBuffer | undefined;
  signal: AbortSignal;
  onEvent?: SnapshotListener | undefined;
}

export interface Capture {
  objects: number;
  /** Of each kind, where its list stood: a watch from there sees what came after. */
  resourceVersions: Record<string, string>;
  /** How many objects were left out, by reason. */
  excluded: Record<string, number>;
  /** Kinds that were listed, and in which namespaces; undefined stands for the whole cluster. */
  types: ResourceType[];
  scopes: (string | undefined)[];
  /** What the captured objects need. */
  references: ReferenceCollector;
}

/** Kinds that are listed at the same time. */
const CONCURRENCY = 4;
/** Pages of one kind that are worked on while the next one comes. */
const PAGES_AT_ONCE = 2;

/**
 * Writes the selected objects of a cluster: fresh discovery, several kinds at a time, page by page, each page processed in
 * another thread when there are many. Memory holds a few pages, and of each object its name and where it lies.
 * @throws PraError CLUSTER_DISCOVERY_INCOMPLETE, CLUSTER_* naming the kind that could not be listed, SNAPSHOT_FAILED
 * when a namespace that the selection names is not there. One failed kind fails the capture.
 */
export async function captureObjects(options: CaptureOptions): Promise<Capture> {
  const {cluster, select, writer, known, signal} = options;
  const pool = new PagePool({select, keys: writer.keys, known});
  const run: CaptureRun = {
    ...options,
    pool,
    selection: compileSelect(select),
    capture: {
      objects: 0,
      resourceVersions: {},
      excluded: {},
      types: [],
      scopes: [],
      references: new ReferenceCollector(),
    },
  };
  try {
    const types = await discoverResources(cluster, {signal});
    const capturable = types.filter(type => run.selection.type(type));
    const scopes = listScopes(select, await selectNamespaces(run, types));
    run.capture.types = capturable;
    run.capture.scopes = scopes;
    await captureKinds(
      run,
      capturable.filter(type => type.namespaced),
      scopes,
    );
    const clusterScoped = capturable.filter(type => !type.namespaced && groupKind(type) !== 'Namespace');
    if (select.clusterScoped === 'all') await captureKinds(run, clusterScoped, [undefined]);
    for (const rest of await pool.flush()) {
      await writer.addFrames(rest.frames, rest.packing);
      run.capture.references.merge(rest.references);
    }
    if (select.clusterScoped === 'referenced') await captureReferenced(run, clusterScoped);
    return run.capture;
  } finally {
    await pool.stop();
  }
}

interface CaptureRun extends CaptureOptions {
  pool: PagePool;
  selection: Selection;
  capture: Capture;
}

/** Captures the Namespace objects of the selection and gives their names. */
async function selectNamespaces(run: CaptureRun, types: readonly ResourceType[]): Promise<string[]> {
  const type = types.find(candidate => groupKind(candidate) === 'Namespace');
  if (!type) throw new PraError('SNAPSHOT_FAILED', 'the cluster serves no namespaces');
  const all = await listAll(run.cluster, CORE_TYPES.Namespace, {
    signal: run.signal,
    onResourceVersion: version => {
      run.capture.resourceVersions.Namespace = version;
    },
  });
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
  for (const object of selected) if (await captureOne(run, type, object)) names.push(object.metadata.name);
  return names;
}

async function captureKinds(
  run: CaptureRun,
  types: readonly ResourceType[],
  scopes: readonly (string | undefined)[],
): Promise<void> {
  await mapPool(types, CONCURRENCY, async type => {
    let objects = 0;
    for (const namespace of scopes) objects += await captureList(run, type, namespace);
    run.onEvent?.({type: 'kind', kind: groupKind(type), objects});
  });
}

/** What was taken of one list until now; dropped when the list begins anew. */
interface Taken {
  objects: number;
  excluded: Record<string, number>;
}

async function captureList(
  run: CaptureRun,
  type: ResourceType,
  namespace: string | undefined,
): Promise<number> {
  const {cluster, pool, writer, capture, signal, onEvent} = run;
  let taken: Taken = {objects: 0, excluded: {}};
  let pending: Promise<PoolPage>[] = [];
  const take = async (processing: Promise<PoolPage>) => {
    const {objects, excluded, frames, packing} = await processing;
    writer.add(type, objects, packing);
    await writer.addFrames(frames, packing);
    taken.objects += objects.names.length;
    addCounts(taken.excluded, excluded);
    capture.objects += objects.names.length;
    onEvent?.({type: 'progress', objects: capture.objects});
  };
  for await (const page of listBytes(cluster, type, {namespace, signal})) {
    if (page.restarted) {
      // What was packed of the first try stays in its packs; nothing refers to it.
      for (const processing of pending) await take(processing);
      pending = [];
      writer.restart(type, namespace);
      capture.objects -= taken.objects;
      taken = {objects: 0, excluded: {}};
    }
    // Lists of several namespaces: the first is the oldest, and a watch may begin too early but not too late.
    capture.resourceVersions[groupKind(type)] ??= page.resourceVersion;
    if (page.more) pool.prepare();
    const processing = pool.process(type, page.bytes);
    processing.catch(() => undefined); // rejects again where it is awaited
    pending.push(processing);
    if (pending.length >= PAGES_AT_ONCE) await take(pending.shift() ?? processing);
  }
  for (const processing of pending) await take(processing);
  addCounts(capture.excluded, taken.excluded);
  return taken.objects;
}

/** What is needed to write the cluster-scoped objects that others need. */
export type ReferencedRun = Pick<CaptureRun, 'cluster' | 'writer' | 'signal' | 'onEvent'> & {
  capture: Pick<Capture, 'objects' | 'resourceVersions' | 'excluded' | 'references'>;
};

/** Writes the cluster-scoped objects that those need which were captured. */
export async function captureReferenced(run: ReferencedRun, types: readonly ResourceType[]): Promise<void> {
  const wanted = types.filter(type => run.capture.references.canHold(type));
  const lists = await mapPool(wanted, CONCURRENCY, async type => {
    const objects = await listAll(run.cluster, type, {
      signal: run.signal,
      onResourceVersion: version => {
        run.capture.resourceVersions[groupKind(type)] = version;
      },
    });
    return objects.map(object => ({type, object}));
  });
  for (const {type, object} of run.capture.references.select(lists.flat()))
    await captureOne(run, type, object);
  run.onEvent?.({type: 'progress', objects: run.capture.objects});
}

/** Writes one object, unless something else makes it again. */
async function captureOne(run: ReferencedRun, type: ResourceType, object: KubeObject): Promise<boolean> {
  const reason = reasonToExclude(object);
  if (reason !== undefined) {
    countExcluded(run.capture.excluded, groupKind(type), reason);
    return false;
  }
  run.capture.references.note(object, type);
  run.capture.objects += 1;
  await run.writer.addObject(type, canonicalObject(object), healthOf(object));
  return true;
}

function addCounts(to: Record<string, number>, from: Readonly<Record<string, number>>): void {
  for (const [key, count] of Object.entries(from)) to[key] = (to[key] ?? 0) + count;
}
