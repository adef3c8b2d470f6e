import type {KubeObject, ResourceType} from '../cluster/object.ts';
import {stringAt} from '../std/json-at.ts';

export const GROUP = 'snapshot.storage.k8s.io';
const type = (kind: string, plural: string, namespaced: boolean): ResourceType => ({
  group: GROUP,
  version: 'v1',
  kind,
  plural,
  namespaced,
  verbs: ['create', 'delete', 'get', 'list', 'patch'],
  shortNames: [],
});

export const SNAPSHOT_TYPES = {
  VolumeSnapshot: type('VolumeSnapshot', 'volumesnapshots', true),
  VolumeSnapshotContent: type('VolumeSnapshotContent', 'volumesnapshotcontents', false),
  VolumeSnapshotClass: type('VolumeSnapshotClass', 'volumesnapshotclasses', false),
} as const;

/** Name of the content that a VolumeSnapshot is bound to, once it is. */
export const contentOf = (snapshot: KubeObject) =>
  stringAt(snapshot, 'status', 'boundVolumeSnapshotContentName');
