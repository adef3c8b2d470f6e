import {groupOf, type KubeObject, objectRef} from '../cluster/object.ts';
import {groupKind, groupKindOf} from '../snapshot/exclude.ts';
import {stringAt} from '../std/json-at.ts';
import {claimUses, compileClaimMatch} from './claims.ts';
import type {ObjectIndex} from './index-objects.ts';
import {objectKey} from './index-objects.ts';
import type {RestoreItem} from './order.ts';
import type {RestorePolicy} from './policy.ts';
import {type ObjectReference, referencesOf} from './references.ts';
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

/** Names what the objects to restore need and will not find: `missing Secret shop/db, needed by Deployment shop/web`. */
export function findMissing(items: readonly RestoreItem[]): RestoreFinding[] {
  const present = new Set(items.map(item => item.key));
  return items.flatMap(({object, ref}) => {
    const missing = new Map<string, ObjectReference>();
    for (const reference of referencesOf(object)) {
      const key = objectKey(reference.kind, reference.namespace, reference.name);
      if (!present.has(key) && !isMadeByCluster(reference) && !missing.get(key)?.essential)
        missing.set(key, reference);
    }
    const by = spell(object.kind, object.metadata.namespace, object.metadata.name);
    return [...missing.values()].map<RestoreFinding>(({kind, namespace, name, essential}) => ({
      severity: essential ? 'error' : 'warning',
      ref,
      message: `missing ${spell(kind, namespace, name)}, needed by ${by}`,
    }));
  });
}

/** Names kinds that the target does not serve and that no definition of the snapshot brings. */
export function findUnserved(items: readonly RestoreItem[], target: RestoreTarget): RestoreFinding[] {
  const served = new Map(target.resourceTypes.map(type => [groupKind(type), type]));
  const defined = new Set(
    items
      .filter(({object}) => object.kind === 'CustomResourceDefinition')
      .map(({object}) => definedKind(object)),
  );
  const told = new Set<string>();
  return items.flatMap(({object, ref, type}): RestoreFinding[] => {
    const kind = groupKindOf(object);
    if (defined.has(kind) || told.has(kind)) return [];
    const there = served.get(kind);
    if (there?.version === type.version) return [];
    told.add(kind);
    const captured = `${object.apiVersion} ${object.kind}`;
    if (there)
      return [
        {severity: 'info', ref, message: `${captured} was captured; the target prefers ${there.version}`},
      ];
    return [
      {
        severity: 'error',
        ref,
        message: `the target does not serve ${captured}, and no definition in the snapshot brings it`,
      },
    ];
  });
}

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

/** Names claims whose contents are not in the snapshot: an unprotected volume never comes back silently empty. */
export function findEmptyVolumes(
  index: ObjectIndex,
  saved: readonly SavedVolume[],
  policy: RestorePolicy,
): VolumeFindings {
  const held = new Set(saved.flatMap(volume => volume.pvcs.map(name => `${volume.namespace}/${name}`)));
  const waivers = policy.emptyVolumes.map(compileClaimMatch);
  const result: VolumeFindings = {findings: [], waived: []};
  for (const use of claimUses(index)) {
    const {namespace, name} = use.claim.metadata;
    if (held.has(`${namespace}/${name}`)) continue;
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
