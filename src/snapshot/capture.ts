import type {Cluster} from '../cluster/client.ts';
import {CORE_TYPES} from '../cluster/core-types.ts';
import {discoverResources} from '../cluster/discover.ts';
import {listAll} from '../cluster/list.ts';
import {listBytes} from '../cluster/list-bytes.ts';
import type {KubeObject, ResourceType} from '../cluster/object.ts';
import {PraError} from '../errors.ts';
import type {ObjectSetWriter} from '../repository/object-set-writer.ts';
import {ByteBuffers} from '../std/byte-buffers.ts';
import {mapPool} from '../std/pool.ts';
import {canonicalObject} from './canonical.ts';
import type {SnapshotListener} from './event.ts';
import {groupKind, groupKindOf, reasonToExclude} from './exclude.ts';
import {KindCapture, type KindCaptureRun} from './kind-capture.ts';
import {finishLongestFirst} from './longest-first.ts';
import {PagePool} from './page-pool.ts';
import {countExcluded, healthOf, type KeptObject, keepItems} from './page-processor.ts';
import {ReferenceCollector} from './referenced.ts';
import {compileSelect, listScopes, type Selection, type SnapshotSelect} from './select.ts';

export interface CaptureOptions {
  cluster: Cluster;
  select: SnapshotSelect;
  /** Takes the objects. It is opened by the caller, meanwhile the first lists come, and finished by the caller. */
  opened: Promise<OpenedWriter>;
  signal: AbortSignal;
  onEvent?: SnapshotListener | undefined;
}

export interface OpenedWriter {
  writer: ObjectSetWriter;
  /** What `writer.open` gave. */
  known: SharedArrayBuffer | undefined;
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
/** Buffers for pages that wait for their next use. */
const BUFFERS = 8;

/**
 * Writes the selected objects of a cluster: fresh discovery, several kinds at a time, page by page, each page processed in
 * another thread when there are many. Memory holds a few pages, and of each object its name and where it lies.
 * @throws PraError CLUSTER_DISCOVERY_INCOMPLETE, CLUSTER_* naming the kind that could not be listed, SNAPSHOT_FAILED
 * when a namespace that the selection names is not there. One failed kind fails the capture.
 */
export async function captureObjects(options: CaptureOptions): Promise<Capture> {
  const {cluster, select, signal} = options;
  const opened = options.opened.then(({writer, known}) => ({
    writer,
    pool: new PagePool({select, keys: writer.keys, known}),
  }));
  const run: CaptureRun = {
    ...options,
    opened,
    isOpen: false,
    heldBytes: 0,
    buffers: new ByteBuffers(BUFFERS),
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
  opened.then(
    () => {
      run.isOpen = true;
    },
    () => undefined, // rejects again where it is awaited
  );
  try {
    const types = await discoverResources(cluster, {signal});
    const capturable = types.filter(type => run.selection.type(type));
    const namespaces = await selectNamespaces(run);
    const names = namespaces.filter(object => reasonToExclude(object) === undefined);
    const scopes = listScopes(
      select,
      names.map(({metadata}) => metadata.name),
    );
    run.capture.types = capturable;
    run.capture.scopes = scopes;
    await captureKinds(
      run,
      capturable.filter(type => type.namespaced),
      scopes,
    );
    const clusterScoped = capturable.filter(type => !type.namespaced && groupKind(type) !== 'Namespace');
    if (select.clusterScoped === 'all') await captureKinds(run, clusterScoped, [undefined]);
    const {writer, pool} = await opened;
    for (const object of namespaces)
      await captureOne({...run, writer}, typeOf(types, groupKindOf(object)), object);
    for (const rest of await pool.flush()) {
      await writer.addFrames(rest.frames, rest.packing);
      run.capture.references.merge(rest.references);
    }
    if (select.clusterScoped === 'referenced') await captureReferenced({...run, writer}, clusterScoped);
    return run.capture;
  } finally {
    await opened.then(
      ({pool}) => pool.stop(),
      () => undefined,
    );
  }
}

interface CaptureRun extends KindCaptureRun {
  select: SnapshotSelect;
  selection: Selection;
  capture: Capture;
}

/** The Namespace objects of the selection. */
async function selectNamespaces(run: CaptureRun): Promise<KubeObject[]> {
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
  return selected;
}

/**
 * Lists all kinds, several at a time: first a page of each, and then what is left, the longest first. So at the end it is
 * not one long list that is waited for, page after page, while the server has nothing else to do.
 */
async function captureKinds(
  run: CaptureRun,
  types: readonly ResourceType[],
  scopes: readonly (string | undefined)[],
): Promise<void> {
  const begun = await mapPool(types, CONCURRENCY, async type => {
    const list = new KindCapture(run, type, scopes);
    await list.begin();
    return list;
  });
  await finishLongestFirst(
    begun.filter(list => !list.isDone),
    CONCURRENCY,
  );
}

/** What is needed to write the cluster-scoped objects that others need. */
export type ReferencedRun = Pick<CaptureRun, 'cluster' | 'signal' | 'onEvent'> & {
  writer: ObjectSetWriter;
  capture: Pick<Capture, 'objects' | 'resourceVersions' | 'excluded' | 'references'>;
};

/** Writes the cluster-scoped objects that those need which were captured. */
export async function captureReferenced(run: ReferencedRun, types: readonly ResourceType[]): Promise<void> {
  const wanted = types.filter(type => run.capture.references.canHold(type));
  const lists = await mapPool(wanted, CONCURRENCY, async type => {
    let found: (KeptObject & {type: ResourceType})[] = [];
    for await (const page of listBytes(run.cluster, type, {signal: run.signal})) {
      if (page.restarted) found = [];
      run.capture.resourceVersions[groupKind(type)] = page.resourceVersion;
      found = found.concat(keepItems(type, page.bytes).map(kept => ({type, ...kept})));
    }
    return found;
  });
  for (const {type, object, kept} of run.capture.references.select(lists.flat()))
    await captureOne(run, type, object, kept);
  run.onEvent?.({type: 'progress', objects: run.capture.objects});
}

/**
 * Writes one object, unless something else makes it again.
 * @param kept the bytes in which it is kept
 */
export async function captureOne(
  run: ReferencedRun,
  type: ResourceType,
  object: KubeObject,
  kept: Buffer = Buffer.from(JSON.stringify(canonicalObject(object))),
): Promise<boolean> {
  const reason = reasonToExclude(object);
  if (reason !== undefined) {
    countExcluded(run.capture.excluded, groupKind(type), reason);
    return false;
  }
  run.capture.references.note(object, type);
  run.capture.objects += 1;
  await run.writer.addBytes(type, object, kept, healthOf(object));
  return true;
}

function typeOf(types: readonly ResourceType[], kind: string): ResourceType {
  const type = types.find(candidate => groupKind(candidate) === kind);
  if (!type) throw new PraError('SNAPSHOT_FAILED', `the cluster does not serve ${kind}`);
  return type;
}
