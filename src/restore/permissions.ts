import {CORE_TYPES} from '../cluster/core-types.ts';
import type {KubeObject, ResourceType} from '../cluster/object.ts';
import {clusterRole, type RbacRule, rulesFor, type Subject} from '../cluster/rbac.ts';
import {groupKind} from '../snapshot/exclude.ts';
import {deletes, type ExistingChoice} from './existing-policy.ts';
import type {RestorePlan} from './preview.ts';

export interface RestorePermissionsOptions {
  plan: RestorePlan;
  existing: ExistingChoice;
  /** Of the ClusterRole. */
  name: string;
  subject: Subject;
  /** Whether claims are filled. */
  fillsVolumes?: boolean | undefined;
}

const RBAC = 'rbac.authorization.k8s.io';

/** What is looked at in the target before the first write: what stands against the restore. */
const LOOKED_AT = [
  CORE_TYPES.Namespace,
  CORE_TYPES.Service,
  CORE_TYPES.Node,
  CORE_TYPES.PersistentVolumeClaim,
  CORE_TYPES.StorageClass,
];
/** What is listed while workloads and the backends of webhooks are waited for. */
const WAITED_FOR = [
  CORE_TYPES.Pod,
  CORE_TYPES.Deployment,
  CORE_TYPES.StatefulSet,
  CORE_TYPES.DaemonSet,
  CORE_TYPES.ReplicaSet,
  CORE_TYPES.Job,
  CORE_TYPES.EndpointSlice,
  CORE_TYPES.Event,
];

/**
 * The least that a restore needs in its target, as RBAC objects: to create the kinds of this very plan, to read what is
 * there already, to update or delete it if it is to be, and to look at what stands against it. It is one ClusterRole, because a
 * namespace that does not exist yet can hold no Role.
 */
export function restorePermissions({
  plan,
  existing,
  name,
  subject,
  fillsVolumes = false,
}: RestorePermissionsOptions): KubeObject[] {
  const types = new Map<string, ResourceType>();
  const items = [...plan.waves.flatMap(wave => wave.items), ...plan.groups.flatMap(group => group.late)];
  for (const {type} of items) types.set(groupKind(type), type);
  const kinds = [...types.values()];
  const verbs = ['create', 'get', 'patch', ...(deletes(existing) ? ['delete', 'list'] : [])];
  const definitions = kinds.filter(({kind}) => kind === 'CustomResourceDefinition');
  const custom = kinds.filter(({group}) => group.includes('.') && !group.endsWith('.k8s.io'));
  const rules: RbacRule[] = [
    ...rulesFor(kinds, verbs),
    ...rulesFor([...LOOKED_AT, ...WAITED_FOR], ['get', 'list']),
    {apiGroups: [''], resources: ['resourcequotas'], verbs: ['list']},
    // That a new kind is served is seen by listing it.
    ...rulesFor([...definitions, ...custom], ['list']),
    ...grantsOf(kinds),
    ...(fillsVolumes ? MOVERS : []),
    {
      apiGroups: ['admissionregistration.k8s.io'],
      resources: ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations'],
      verbs: ['list'],
    },
  ];
  return clusterRole({name, subject, rules});
}

/** The Job that mounts a claim, and what is run in its pod. */
const MOVERS: readonly RbacRule[] = [
  {apiGroups: ['batch'], resources: ['jobs'], verbs: ['create', 'get', 'delete']},
  {apiGroups: [''], resources: ['pods'], verbs: ['get', 'delete']},
  {apiGroups: [''], resources: ['pods/exec'], verbs: ['create', 'get']},
];

/** Kubernetes lets nobody give rights that they do not have, unless they may do just that. */
function grantsOf(kinds: readonly ResourceType[]): RbacRule[] {
  const has = (kind: string) => kinds.some(type => type.group === RBAC && type.kind === kind);
  const rule = (verb: string, resources: string[]): RbacRule[] =>
    resources.length === 0 ? [] : [{apiGroups: [RBAC], resources, verbs: [verb]}];
  const roles = [...(has('ClusterRole') ? ['clusterroles'] : []), ...(has('Role') ? ['roles'] : [])];
  const binds = has('ClusterRoleBinding') || has('RoleBinding') ? ['clusterroles', 'roles'] : [];
  const bindings = has('ClusterRoleBinding') ? ['clusterrolebindings'] : [];
  return [...rule('escalate', roles), ...rule('bind', binds), ...rule('list', bindings)];
}
