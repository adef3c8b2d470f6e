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
  if (source.volumes.length > 0) return [PersistentVolumeClaim, Pod, ReplicaSet];
  return (source.hooks ?? []).length > 0 ? [PersistentVolumeClaim, Pod] : [PersistentVolumeClaim];
}

/** What a snapshot does in a namespace besides listing. */
function actionsIn({spec}: Plan, namespace: string): RbacRule[] {
  const {source, probes} = spec;
  const inside = (reference: string | undefined) => reference?.split('/')[0] === namespace;
  const dumps = source.volumes.some(
    ({method, namespaces}) => method === 'dump' && matchGlobs(namespaces ?? ['*'])(namespace),
  );
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
    ...(dumps || hooks ? [core(['pods/exec'], ['create', 'get'])] : []),
    ...(asked ? [core(['pods/portforward'], ['create', 'get']), core(['services'], ['get'])] : []),
    ...(asked ? [{apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list']}] : []),
    ...(secrets.length > 0 ? [core(['secrets'], ['get'], secrets)] : []),
    ...(source.canary?.namespace === namespace
      ? [core(['configmaps'], ['create']), core(['configmaps'], ['get', 'patch'], ['pra-canary'])]
      : []),
  ];
}
