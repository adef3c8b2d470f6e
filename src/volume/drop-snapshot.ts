import {deleteObject, patchObject, readObject} from '../cluster/apply.ts';
import type {Cluster} from '../cluster/client.ts';
import {CORE_TYPES} from '../cluster/core-types.ts';
import type {KubeObject, ResourceType} from '../cluster/object.ts';
import type {ObjectName} from '../cluster/resource-map.ts';
import {messageOf, PraError} from '../errors.ts';
import {stringAt} from '../std/json-at.ts';
import {sleep} from '../std/wait.ts';
import type {Mover} from './mover/mover.ts';
import {contentOf, SNAPSHOT_TYPES} from './snapshot-types.ts';

/** What the controller tells the driver's side by; of the two, one writes over what the other wrote. */
const BEING_DELETED = 'snapshot.storage.kubernetes.io/volumesnapshot-being-deleted';
const GONE_TIMEOUT_MS = 2 * 60_000;
const BOUND_SOON_MS = 3000;

/**
 * Removes what was made for a snapshot, and waits until the storage system has let go of it.
 * @throws PraError VOLUME_SAVE_FAILED that names what is left
 */
export async function dropSnapshot(
  cluster: Cluster,
  {
    name,
    namespace,
    mover,
    keep,
    timeoutMs = GONE_TIMEOUT_MS,
  }: {name: string; namespace: string; mover: Mover; keep: boolean; timeoutMs?: number},
): Promise<void> {
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    // The clone goes with the Job, so that its disk is let go of before: for a pod that never ran nobody has done so.
    const [clone] = await Promise.allSettled([letCloneGo(cluster, {name, namespace}, signal)]);
    const snapshot = keep ? undefined : await boundSoon(cluster, {name, namespace}, signal);
    await mover.close();
    await deleteObject(cluster, CORE_TYPES.PersistentVolumeClaim, {name, namespace}, {signal});
    if (!keep) await dropCut(cluster, {name, namespace}, snapshot, signal);
    if (clone.status === 'rejected') throw clone.reason;
  } catch (error) {
    throw new PraError(
      'VOLUME_SAVE_FAILED',
      `VolumeSnapshot ${namespace}/${name} and what belongs to it is still there`,
      {
        why: signal.aborted
          ? 'it is being deleted, and the storage system has not let go of it yet'
          : messageOf(error),
        next: [`kubectl delete job,volumesnapshot,pvc -n ${namespace} ${name}`],
        cause: error,
      },
    );
  }
}

async function dropCut(
  cluster: Cluster,
  about: ObjectName,
  snapshot: KubeObject | undefined,
  signal: AbortSignal,
): Promise<void> {
  await deleteObject(cluster, SNAPSHOT_TYPES.VolumeSnapshot, about, {signal});
  const isThere = async (type: ResourceType) =>
    (await readObject(cluster, type, about, {signal})) !== undefined;
  while (await isThere(SNAPSHOT_TYPES.VolumeSnapshot)) await sleep(200, signal);
  if (snapshot) await dropContent(cluster, snapshot, signal);
  while (await isThere(CORE_TYPES.PersistentVolumeClaim)) await sleep(200, signal);
}

/** With the policy Retain the storage would keep what nobody knows of any more. */
export const letGo = (cluster: Cluster, name: string, signal: AbortSignal) =>
  patchObject(
    cluster,
    SNAPSHOT_TYPES.VolumeSnapshotContent,
    {name},
    {spec: {deletionPolicy: 'Delete'}},
    {signal},
  );

/** With the policy Retain of its storage class, the disk of a clone would stay when the clone is deleted. */
export async function letCloneGo(
  cluster: Cluster,
  clone: {name: string; namespace: string},
  signal: AbortSignal,
): Promise<void> {
  const claim = await readObject(cluster, CORE_TYPES.PersistentVolumeClaim, clone, {signal});
  const name = stringAt(claim, 'spec', 'volumeName');
  if (name === undefined) return;
  const volume = await readObject(cluster, CORE_TYPES.PersistentVolume, {name}, {signal});
  if (stringAt(volume, 'spec', 'persistentVolumeReclaimPolicy') !== 'Retain') return;
  await patchObject(
    cluster,
    CORE_TYPES.PersistentVolume,
    {name},
    {spec: {persistentVolumeReclaimPolicy: 'Delete'}},
    {signal},
  );
}

/**
 * Waits a moment for a snapshot that was just asked for: what its controller is about to make for one that is deleted,
 * nobody would find.
 */
async function boundSoon(
  cluster: Cluster,
  about: ObjectName,
  signal: AbortSignal,
): Promise<KubeObject | undefined> {
  const end = performance.now() + BOUND_SOON_MS;
  for (;;) {
    const snapshot = await readObject(cluster, SNAPSHOT_TYPES.VolumeSnapshot, about, {signal});
    const content = snapshot && contentOf(snapshot);
    if (content !== undefined) await letGo(cluster, content, signal);
    if (!snapshot || content !== undefined || performance.now() > end) return snapshot;
    await sleep(200, signal);
  }
}

/** Waits until the content of a snapshot is gone, also of one that was given up before it was seen what it is. */
async function dropContent(cluster: Cluster, snapshot: KubeObject, signal: AbortSignal): Promise<void> {
  // The controller names it so, and tells the name only later.
  const name = contentOf(snapshot) ?? `snapcontent-${snapshot.metadata.uid}`;
  const type = SNAPSHOT_TYPES.VolumeSnapshotContent;
  for (;;) {
    const content = await readObject(cluster, type, {name}, {signal});
    if (!content) return;
    if (stringAt(content, 'spec', 'deletionPolicy') !== 'Delete') await letGo(cluster, name, signal);
    if (content.metadata.annotations?.[BEING_DELETED] === undefined)
      await patchObject(cluster, type, {name}, {metadata: {annotations: {[BEING_DELETED]: 'yes'}}}, {signal});
    if (content.metadata.deletionTimestamp === undefined) await deleteObject(cluster, type, {name}, {signal});
    await sleep(200, signal);
  }
}
