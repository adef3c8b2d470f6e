import type {KubeObject, ResourceType} from './object.ts';

/** Who gets permissions, as the subject of a binding has it. */
export interface Subject {
  kind: 'ServiceAccount' | 'User' | 'Group';
  name: string;
  namespace?: string;
}

export interface RbacRule {
  apiGroups: string[];
  resources: string[];
  verbs: string[];
  resourceNames?: string[];
}

const RBAC = 'rbac.authorization.k8s.io';

/** What may be done with kinds, those of one API group in one rule. */
export function rulesFor(types: readonly ResourceType[], verbs: readonly string[]): RbacRule[] {
  const groups = Map.groupBy(types, type => type.group);
  return [...groups].map(([group, kinds]) => ({
    apiGroups: [group],
    resources: [...new Set(kinds.map(kind => kind.plural))].sort(),
    verbs: [...verbs],
  }));
}

/** A ClusterRole and its binding. */
export function clusterRole({
  name,
  rules,
  subject,
}: {
  name: string;
  rules: RbacRule[];
  subject: Subject;
}): KubeObject[] {
  const roleRef = {apiGroup: RBAC, kind: 'ClusterRole', name};
  return [
    {apiVersion: `${RBAC}/v1`, kind: 'ClusterRole', metadata: {name}, rules},
    {
      apiVersion: `${RBAC}/v1`,
      kind: 'ClusterRoleBinding',
      metadata: {name},
      roleRef,
      subjects: [of(subject)],
    },
  ];
}

/** A Role and its binding. */
export function role(options: {
  name: string;
  namespace: string;
  rules: RbacRule[];
  subject: Subject;
}): KubeObject[] {
  const {name, namespace, rules, subject} = options;
  const roleRef = {apiGroup: RBAC, kind: 'Role', name};
  const metadata = {name, namespace};
  return [
    {apiVersion: `${RBAC}/v1`, kind: 'Role', metadata, rules},
    {apiVersion: `${RBAC}/v1`, kind: 'RoleBinding', metadata, roleRef, subjects: [of(subject)]},
  ];
}

const of = ({kind, name, namespace}: Subject) =>
  kind === 'ServiceAccount' ? {kind, name, namespace} : {kind, name, apiGroup: RBAC};
