import {expect, test} from 'vitest';
import type {KubeObject} from '../../src/cluster/object.ts';
import {ReferenceCollector} from '../../src/snapshot/referenced.ts';
import {entry, kubeObject, workload} from '../restore/objects.ts';

const RBAC = 'rbac.authorization.k8s.io/v1';
const binding = (name: string, role: string, account: string) =>
  kubeObject(RBAC, 'ClusterRoleBinding', name, {
    roleRef: {kind: 'ClusterRole', name: role},
    subjects: [{kind: 'ServiceAccount', namespace: 'shop', name: account}],
  });
const role = (name: string, labels = {}, rest = {}) =>
  kubeObject(RBAC, 'ClusterRole', name, {metadata: {labels}, ...rest});

/** Names of the cluster-scoped objects that belong to a snapshot of the namespaced ones. */
function closure(namespaced: readonly KubeObject[], clusterScoped: readonly KubeObject[]): string[] {
  const collector = new ReferenceCollector();
  for (const object of namespaced) collector.note(object, entry(object).type);
  return collector.select(clusterScoped.map(entry)).map(({object}) => object.metadata.name);
}

test.each<[string, KubeObject, KubeObject]>([
  [
    'definition',
    kubeObject('shop.example/v1', 'Cart', 'c'),
    kubeObject('apiextensions.k8s.io/v1', 'CustomResourceDefinition', 'carts.shop.example'),
  ],
  [
    'storage class of a claim',
    kubeObject('v1', 'PersistentVolumeClaim', 'c', {spec: {storageClassName: 'fast'}}),
    kubeObject('storage.k8s.io/v1', 'StorageClass', 'fast'),
  ],
  [
    'storage class of a claim template',
    workload('StatefulSet', 's', {}, {volumeClaimTemplates: [{spec: {storageClassName: 'fast'}}]}),
    kubeObject('storage.k8s.io/v1', 'StorageClass', 'fast'),
  ],
  [
    'volume of a claim',
    kubeObject('v1', 'PersistentVolumeClaim', 'c'),
    kubeObject('v1', 'PersistentVolume', 'pv', {spec: {claimRef: {namespace: 'shop', name: 'c'}}}),
  ],
  [
    'priority class',
    workload('Deployment', 'd', {priorityClassName: 'urgent'}),
    kubeObject('scheduling.k8s.io/v1', 'PriorityClass', 'urgent'),
  ],
  [
    'runtime class',
    workload('Deployment', 'd', {runtimeClassName: 'gvisor'}),
    kubeObject('node.k8s.io/v1', 'RuntimeClass', 'gvisor'),
  ],
  [
    'ingress class',
    kubeObject('networking.k8s.io/v1', 'Ingress', 'i', {spec: {ingressClassName: 'nginx'}}),
    kubeObject('networking.k8s.io/v1', 'IngressClass', 'nginx'),
  ],
  [
    'cluster role of a role binding',
    kubeObject(RBAC, 'RoleBinding', 'r', {roleRef: {kind: 'ClusterRole', name: 'reader'}}),
    role('reader'),
  ],
  [
    'webhook of a service',
    kubeObject('v1', 'Service', 'hook'),
    kubeObject('admissionregistration.k8s.io/v1', 'ValidatingWebhookConfiguration', 'w', {
      webhooks: [{clientConfig: {service: {namespace: 'shop', name: 'hook'}}}],
    }),
  ],
  [
    'API of a service',
    kubeObject('v1', 'Service', 'api'),
    kubeObject('apiregistration.k8s.io/v1', 'APIService', 'v1.x', {
      spec: {service: {namespace: 'shop', name: 'api'}},
    }),
  ],
  [
    'issuer beside certificates',
    kubeObject('cert-manager.io/v1', 'Certificate', 'c'),
    kubeObject('cert-manager.io/v1', 'ClusterIssuer', 'le'),
  ],
])('the %s is referenced, and without the reference it is not', (_, object, needed) => {
  expect(closure([object], [needed])).toEqual([needed.metadata.name]);
  expect(closure([kubeObject('v1', 'ConfigMap', 'c')], [needed])).toEqual([]);
});

test('a role is found through the binding of a captured account, and what it is aggregated of with it', () => {
  const aggregated = role(
    'all',
    {},
    {aggregationRule: {clusterRoleSelectors: [{matchLabels: {part: 'yes'}}]}},
  );
  const part = role(
    'part',
    {part: 'yes'},
    {aggregationRule: {clusterRoleSelectors: [{matchLabels: {deep: 'yes'}}]}},
  );
  const objects = [
    binding('mine', 'all', 'web'),
    binding('other', 'unrelated', 'someone'),
    aggregated,
    part,
    role('deep', {deep: 'yes'}),
    role('unrelated'),
  ];
  expect(closure([kubeObject('v1', 'ServiceAccount', 'web')], objects)).toEqual([
    'mine',
    'all',
    'part',
    'deep',
  ]);
});
