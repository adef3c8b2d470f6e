import type {Cluster} from '../cluster/client.ts';
import {execInPod} from '../cluster/exec.ts';
import {readIdentity} from '../cluster/identity.ts';
import {PraError} from '../errors.ts';
import {Lock} from '../repository/lock.ts';
import {ObjectSetWriter} from '../repository/object-set-writer.ts';
import {clearPending} from '../repository/pending.ts';
import type {Repository} from '../repository/repository.ts';
import {findRoot, newSnapshotId, type SnapshotRoot, writeRoot} from '../repository/snapshot-root.ts';
import {type Clock, systemClock} from '../std/clock.ts';
import type {Exec} from '../volume/dump.ts';
import {type Capture, captureObjects, type OpenedWriter} from './capture.ts';
import type {SnapshotListener} from './event.ts';
import {findHookPods, type HookRule} from './hook-pods.ts';
import {withHooks} from './hooks.ts';
import {type VolumeEngine, VolumeSaving} from './save-volumes.ts';
import {compileSelect, type SnapshotSelect} from './select.ts';
import type {VolumeRule} from './volume-rule.ts';
import {planVolumes, type VolumePlan} from './volumes.ts';

export interface CreateOptions {
  cluster: Cluster;
  repository: Repository;
  select: SnapshotSelect;
  plan?: {name: string; hash: string} | undefined;
  /** How the data of volumes is saved; a claim in scope that no rule covers is refused. */
  volumes: readonly VolumeRule[];
  /** Commands in pods before baselines, dumps and objects are taken, and after them. */
  hooks?: readonly HookRule[] | undefined;
  /** Compares with no earlier snapshot, and writes everything. */
  full?: boolean | undefined;
  /** Name and version of what takes it, `pra/0.1.0`. */
  tool: string;
  /** Writes a nonce into the source, before anything is read from it. */
  writeCanary?: ((signal: AbortSignal) => Promise<SnapshotRoot['canary']>) | undefined;
  /** Measures in the source what probes will compare with. */
  readBaselines?: ((signal: AbortSignal) => Promise<SnapshotRoot['baselines']>) | undefined;
  /** Keeps the data of volumes. Needed when a rule of `volumes` has a method other than none. */
  engine?: VolumeEngine | undefined;
  /** Told what the objects were captured from. */
  onCapture?: ((capture: Capture) => void) | undefined;
  clock?: Clock | undefined;
  signal: AbortSignal;
  onEvent?: SnapshotListener | undefined;
}

/**
 * Takes a snapshot: canary; between the `pre` and the `post` of hooks baselines, data of volumes and objects; then what
 * the storage system has cut meanwhile; and the root last, so that a snapshot that was broken off does not exist. It stands for the moment at which it began, so that its age is
 * never made younger than its data.
 * @returns the root that was written.
 * @throws PraError PLAN_UNPROTECTED_VOLUME before anything is written; SNAPSHOT_FAILED, CLUSTER_*, HOOK_FAILED,
 * VOLUME_*, MOVER_*, STORE_*; what had been stored is used again by the next snapshot.
 */
export async function createSnapshot(options: CreateOptions): Promise<SnapshotRoot> {
  const {cluster, repository, select, signal, onEvent, clock = systemClock} = options;
  const source = await readIdentity(cluster, {signal});
  const selection = compileSelect(select);
  const volumes = await planVolumes({cluster, rules: options.volumes, selection, signal});
  const pods = await findHookPods({cluster, rules: options.hooks ?? [], selection, signal, onEvent});
  const began = clock.now();
  const id = newSnapshotId(began);

  const lock = await Lock.take(repository, 'append', {run: id, signal});
  try {
    return await takeLocked(options, {source, volumes, pods, began, id, lock});
  } finally {
    await lock.release();
  }
}

/** What is known before anything is written. */
interface Prepared {
  source: Awaited<ReturnType<typeof readIdentity>>;
  volumes: VolumePlan;
  pods: Awaited<ReturnType<typeof findHookPods>>;
  began: Date;
  id: string;
  lock: Lock;
}

async function takeLocked(options: CreateOptions, prepared: Prepared): Promise<SnapshotRoot> {
  const {cluster, engine, signal, onEvent} = options;
  const saving = new VolumeSaving({
    cluster,
    plan: prepared.volumes,
    engine,
    run: prepared.id,
    signal,
    onEvent,
  });
  try {
    await saving.prepare();
    return await takePrepared(options, prepared, saving);
  } finally {
    await saving.end();
  }
}

async function takePrepared(
  options: CreateOptions,
  prepared: Prepared,
  saving: VolumeSaving,
): Promise<SnapshotRoot> {
  const {cluster, repository, plan, signal, onEvent, clock = systemClock} = options;
  const {source, pods, began, id, lock} = prepared;
  const opened = openWriter(options, id, source.uid);
  opened.catch(() => undefined); // rejects again where it is awaited
  if (options.writeCanary) onEvent?.({type: 'phase', phase: 'canary'});
  const canary = await options.writeCanary?.(signal);
  // Nobody is kept waiting by a hook for a store that cannot be used.
  if (pods.length > 0) await opened;
  const {hooked, volumes} = await saveAll(options, {saving, pods, opened});
  const {baselines, capture} = hooked.value;
  const {writer, parent} = await opened;
  const {trees, counts, namespaces, bytes} = await writer.finish();

  onEvent?.({type: 'phase', phase: 'root'});
  const root: Omit<SnapshotRoot, 'mac'> = {
    apiVersion: 'pra/v1',
    kind: 'Snapshot',
    id,
    createdAt: began.toISOString(),
    finishedAt: clock.now().toISOString(),
    tool: options.tool,
    ...(plan ? {plan} : {}),
    source: {...source, context: cluster.context},
    namespaces,
    counts,
    trees,
    ...(parent ? {parent: parent.id} : {}),
    resourceVersions: capture.resourceVersions,
    volumes,
    ...(prepared.volumes.unbound.length > 0 ? {emptyClaims: prepared.volumes.unbound} : {}),
    ...(canary ? {canary} : {}),
    ...(options.hooks ? {hooks: hooked.records} : {}),
    baselines,
    bytes,
  };
  await lock.confirm(signal);
  const written = await writeRoot(repository, root, {signal});
  await saving.keep();
  await clearPending(repository, id);
  onEvent?.({type: 'done', id, excluded: capture.excluded});
  return written;
}

/** What is done while hooks keep applications still, and what of it can be done afterwards. */
async function saveAll(
  options: CreateOptions,
  {saving, pods, opened}: {saving: VolumeSaving; pods: Prepared['pods']; opened: Promise<OpenedWriter>},
) {
  const {cluster, select, signal, onEvent} = options;
  const hooked = await withHooks({pods, exec: execIn(cluster), signal, onEvent}, async () => {
    if (options.readBaselines) onEvent?.({type: 'phase', phase: 'baselines'});
    const baselines = (await options.readBaselines?.(signal)) ?? [];
    if (saving.isNeeded) onEvent?.({type: 'phase', phase: 'volumes'});
    await saving.whileQuiet();
    onEvent?.({type: 'phase', phase: 'objects'});
    const capture = await captureObjects({cluster, select, opened, signal, onEvent});
    options.onCapture?.(capture);
    return {baselines, capture};
  });
  return {hooked, volumes: await saving.afterwards()};
}

const execIn =
  (cluster: Cluster): Exec =>
  execution =>
    execInPod(cluster, execution);

/**
 * Opens a writer that goes on from the newest snapshot of the plan. One that is damaged must not be gone on from, nor keep
 * a new one from being taken: then everything is written anew.
 */
async function openWriter(
  {repository, plan, full, signal, onEvent}: CreateOptions,
  id: string,
  uid: string,
): Promise<OpenedWriter & {parent: SnapshotRoot | undefined}> {
  if (full) return {writer: new ObjectSetWriter(repository, {signal}), known: undefined, parent: undefined};
  try {
    const parent = await findParent(repository, plan?.name, uid, signal);
    const writer = new ObjectSetWriter(repository, {parent, run: id, signal});
    return {writer, known: (await writer.open({checkPacks: true}))?.memory, parent};
  } catch (error) {
    if (!(error instanceof PraError) || error.code !== 'REPOSITORY_CORRUPT') throw error;
    onEvent?.({
      type: 'warning',
      message: `the newest snapshot is damaged, so this one is written anew: ${error.message}`,
      why: error.why,
      next: ['pra repository check --read-data'],
    });
    const writer = new ObjectSetWriter(repository, {run: id, signal});
    return {writer, known: (await writer.open())?.memory, parent: undefined};
  }
}

/** The newest snapshot of the same plan and cluster: what it holds already is not written again. */
async function findParent(
  repository: Repository,
  plan: string | undefined,
  uid: string,
  signal: AbortSignal,
): Promise<SnapshotRoot | undefined> {
  try {
    const newest = await findRoot(repository, 'latest', {plan, signal});
    return newest.source.uid === uid ? newest : undefined;
  } catch (error) {
    if (error instanceof PraError && error.code === 'SNAPSHOT_NOT_FOUND') return undefined;
    throw error;
  }
}
