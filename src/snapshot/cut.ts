import type {Cluster} from '../cluster/client.ts';
import type {ResourceType} from '../cluster/object.ts';
import {Lock} from '../repository/lock.ts';
import {ObjectSetWriter, Packing} from '../repository/object-set-writer.ts';
import {clearPending} from '../repository/pending.ts';
import type {Repository} from '../repository/repository.ts';
import {newSnapshotId, readRoot, rootKey, type SnapshotRoot, writeRoot} from '../repository/snapshot-root.ts';
import {storedObjectSchema} from '../repository/stored-object.ts';
import {type Capture, captureOne, captureReferenced, type ReferencedRun} from './capture.ts';
import {type Change, type ChangeBatch, isAmong} from './changes.ts';
import {groupKind} from './exclude.ts';
import {PageProcessor} from './page-processor.ts';
import {compileSelect, type SnapshotSelect} from './select.ts';

export interface CutOptions {
  cluster: Cluster;
  repository: Repository;
  select: SnapshotSelect;
  /** The snapshot that the changes came after. */
  parent: SnapshotRoot;
  batch: ChangeBatch;
  /** What the last whole snapshot was captured from. */
  capture: Capture;
  /** How far each kind was watched. */
  resourceVersions: Record<string, string>;
  tool: string;
  signal: AbortSignal;
}

/**
 * Takes a snapshot of what its parent has and what changed since. Volumes, canary and baselines are the parent's; the root
 * says of which moment.
 * @throws PraError SNAPSHOT_NOT_FOUND when the parent was forgotten meanwhile; CLUSTER_*, STORE_*
 */
export async function cutSnapshot(options: CutOptions): Promise<SnapshotRoot> {
  const {repository, parent, signal} = options;
  const began = new Date();
  const id = newSnapshotId(began);
  const lock = await Lock.take(repository, 'append', {run: id, signal});
  try {
    // Only now nobody can delete what it needs any more.
    await readRoot(repository, rootKey(parent.id), signal);
    const writer = new ObjectSetWriter(repository, {parent, run: id, signal});
    await writeChanges(options, writer);
    const {trees, counts, namespaces, bytes} = await writer.finish();
    const {mac: _, ...inherited} = parent;
    await lock.confirm(signal);
    const root = await writeRoot(
      repository,
      {
        ...inherited,
        id,
        createdAt: began.toISOString(),
        finishedAt: new Date().toISOString(),
        dataAt: parent.dataAt ?? parent.createdAt,
        tool: options.tool,
        parent: parent.id,
        namespaces,
        counts,
        trees,
        resourceVersions: {...parent.resourceVersions, ...options.resourceVersions},
        bytes,
      },
      {signal},
    );
    await clearPending(repository, id);
    return root;
  } finally {
    await lock.release();
  }
}

async function writeChanges(options: CutOptions, writer: ObjectSetWriter): Promise<void> {
  const {cluster, select, batch, capture, signal} = options;
  const known = await writer.open();
  const changed = isAmong(batch.changes);
  const closure = select.clusterScoped === 'referenced';
  writer.continueParent(
    (type, namespace, name) =>
      changed(type, namespace, name) || (closure && !type.namespaced && groupKind(type) !== 'Namespace'),
  );
  const processor = new PageProcessor({select, keys: writer.keys, known: known?.memory});
  const packing = new Packing();
  const counted = {objects: 0, resourceVersions: {}, excluded: {}, references: capture.references};
  const run = {cluster, writer, signal, capture: counted};
  for (const [type, changes] of Map.groupBy(batch.changes, change => change.type)) {
    if (groupKind(type) === 'Namespace') {
      await writeNamespaces(run, type, changes, select);
      continue;
    }
    // What of the others is needed is found anew below.
    if (closure && !type.namespaced) continue;
    const {objects, frames} = processor.process(type, pageOf(changes));
    writer.add(type, objects, packing);
    await writer.addFrames(frames, packing);
  }
  const rest = processor.flush();
  await writer.addFrames(rest.frames, packing);
  capture.references.merge(rest.references);
  if (closure) await captureReferenced(run, clusterScoped(capture.types));
}

/** As a whole snapshot takes them: those that are selected, and without what the server puts into each. */
async function writeNamespaces(
  run: ReferencedRun,
  type: ResourceType,
  changes: readonly Change[],
  select: SnapshotSelect,
): Promise<void> {
  const {namespace} = compileSelect(select);
  for (const {name, json} of changes) {
    if (!json || !namespace(name)) continue;
    const object = storedObjectSchema.parse(JSON.parse(json.toString('utf8')));
    await captureOne(run, type, object);
  }
}

const clusterScoped = (types: readonly ResourceType[]) =>
  types.filter(type => !type.namespaced && groupKind(type) !== 'Namespace');

/** The changes as a page of a list, so that they are chosen, judged and packed as any other object is. */
function pageOf(changes: readonly Change[]): Buffer {
  const items = changes.flatMap(({json}) => (json ? [json, Buffer.from(',')] : []));
  return Buffer.concat([Buffer.from('{"items":['), ...items.slice(0, -1), Buffer.from(']}')]);
}
