import type {Json, JsonObject} from '../../std/json.ts';
import {arrayAt, numberAt, stringAt} from '../../std/json-at.ts';

/** Who a mover runs as. */
export type Identity =
  | {kind: 'root'}
  | {kind: 'user'; uid: number; gid?: number | undefined; groups: number[]};

export const ROOT: Identity = {kind: 'root'};

/** `root`, or `user 999, groups 999`. */
export const identityText = (identity: Identity): string =>
  identity.kind === 'root'
    ? 'root'
    : [
        `user ${identity.uid}`,
        ...(identity.gid === undefined ? [] : [`group ${identity.gid}`]),
        ...(identity.groups.length > 0 ? [`groups ${identity.groups.join(', ')}`] : []),
      ].join(', ');

/**
 * The user that a pod's containers read and write volumes of these names as, when its spec says it and they all are the same
 * and not root. Only the image knows it otherwise.
 */
export function identityOfPod(spec: unknown, volumes: ReadonlySet<string>): Identity | undefined {
  const containers = [...arrayAt(spec, 'containers'), ...arrayAt(spec, 'initContainers')].filter(container =>
    arrayAt(container, 'volumeMounts').some(mount => volumes.has(stringAt(mount, 'name') ?? '')),
  );
  const ids = (field: string) =>
    new Set(
      containers.map(
        container =>
          numberAt(container, 'securityContext', field) ?? numberAt(spec, 'securityContext', field),
      ),
    );
  const [uid, ...others] = ids('runAsUser');
  if (uid === undefined || uid === 0 || others.length > 0) return undefined;
  const [gid, ...otherGids] = ids('runAsGroup');
  const fsGroup = numberAt(spec, 'securityContext', 'fsGroup');
  const more = arrayAt(spec, 'securityContext', 'supplementalGroups').filter(
    (group): group is number => typeof group === 'number',
  );
  return {
    kind: 'user',
    uid,
    ...(gid === undefined || otherGids.length > 0 ? {} : {gid}),
    groups: [...new Set([...(fsGroup === undefined ? [] : [fsGroup]), ...more])],
  };
}

/**
 * What root needs of its capabilities. To read: files of whoever, through folders of whoever; the volume is mounted
 * read-only. To restore: to write into such folders, and give files the owners, modes, set-id bits and file capabilities
 * that they had. The baseline Pod Security Standard allows all of them.
 */
const CAPABILITIES = {
  save: ['DAC_OVERRIDE'],
  restore: ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'SETFCAP'],
} as const;

export type Purpose = keyof typeof CAPABILITIES;

/** What the kubelet is told about who a mover is: everything that a restricted pod has, less what root needs. */
export function securityOf(identity: Identity, purpose: Purpose): {pod: JsonObject; container: JsonObject} {
  const container: JsonObject = {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: {drop: ['ALL']},
  };
  const seccompProfile = {type: 'RuntimeDefault'};
  if (identity.kind === 'root')
    return {
      pod: {runAsUser: 0, runAsGroup: 0, seccompProfile},
      container: {...container, capabilities: {drop: ['ALL'], add: [...CAPABILITIES[purpose]]}},
    };
  const {uid, gid, groups} = identity;
  // A fsGroup would have the kubelet change the groups of all files, so that only a new volume may get one.
  const fsGroup = groups[0] ?? gid ?? uid;
  const ofGroups: Record<string, Json> =
    purpose === 'restore'
      ? {fsGroup, supplementalGroups: groups, fsGroupChangePolicy: 'OnRootMismatch'}
      : {supplementalGroups: groups};
  return {
    pod: {
      runAsNonRoot: true,
      runAsUser: uid,
      ...(gid === undefined ? {runAsGroup: fsGroup} : {runAsGroup: gid}),
      seccompProfile,
      ...ofGroups,
    },
    container,
  };
}
