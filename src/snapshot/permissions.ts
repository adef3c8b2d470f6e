import {CORE_TYPES} from '../cluster/core-types.ts';
import type {KubeObject, ResourceType} from '../cluster/object.ts';
import {clusterRole, type RbacRule, role, rulesFor, type Subject} from '../cluster/rbac.ts';
import type {Plan} from '../plan/schema.ts';
import {matchGlobs} from './glob.ts';
import {selectOfPlan} from './plan-select.ts';
import {isCustom, ReferenceCollector} from './referenced.ts';
import {compileSelect, listScopes} from './select.ts';
import {SHAPE_TYPES} from './shape.ts';

export interface PermissionsOptions {
  plan: Plan;
  /** What the source serves, as discovery has it. */
  types: readonly ResourceType[];
  /** Names of the source's namespaces. */
  namespaces: readonly string[];
  subject: Subject;
  /** Also for following: watching is as much as listing, for longer. */
  follow?: boolean | undefined;
}

/**
 * The least that snapshots of a plan need in the source, as RBAC objects: what is listed, the pods that commands run in, the
 * Secrets with DSNs, the canary. Nothing else is written, and nothing is deleted.
 */
export function sourcePermissions(options: PermissionsOptions): KubeObject[] {
  const {plan, types, subject, follow = false} = options;
  const name = `pra-${plan.metadata.name}`;
  const select = selectOfPlan(plan);
  const selection = compileSelect(select);
  const namespaces = options.namespaces.filter(selection.namespace);
  const wanted = types.filter(selection.type);
  const verbs = follow ? ['list', 'watch'] : ['list'];
  const lists = rulesFor([...wanted.filter(type => type.namespaced), ...lookedAt(plan)], verbs);
  const ofCluster = wanted.filter(
    type => !type.namespaced && (select.clusterScoped === 'all' || canBeReferenced(type, wanted)),
  );
  const clusterRules = [
    {apiGroups: [''], resources: ['namespaces'], verbs: ['get', ...verbs]},
    ...(follow
      ? rulesFor(
          SHAPE_TYPES.filter(({kind}) => kind !== 'Namespace'),
          verbs,
        )
      : []),
    ...(select.clusterScoped === 'none'
      ? []
      : rulesFor(
          ofCluster.filter(type => type.kind !== 'Namespace'),
          verbs,
        )),
  ];
  clusterRules.push(...ofVolumes(plan));
  const isWhole = listScopes(select, namespaces).includes(undefined);
  const bound = {name, subject};
  return [
    ...clusterRole({...bound, rules: isWhole ? [...clusterRules, ...lists] : clusterRules}),
    ...namespaces.flatMap(namespace => {
      const rules = [...(isWhole ? [] : lists), ...actionsIn(plan, namespace)];
      return rules.length === 0 ? [] : role({...bound, namespace, rules});
    }),
  ];
}

const canBeReferenced = (type: ResourceType, wanted: readonly ResourceType[]) =>
  new ReferenceCollector().canHold(type) ||
  (isCustom(type) && wanted.some(other => other.namespaced && other.group === type.group));

/** What is listed also by a plan that captures other kinds only: claims to protect, pods to run commands in, their owners. */
function lookedAt({spec: {source}}: Plan): ResourceType[] {
  const {PersistentVolumeClaim, Pod, ReplicaSet} = CORE_TYPES;
  const readsFiles = source.volumes.some(({method}) => method === 'csi' || method === 'filesystem');
  const {StatefulSet, Deployment, DaemonSet, CronJob} = CORE_TYPES;
  if (readsFiles)
    return [PersistentVolumeClaim, Pod, ReplicaSet, StatefulSet, Deployment, DaemonSet, CronJob];
  if (source.volumes.length > 0) return [PersistentVolumeClaim, Pod, ReplicaSet];
  return (source.hooks ?? []).length > 0 ? [PersistentVolumeClaim, Pod] : [PersistentVolumeClaim];
}

/** The Job that mounts a claim, the reason why its pod does not start, and making room for another pod after one that broke. */
const MOVERS: readonly RbacRule[] = [
  {apiGroups: ['batch'], resources: ['jobs'], verbs: ['create', 'get', 'delete']},
  {apiGroups: [''], resources: ['pods'], verbs: ['get', 'list', 'delete']},
  {apiGroups: [''], resources: ['events'], verbs: ['list']},
];
/** The snapshot of a volume, the clone that is read, and handing both over to another pod. */
const CSI: readonly RbacRule[] = [
  {
    apiGroups: ['snapshot.storage.k8s.io'],
    resources: ['volumesnapshots'],
    verbs: ['create', 'get', 'patch', 'delete'],
  },
  {apiGroups: [''], resources: ['persistentvolumeclaims'], verbs: ['create', 'get', 'patch', 'delete']},
];

/** What of volumes lies outside of namespaces: who made them, how snapshots are taken, and that none is left. */
function ofVolumes({spec: {source}}: Plan): RbacRule[] {
  const csi = source.volumes.some(({method}) => method === 'csi');
  const drivers = csi || source.volumes.some(({drivers}) => drivers !== undefined);
  return [
    ...(drivers
      ? [
          {
            apiGroups: [''],
            resources: ['persistentvolumes'],
            verbs: csi ? ['get', 'list', 'patch'] : ['list'],
          },
        ]
      : []),
    ...(csi
      ? [
          {apiGroups: ['snapshot.storage.k8s.io'], resources: ['volumesnapshotclasses'], verbs: ['list']},
          {
            apiGroups: ['snapshot.storage.k8s.io'],
            resources: ['volumesnapshotcontents'],
            verbs: ['get', 'patch', 'delete'],
          },
        ]
      : []),
  ];
}

/** What a snapshot does in a namespace besides listing. */
function actionsIn({spec}: Plan, namespace: string): RbacRule[] {
  const {source, probes} = spec;
  const inside = (reference: string | undefined) => reference?.split('/')[0] === namespace;
  const uses = (...methods: string[]) =>
    source.volumes.some(
      ({method, namespaces}) => methods.includes(method) && matchGlobs(namespaces ?? ['*'])(namespace),
    );
  const dumps = uses('dump');
  const files = uses('csi', 'filesystem');
  const checksums = probes.some(({checksum}) => checksum?.namespace === namespace);
  const hooks = (source.hooks ?? []).length > 0;
  const compared = probes.filter(probe => probe.compare && 'baseline' in probe.compare);
  const dsns = [source.canary?.sql?.secretRef, ...compared.map(probe => probe.sql?.secretRef)].filter(inside);
  const asked = dsns.length > 0 || compared.some(probe => inside(probe.http?.service));
  const core = (resources: string[], verbs: string[], resourceNames?: string[]): RbacRule => ({
    apiGroups: [''],
    resources,
    verbs,
    ...(resourceNames === undefined ? {} : {resourceNames}),
  });
  const secrets = [...new Set(dsns.map(reference => reference?.split(/[/#]/)[1] ?? ''))];
  return [
    // Opening a connection is `get` by WebSocket, and `create` too since Kubernetes 1.35.
    ...(dumps || hooks || files || checksums ? [core(['pods/exec'], ['create', 'get'])] : []),
    ...(checksums ? [core(['pods'], ['list'])] : []),
    ...(files ? MOVERS : []),
    ...(uses('csi') ? CSI : []),
    ...(asked ? [core(['pods/portforward'], ['create', 'get']), core(['services'], ['get'])] : []),
    ...(asked ? [{apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list']}] : []),
    ...(secrets.length > 0 ? [core(['secrets'], ['get'], secrets)] : []),
    ...(source.canary?.namespace === namespace
      ? [core(['configmaps'], ['create']), core(['configmaps'], ['get', 'patch'], ['pra-canary'])]
      : []),
  ];
}
