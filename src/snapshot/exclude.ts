import type {KubeObject, ResourceType} from '../cluster/object.ts';
import {arrayAt, at, stringAt} from '../std/json-at.ts';

/**
 * Kinds that are made by running parts of a cluster and mean nothing in another one. They are never captured, and
 * never restored from a snapshot that holds them all the same (restore-rules.md, "Never restored").
 */
export const EXCLUDED_KINDS: Readonly<Record<string, string>> = {
  Event: 'events are a log of the source',
  'Event.events.k8s.io': 'events are a log of the source',
  Node: 'nodes register themselves',
  'CSINode.storage.k8s.io': 'made by each node',
  'VolumeAttachment.storage.k8s.io': 'made by the attach controller',
  'CSIStorageCapacity.storage.k8s.io': 'reported by storage drivers',
  'Lease.coordination.k8s.io': 'leases name processes of the source',
  'LeaseCandidate.coordination.k8s.io': 'leases name processes of the source',
  'CertificateSigningRequest.certificates.k8s.io': 'requests of the source are answered already',
  'ControllerRevision.apps': 'history that the workload controllers write themselves',
  'IPAddress.networking.k8s.io': 'allocated with each Service',
  'ServiceCIDR.networking.k8s.io': 'address ranges belong to the cluster',
  'ResourceSlice.resource.k8s.io': 'reported by device drivers',
  'StorageVersion.internal.apiserver.k8s.io': 'written by the API server',
  ComponentStatus: 'read-only',
  'PodMetrics.metrics.k8s.io': 'read-only',
  'NodeMetrics.metrics.k8s.io': 'read-only',
  'VolumeSnapshotContent.snapshot.storage.k8s.io': 'points at storage of the source',
  'VolumeGroupSnapshotContent.groupsnapshot.storage.k8s.io': 'points at storage of the source',
  'CiliumEndpoint.cilium.io': 'made by the network agent for each pod',
  'CiliumIdentity.cilium.io': 'made by the network agent',
  'CiliumNode.cilium.io': 'made by the network agent for each node',
  'Backup.velero.io': 'run record of a backup tool',
  'Restore.velero.io': 'run record of a backup tool',
  'PodVolumeBackup.velero.io': 'run record of a backup tool',
  'PodVolumeRestore.velero.io': 'run record of a backup tool',
  'DataUpload.velero.io': 'run record of a backup tool',
  'DataDownload.velero.io': 'run record of a backup tool',
  'DeleteBackupRequest.velero.io': 'run record of a backup tool',
  'DownloadRequest.velero.io': 'run record of a backup tool',
  'ServerStatusRequest.velero.io': 'run record of a backup tool',
};

/** Kind and group as kubectl writes them: `Deployment.apps`, `Service`. */
export function groupKind(type: Pick<ResourceType, 'group' | 'kind'>): string {
  return type.group === '' ? type.kind : `${type.kind}.${type.group}`;
}

/** Kind and group of an object, as kubectl writes them. */
export function groupKindOf(object: KubeObject): string {
  const slash = object.apiVersion.indexOf('/');
  return slash < 0 ? object.kind : `${object.kind}.${object.apiVersion.slice(0, slash)}`;
}

/**
 * Why an object as the API server gave it, status included, is not part of a snapshot: something else makes it again.
 * @returns the reason, or undefined for an object to keep.
 */
export function reasonToExclude(object: KubeObject): string | undefined {
  const kind = groupKindOf(object);
  return (
    EXCLUDED_KINDS[kind] ?? BY_KIND[kind]?.(object) ?? (isBeingDeleted(object) ? BEING_DELETED : undefined)
  );
}

/** Whether objects of a kind are judged by more than whether they are being deleted. */
export const isJudged = (kind: string) => EXCLUDED_KINDS[kind] !== undefined || BY_KIND[kind] !== undefined;

/** What an object of a kind has in its JSON if it is one that `BY_KIND` leaves out; others need no closer look. */
export const EXCLUSION_MARKS: Readonly<Record<string, Buffer>> = {
  PersistentVolumeClaim: Buffer.from('"pra.dev/mover"'),
  'VolumeSnapshot.snapshot.storage.k8s.io': Buffer.from('"pra.dev/mover"'),
  Secret: Buffer.from('"kubernetes.io/service-account-token"'),
  'ReplicaSet.apps': Buffer.from('"ownerReferences"'),
};

/** What objects of a kind are called that `BY_KIND` leaves out; others need no closer look. */
export const EXCLUDED_NAMES: Readonly<Record<string, string>> = {ConfigMap: 'kube-root-ca.crt'};

export const BEING_DELETED = 'was being deleted';

type Judge = (object: KubeObject) => string | undefined;

const BY_KIND: Readonly<Record<string, Judge>> = {
  Pod: object => {
    if (at(object, 'metadata', 'annotations', 'kubernetes.io/config.mirror') !== undefined)
      return 'mirror of a static pod';
    const phase = stringAt(object, 'status', 'phase');
    return (
      ownedBy(object) ??
      (phase === 'Succeeded' || phase === 'Failed' ? `pod that has ended (${phase})` : undefined)
    );
  },
  'ReplicaSet.apps': object => ownedBy(object),
  'Job.batch': object => ofMover(object) ?? ownedBy(object, 'CronJob') ?? terminalJob(object),
  PersistentVolumeClaim: object => ofMover(object),
  'VolumeSnapshot.snapshot.storage.k8s.io': object => ofMover(object),
  Secret: object =>
    isTokenSecret(object) ? 'service account token, which each cluster issues itself' : undefined,
  ConfigMap: object =>
    object.metadata.name === EXCLUDED_NAMES.ConfigMap ? 'published by the controller manager' : undefined,
  'EndpointSlice.discovery.k8s.io': object =>
    CONTROLLED_SLICES.has(
      stringAt(object, 'metadata', 'labels', 'endpointslice.kubernetes.io/managed-by') ?? '',
    )
      ? 'made from the Service'
      : undefined,
  Endpoints: object =>
    at(object, 'metadata', 'annotations', 'endpoints.kubernetes.io/last-change-trigger-time') !== undefined ||
    at(object, 'metadata', 'labels', 'endpoints.kubernetes.io/managed-by') !== undefined
      ? 'made from the Service'
      : undefined,
};

const CONTROLLED_SLICES = new Set([
  'endpointslice-controller.k8s.io',
  'endpointslicemirroring-controller.k8s.io',
]);

/** A Secret that the token controller fills: by type and annotation, so that helm, TLS and registry Secrets stay. */
export function isTokenSecret(object: KubeObject): boolean {
  return (
    object.type === 'kubernetes.io/service-account-token' &&
    at(object, 'metadata', 'annotations', 'kubernetes.io/service-account.name') !== undefined
  );
}

/** Says which controller makes the object again, if one owns it. */
function ownedBy(object: KubeObject, ownerKind?: string): string | undefined {
  const owner = arrayAt(object, 'metadata', 'ownerReferences').find(
    reference =>
      at(reference, 'controller') === true &&
      (ownerKind === undefined || at(reference, 'kind') === ownerKind),
  );
  return owner === undefined ? undefined : `made by ${stringAt(owner, 'kind')}/${stringAt(owner, 'name')}`;
}

/** What pra itself makes to read a volume, and removes again. */
const ofMover = (object: KubeObject): string | undefined =>
  at(object, 'metadata', 'labels', 'pra.dev/mover') === undefined
    ? undefined
    : 'made by pra to save a volume';

function terminalJob(object: KubeObject): string | undefined {
  const ended = arrayAt(object, 'status', 'conditions').find(
    condition =>
      ['Complete', 'Failed'].includes(stringAt(condition, 'type') ?? '') &&
      at(condition, 'status') === 'True',
  );
  return ended === undefined ? undefined : `job that has ended (${stringAt(ended, 'type')})`;
}

const isBeingDeleted = (object: KubeObject) => at(object, 'metadata', 'deletionTimestamp') !== undefined;
