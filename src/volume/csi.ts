import {createObject, patchObject, readObject} from '../cluster/apply.ts';
import type {Cluster} from '../cluster/client.ts';
import {isApiError} from '../cluster/client.ts';
import {CORE_TYPES} from '../cluster/core-types.ts';
import {listAll} from '../cluster/list.ts';
import type {KubeObject, OwnerReference} from '../cluster/object.ts';
import {quantityOf} from '../cluster/quantity.ts';
import {messageOf, PraError} from '../errors.ts';
import {arrayAt, at, objectAt, stringAt} from '../std/json-at.ts';
import {waitFor} from '../std/wait.ts';
import {dropSnapshot, letCloneGo, letGo} from './drop-snapshot.ts';
import type {Identity} from './mover/identity.ts';
import {moverLabels, moverName} from './mover/job.ts';
import {Mover} from './mover/mover.ts';
import {claimPath, type Ownership, type SaveClaimOptions, saveJob} from './save-claim.ts';
import {contentOf, GROUP, SNAPSHOT_TYPES} from './snapshot-types.ts';

const DEFAULT_CLASS = 'snapshot.storage.kubernetes.io/is-default-class';

/** A snapshot that could not be taken is often not let go of either, as long as the driver is as it is. */
const GIVEN_UP_TIMEOUT_MS = 15_000;

/** How CSI snapshots are taken, as the plan says it. */
export interface CsiSettings {
  snapshotClass?: string | undefined;
  /** For a snapshot to be ready. */
  timeoutMs: number;
  /** The VolumeSnapshot stays in the source, once a record names it. */
  keep: boolean;
}

/** A claim whose volume the storage system can take a snapshot of. */
export interface CsiClaim {
  object: KubeObject;
  driver: string;
  csi: CsiSettings;
}

/** What the storage system has cut: the moment that the data stands for. */
export interface CutSnapshot {
  name: string;
  snapshotClass: string;
  cutAt: string | undefined;
  mover: Mover;
  clone: string;
  content: string;
  /** Of the content, as its class wants it; known of one that is to be kept. */
  deletionPolicy: string | undefined;
}

export interface CutOptions extends SaveClaimOptions {
  snapshotClass: string;
  identity: Identity;
  /** Until the clone of this claim is read, so many may be read one after another. */
  turns: number;
}

/**
 * The class of VolumeSnapshots that is used for a driver: the one of the plan, else the driver's default, else its only one.
 * @throws PraError VOLUME_SAVE_FAILED that says which there are
 */
export async function chooseSnapshotClass(
  cluster: Cluster,
  {driver, csi}: Pick<CsiClaim, 'driver' | 'csi'>,
  signal: AbortSignal,
): Promise<string> {
  const classes = await listAll(cluster, SNAPSHOT_TYPES.VolumeSnapshotClass, {signal}).catch(
    (error: unknown) => {
      if (!isApiError(error, 404)) throw error;
      throw new PraError('VOLUME_SAVE_FAILED', 'the cluster takes no VolumeSnapshots', {
        why: `it does not serve ${GROUP}/v1`,
        next: [
          'install the snapshot controller and its definitions',
          'or use method filesystem for these volumes',
        ],
        cause: error,
      });
    },
  );
  const names = classes.map(({metadata}) => metadata.name);
  const mine = classes.filter(entry => stringAt(entry, 'driver') === driver);
  const {snapshotClass} = csi;
  const chosen =
    snapshotClass === undefined
      ? (mine.find(({metadata}) => metadata.annotations?.[DEFAULT_CLASS] === 'true') ??
        (mine.length === 1 ? mine[0] : undefined))
      : mine.find(({metadata}) => metadata.name === snapshotClass);
  if (chosen) return chosen.metadata.name;
  const others =
    mine.length > 0
      ? `${mine.map(({metadata}) => metadata.name).join(', ')} are for driver ${driver}`
      : `none is for driver ${driver}`;
  throw new PraError(
    'VOLUME_SAVE_FAILED',
    snapshotClass === undefined
      ? `no VolumeSnapshotClass can be chosen for driver ${driver}`
      : `there is no VolumeSnapshotClass ${snapshotClass} for driver ${driver}`,
    {
      why: names.length === 0 ? 'the cluster has no VolumeSnapshotClass' : others,
      next: [
        'name one that there is: spec.source.volumes[].csi.snapshotClass',
        'kubectl get volumesnapshotclasses',
      ],
    },
  );
}

/**
 * Has the storage system take a snapshot of a claim, and returns when it is cut: from then on applications may go on. All
 * that is made belongs to the mover's Job, so that it goes with it also when nobody is there any more to delete it.
 * @throws PraError VOLUME_SAVE_FAILED with the words of the driver
 */
export async function cutSnapshot(claim: CsiClaim, options: CutOptions): Promise<CutSnapshot> {
  const {cluster, run, signal, snapshotClass, turns} = options;
  const {object, csi} = claim;
  const {name: of, namespace = ''} = object.metadata;
  const name = moverName({
    purpose: 'save',
    run,
    namespace,
    claims: [{name: of, path: claimPath(namespace, of)}],
  });
  const job = saveJob({namespace, claim: of, mounted: name, placement: {}}, options.identity, options);
  const mover = await Mover.create(cluster, {...job, turns}, {signal});
  try {
    const labels = moverLabels({purpose: 'save', run});
    await createObject(
      cluster,
      SNAPSHOT_TYPES.VolumeSnapshot,
      {
        apiVersion: `${GROUP}/v1`,
        kind: 'VolumeSnapshot',
        metadata: {name, namespace, labels, ownerReferences: [mover.owner]},
        spec: {volumeSnapshotClassName: snapshotClass, source: {persistentVolumeClaimName: of}},
      },
      {signal},
    );
    let isLetGo = false;
    let deletionPolicy: string | undefined;
    const waited = {name, namespace, of, timeoutMs: csi.timeoutMs, signal};
    const cut = await untilSnapshot(cluster, waited, 'be taken', async snapshot => {
      const content = contentOf(snapshot);
      if (content === undefined) return undefined;
      if (!isLetGo) {
        if (csi.keep) deletionPolicy = await deletionPolicyOf(cluster, content, signal);
        // As soon as it is known what to let go: nobody else would, if this run were killed.
        await letGo(cluster, content, signal);
        isLetGo = true;
      }
      const cutAt = stringAt(snapshot, 'status', 'creationTime');
      return cutAt === undefined ? undefined : {content, cutAt};
    });
    return {name, snapshotClass, mover, clone: name, deletionPolicy, ...cut};
  } catch (error) {
    const given = {name, namespace, mover, keep: false, timeoutMs: GIVEN_UP_TIMEOUT_MS};
    await dropSnapshot(cluster, given).catch((leak: unknown) => options.onMessage?.(messageOf(leak)));
    throw error;
  }
}

const deletionPolicyOf = async (cluster: Cluster, name: string, signal: AbortSignal) =>
  stringAt(
    await readObject(cluster, SNAPSHOT_TYPES.VolumeSnapshotContent, {name}, {signal}),
    'spec',
    'deletionPolicy',
  );

/** Has a snapshot no longer go with its Job, which ends some time after the data was moved. Whoever gives it up deletes it. */
export async function disownSnapshot(
  cluster: Cluster,
  {name, mover}: CutSnapshot,
  signal: AbortSignal,
): Promise<void> {
  const free = {metadata: {ownerReferences: null}};
  const about = {name, namespace: mover.namespace};
  await patchObject(cluster, SNAPSHOT_TYPES.VolumeSnapshot, about, free, {signal});
}

/** Has a snapshot stay for good: its content is as its class wants it. */
export async function keepSnapshot(
  cluster: Cluster,
  {content, deletionPolicy}: CutSnapshot,
  signal: AbortSignal,
): Promise<void> {
  if (deletionPolicy === undefined) return;
  const {VolumeSnapshotContent} = SNAPSHOT_TYPES;
  await patchObject(cluster, VolumeSnapshotContent, {name: content}, {spec: {deletionPolicy}}, {signal});
}

interface Waited {
  name: string;
  namespace: string;
  /** The claim. */
  of: string;
  timeoutMs: number;
  signal: AbortSignal;
}

async function untilSnapshot<T>(
  cluster: Cluster,
  {name, namespace, of, timeoutMs, signal}: Waited,
  what: string,
  read: (snapshot: KubeObject) => T | undefined | Promise<T | undefined>,
): Promise<T> {
  let seen: string | undefined;
  return waitFor(
    async () => {
      const snapshot = await readObject(cluster, SNAPSHOT_TYPES.VolumeSnapshot, {name, namespace}, {signal});
      if (!snapshot) throw failed(of, 'its VolumeSnapshot was deleted by somebody');
      const found = await read(snapshot);
      if (found !== undefined) return found;
      seen = stringAt(snapshot, 'status', 'error', 'message') ?? 'the driver has not answered yet';
      return undefined;
    },
    {
      waitingFor: `the VolumeSnapshot of claim ${namespace}/${of} to ${what}`,
      timeoutMs,
      intervalMs: 200,
      signal,
      lastSeen: () => seen,
    },
  ).catch((error: unknown) => {
    if (!(error instanceof PraError) || error.code !== 'TIMEOUT') throw error;
    throw failed(of, `${error.message}: ${error.why ?? ''}`, error);
  });
}

const failed = (claim: string, why: string, cause?: unknown) =>
  new PraError('VOLUME_SAVE_FAILED', `the storage system did not take a snapshot of claim ${claim}`, {
    why,
    cause,
    next: [
      'kubectl describe volumesnapshot,volumesnapshotcontent',
      'see the log of the CSI driver and its snapshotter',
    ],
  });

/** Makes a claim out of the snapshot once it can be read; the mover's pod waits for it. @throws PraError VOLUME_SAVE_FAILED */
export async function cloneSnapshot(
  claim: CsiClaim,
  cut: CutSnapshot,
  {cluster, run, signal}: Pick<SaveClaimOptions, 'cluster' | 'run' | 'signal'>,
): Promise<void> {
  const {object, csi} = claim;
  const {name: of, namespace = ''} = object.metadata;
  const size = await untilSnapshot(
    cluster,
    {name: cut.name, namespace, of, timeoutMs: csi.timeoutMs, signal},
    'be ready',
    snapshot =>
      at(snapshot, 'status', 'readyToUse') === true
        ? (stringAt(snapshot, 'status', 'restoreSize') ?? '0')
        : undefined,
  );
  const capacity =
    stringAt(object, 'status', 'capacity', 'storage') ??
    stringAt(object, 'spec', 'resources', 'requests', 'storage') ??
    '1Gi';
  const storage = (quantityOf(size) ?? 0) > (quantityOf(capacity) ?? 0) ? size : capacity;
  const storageClassName = stringAt(object, 'spec', 'storageClassName');
  await createObject(
    cluster,
    CORE_TYPES.PersistentVolumeClaim,
    {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: {
        name: cut.clone,
        namespace,
        labels: moverLabels({purpose: 'save', run}),
        ownerReferences: [cut.mover.owner],
      },
      spec: {
        accessModes: arrayAt(object, 'spec', 'accessModes'),
        ...(storageClassName === undefined ? {} : {storageClassName}),
        resources: {requests: {storage}},
        dataSource: {apiGroup: GROUP, kind: 'VolumeSnapshot', name: cut.name},
      },
    },
    {signal},
  );
}

/** Has what was made for a snapshot go with another mover than the first. */
export function ownershipOf(
  cluster: Cluster,
  {name: of, namespace}: {name: string; namespace: string},
  cut: CutSnapshot,
  signal: AbortSignal,
): Ownership {
  const belongTo = async (...ownerReferences: OwnerReference[]) => {
    const owned = {metadata: {ownerReferences}};
    const clone = {name: cut.clone, namespace};
    await patchObject(cluster, CORE_TYPES.PersistentVolumeClaim, clone, owned, {signal});
    await patchObject(cluster, SNAPSHOT_TYPES.VolumeSnapshot, {name: cut.name, namespace}, owned, {signal});
  };
  return {
    first: cut.mover,
    started: () => letCloneGo(cluster, {name: cut.clone, namespace}, signal),
    adopt: async mover => {
      // To both at first: when that is only half done, the new one goes, and what belonged to it alone would go with it.
      await belongTo(cut.mover.owner, mover.owner).catch((error: unknown) => {
        if (!isApiError(error, 404)) throw error;
        throw new PraError('VOLUME_SAVE_FAILED', `what a snapshot of claim ${of} holds could not be moved`, {
          why: 'its clone went with the Job that was to read it, which somebody deleted',
          next: ['take the snapshot again'],
          cause: error,
        });
      });
      cut.mover = mover;
      // The garbage collector takes off what is left of the old one when its Job is gone.
      await belongTo(mover.owner).catch(() => undefined);
    },
  };
}

/** The driver of a volume; undefined when no CSI driver made it. */
export const driverOf = (volume: KubeObject | undefined): string | undefined =>
  stringAt(objectAt(volume, 'spec', 'csi'), 'driver');
