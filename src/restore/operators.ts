import {objectRef} from '../cluster/object.ts';
import {arrayAt, stringAt} from '../std/json-at.ts';
import type {ObjectIndex} from './index-objects.ts';

const RBAC = 'rbac.authorization.k8s.io';
const WORKLOADS = ['Deployment.apps', 'StatefulSet.apps', 'DaemonSet.apps'];
const WRITES = new Set(['update', 'patch', 'create', '*']);

/**
 * The workloads that reconcile custom resources: those whose service account may write objects of a group that a CRD
 * of the snapshot defines. Read from RBAC, so that no list of known operators is needed.
 * @returns references of the workloads, as `objectRef` writes them.
 */
export function findOperators(index: ObjectIndex): Set<string> {
  const groups = new Set(
    index
      .ofKind('CustomResourceDefinition.apiextensions.k8s.io')
      .map(({object}) => stringAt(object, 'spec', 'group') ?? ''),
  );
  if (groups.size === 0) return new Set();
  const accounts = accountsThatWrite(index, groups);
  const operators = new Set<string>();
  for (const {object} of WORKLOADS.flatMap(kind => index.ofKind(kind))) {
    const account = stringAt(object, 'spec', 'template', 'spec', 'serviceAccountName') ?? 'default';
    if (accounts.has(`${object.metadata.namespace}/${account}`)) operators.add(objectRef(object));
  }
  return operators;
}

/** Service accounts, as `namespace/name`, that some binding lets write objects of the groups. */
function accountsThatWrite(index: ObjectIndex, groups: ReadonlySet<string>): Set<string> {
  const accounts = new Set<string>();
  for (const kind of [`ClusterRoleBinding.${RBAC}`, `RoleBinding.${RBAC}`]) {
    for (const {object: binding} of index.ofKind(kind)) {
      const roleKind = `${stringAt(binding, 'roleRef', 'kind')}.${RBAC}`;
      const namespace = roleKind.startsWith('Cluster') ? undefined : binding.metadata.namespace;
      const role = index.find(roleKind, namespace, stringAt(binding, 'roleRef', 'name') ?? '');
      if (role === undefined || !writesGroup(role, groups)) continue;
      for (const subject of arrayAt(binding, 'subjects')) {
        if (stringAt(subject, 'kind') !== 'ServiceAccount') continue;
        accounts.add(
          `${stringAt(subject, 'namespace') ?? binding.metadata.namespace}/${stringAt(subject, 'name')}`,
        );
      }
    }
  }
  return accounts;
}

function writesGroup(role: unknown, groups: ReadonlySet<string>): boolean {
  return arrayAt(role, 'rules').some(
    rule =>
      arrayAt(rule, 'apiGroups').some(group => typeof group === 'string' && groups.has(group)) &&
      arrayAt(rule, 'verbs').some(verb => typeof verb === 'string' && WRITES.has(verb)),
  );
}
