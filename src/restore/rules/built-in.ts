import type {KubeObject} from '../../cluster/object.ts';
import {groupKindOf} from '../../snapshot/exclude.ts';
import {stringAt} from '../../std/json-at.ts';
import {type Rule, skip} from './rule.ts';

type Judge = (object: KubeObject) => boolean;

const isBootstrapRole: Judge = object =>
  stringAt(object, 'metadata', 'labels', 'kubernetes.io/bootstrapping') === 'rbac-defaults' ||
  object.metadata.name.startsWith('system:');
const isAutoUpdated: Judge = object =>
  stringAt(object, 'metadata', 'annotations', 'apf.kubernetes.io/autoupdate-spec') === 'true';

/** Objects that every API server makes for itself, at its own version. */
const BUILT_IN: Readonly<Record<string, Judge>> = {
  Namespace: object => object.metadata.name.startsWith('kube-'),
  Service: object => object.metadata.namespace === 'default' && object.metadata.name === 'kubernetes',
  Endpoints: object => object.metadata.namespace === 'default' && object.metadata.name === 'kubernetes',
  ConfigMap: object =>
    object.metadata.namespace === 'kube-system' &&
    ['extension-apiserver-authentication', 'kube-apiserver-legacy-service-account-token-tracking'].includes(
      object.metadata.name,
    ),
  'ClusterRole.rbac.authorization.k8s.io': isBootstrapRole,
  'ClusterRoleBinding.rbac.authorization.k8s.io': isBootstrapRole,
  'Role.rbac.authorization.k8s.io': isBootstrapRole,
  'RoleBinding.rbac.authorization.k8s.io': isBootstrapRole,
  'PriorityClass.scheduling.k8s.io': object => object.metadata.name.startsWith('system-'),
  'FlowSchema.flowcontrol.apiserver.k8s.io': isAutoUpdated,
  'PriorityLevelConfiguration.flowcontrol.apiserver.k8s.io': isAutoUpdated,
  'APIService.apiregistration.k8s.io': object =>
    stringAt(object, 'metadata', 'labels', 'kube-aggregator.kubernetes.io/automanaged') !== undefined,
};

/** Whether every API server makes the object for itself. */
export const isBuiltIn: Judge = object => BUILT_IN[groupKindOf(object)]?.(object) ?? false;

/** The target has these already, as its own version wants them. */
export const builtIn: Rule = {
  name: 'built-in',
  kinds: Object.keys(BUILT_IN),
  apply: object => (isBuiltIn(object) ? skip('the API server of the target makes its own') : undefined),
};
