import {groupOf, type KubeObject, objectRef} from '../cluster/object.ts';
import type {SnapshotRoot} from '../repository/snapshot-root.ts';
import {isBuiltInGroup} from '../snapshot/built-in-group.ts';
import {groupKind, groupKindOf} from '../snapshot/exclude.ts';
import {stringAt} from '../std/json-at.ts';
import {reasonNotServed} from './api-lifecycle.ts';
import {isServed} from './api-versions.ts';
import {claimUses, compileClaimMatch} from './claims.ts';
import type {ObjectIndex} from './index-objects.ts';
import type {RestoreItem} from './item.ts';
import type {RestorePolicy} from './policy.ts';
import type {Presence} from './presence.ts';
import type {ObjectReference} from './references.ts';
import type {RestoreTarget} from './rules/rule.ts';

/** Something about a restore that a person should know before it is run. */
export interface RestoreFinding {
  /** `error`: the recovery cannot be whole. `warning`: a part may not work. `info`: to know. */
  severity: 'error' | 'warning' | 'info';
  ref: string;
  message: string;
}

/** What a snapshot says of the volumes that it holds. */
export interface SavedVolume {
  namespace: string;
  pvcs: readonly string[];
}

/** What a snapshot holds the data of, and which claims had none to save. */
export const savedVolumes = ({
  volumes,
  emptyClaims = [],
}: Pick<SnapshotRoot, 'volumes' | 'emptyClaims'>): SavedVolume[] => [
  ...volumes.map(({namespace, pvcs}) => ({namespace, pvcs})),
  ...emptyClaims.map(({namespace, name}) => ({namespace, pvcs: [name]})),
];

/** How people write what is missing: `Secret shop/db-credentials`. */
const spell = (kind: string, namespace: string | undefined, name: string) =>
  `${kind.split('.')[0]} ${namespace === undefined ? '' : `${namespace}/`}${name}`;

/** Objects that the controllers of every cluster make, so that nothing has to bring them. */
function isMadeByCluster({kind, name}: ObjectReference): boolean {
  return (
    (kind === 'ConfigMap' && name === 'kube-root-ca.crt') ||
    (kind === 'ServiceAccount' && name === 'default') ||
    (kind === 'PriorityClass.scheduling.k8s.io' && name.startsWith('system-')) ||
    (kind.endsWith('.rbac.authorization.k8s.io') && (name.startsWith('system:') || DEFAULT_ROLES.has(name)))
  );
}
const DEFAULT_ROLES = new Set(['cluster-admin', 'admin', 'edit', 'view']);

/**
 * Names what the objects to restore need and will not find: `missing Secret shop/db, needed by Deployment shop/web`.
 * @param references what each object names
 */
export function findMissing(
  references: ReadonlyMap<RestoreItem, readonly ObjectReference[]>,
  present: Presence,
): RestoreFinding[] {
  return [...references].flatMap(([{object, ref}, needed]) => {
    const missing = new Map<string, ObjectReference>();
    for (const reference of needed) {
      const {kind, namespace, name} = reference;
      if (present.has(kind, namespace, name) || isMadeByCluster(reference)) continue;
      const what = spell(kind, namespace, name);
      if (!missing.get(what)?.essential) missing.set(what, reference);
    }
    const by = spell(object.kind, object.metadata.namespace, object.metadata.name);
    return [...missing].map<RestoreFinding>(([what, {essential}]) => ({
      severity: essential ? 'error' : 'warning',
      ref,
      message: `missing ${what}, needed by ${by}`,
    }));
  });
}

/** Names kinds that the target does not serve as they were captured, and that no definition of the snapshot brings. */
export function findUnserved(items: readonly RestoreItem[], target: RestoreTarget): RestoreFinding[] {
  const defined = new Set(
    items
      .filter(({object}) => object.kind === 'CustomResourceDefinition')
      .map(({object}) => definedKind(object)),
  );
  const first = new Map<string, RestoreItem>();
  for (const item of items) {
    const id = `${item.object.apiVersion} ${item.object.kind}`;
    if (!first.has(id)) first.set(id, item);
  }
  return [...first.values()].flatMap((item): RestoreFinding[] => {
    const {object, ref} = item;
    const {apiVersion, kind} = object;
    if (defined.has(groupKindOf(object))) return [];
    if (target.isImagined && !isBuiltInGroup(groupOf(apiVersion)))
      return [
        unserved(
          ref,
          `no definition in the snapshot brings ${apiVersion} ${kind}: the target must have it`,
          'warning',
        ),
      ];
    const lost = target.lost?.find(({groupVersion}) => groupVersion === apiVersion);
    if (lost)
      return [
        unserved(ref, `what serves ${apiVersion} in the target does not answer: ${lost.reason}`, 'error'),
      ];
    const served = isServed(target, apiVersion, kind);
    if (served !== false) return [];
    const why = reasonNotServed(apiVersion, kind, target.version);
    const what = `the target does not serve ${apiVersion} ${kind}, and no definition in the snapshot brings it`;
    return [unserved(ref, why ? `${what}: ${why}` : what, 'error')];
  });
}

const unserved = (ref: string, message: string, severity: RestoreFinding['severity']): RestoreFinding => ({
  severity,
  ref,
  message,
});

const definedKind = (crd: KubeObject) =>
  groupKind({
    group: stringAt(crd, 'spec', 'group') ?? groupOf(crd.apiVersion),
    kind: stringAt(crd, 'spec', 'names', 'kind') ?? '',
  });

export interface VolumeFindings {
  findings: RestoreFinding[];
  /** Claims that the plan lets come back empty. */
  waived: string[];
}

/**
 * Names claims whose contents are not in the snapshot: an unprotected volume never comes back silently empty.
 * @param inTarget claims that are there already, written `namespace/name`: they keep what they hold
 */
export function findEmptyVolumes(
  index: ObjectIndex,
  saved: readonly SavedVolume[],
  policy: RestorePolicy,
  inTarget?: ReadonlySet<string>,
): VolumeFindings {
  const held = new Set(saved.flatMap(volume => volume.pvcs.map(name => `${volume.namespace}/${name}`)));
  const waivers = policy.emptyVolumes.map(compileClaimMatch);
  const result: VolumeFindings = {findings: [], waived: []};
  for (const use of claimUses(index)) {
    const {namespace, name} = use.claim.metadata;
    const place = `${namespace}/${name}`;
    if (held.has(place) || inTarget?.has(place)) continue;
    const ref = objectRef(use.claim);
    if (waivers.some(fits => fits(use))) result.waived.push(ref);
    else
      result.findings.push({
        severity: 'error',
        ref,
        message: `the snapshot holds no data of ${ref}: it would come back empty`,
      });
  }
  return result;
}
