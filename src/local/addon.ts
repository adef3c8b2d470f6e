import {mkdir, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import type {KubeObject} from '../cluster/object.ts';
import {BUSYBOX_IMAGE} from '../image/busybox.ts';
import {CLUSTER_DOMAIN, DNS_IP, type Layout} from './layout.ts';

/** Names in the cluster's RBAC of the programs that run beside it. */
export const COREDNS_USER = 'pra:coredns';
export const LOCAL_PATH_USER = 'pra:local-path';
export const ADMIN_GROUP = 'pra:cluster-admins';
export const KUBELET_API_GROUP = 'pra:kubelet-api-admins';

const rule = (apiGroups: string[], resources: string[], verbs: string[]) => ({apiGroups, resources, verbs});
const READ = ['get', 'list', 'watch'];

const clusterRole = (name: string, rules: object[]): KubeObject => ({
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'ClusterRole',
  metadata: {name},
  rules: JSON.parse(JSON.stringify(rules)),
});

const clusterRoleBinding = (name: string, role: string, kind: 'User' | 'Group'): KubeObject => ({
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'ClusterRoleBinding',
  metadata: {name: name.replaceAll(':', '-')},
  roleRef: {apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role},
  subjects: [{apiGroup: 'rbac.authorization.k8s.io', kind, name}],
});

/** What every local cluster has beyond an empty one: who may administer it, DNS, and a default StorageClass. */
export function addonObjects(nodeIp: string): KubeObject[] {
  return [
    clusterRoleBinding(ADMIN_GROUP, 'cluster-admin', 'Group'),
    clusterRoleBinding(KUBELET_API_GROUP, 'system:kubelet-api-admin', 'Group'),
    clusterRole('pra:coredns', [
      rule([''], ['services', 'namespaces', 'pods', 'endpoints'], READ),
      rule(['discovery.k8s.io'], ['endpointslices'], READ),
    ]),
    clusterRoleBinding(COREDNS_USER, 'pra:coredns', 'User'),
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: {name: 'kube-dns', namespace: 'kube-system', labels: {'kubernetes.io/name': 'CoreDNS'}},
      spec: {
        clusterIP: DNS_IP,
        ports: [
          {name: 'dns', port: 53, protocol: 'UDP'},
          {name: 'dns-tcp', port: 53, protocol: 'TCP'},
        ],
      },
    },
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {
        name: 'kube-dns',
        namespace: 'kube-system',
        labels: {'kubernetes.io/service-name': 'kube-dns'},
      },
      addressType: 'IPv4',
      endpoints: [{addresses: [nodeIp], conditions: {ready: true}}],
      ports: [
        {name: 'dns', port: 53, protocol: 'UDP'},
        {name: 'dns-tcp', port: 53, protocol: 'TCP'},
      ],
    },
  ];
}

const storageConfig = (layout: Layout) => ({
  nodePathMap: [{node: 'DEFAULT_PATH_FOR_NON_LISTED_NODES', paths: [join(layout.dir, 'volumes')]}],
});

/** The provisioner reads its paths from a file, the helper pods' scripts from the ConfigMap. */
export async function writeStorageConfig(layout: Layout): Promise<string> {
  const file = join(layout.etc, 'local-path.json');
  await writeFile(file, JSON.stringify(storageConfig(layout)), {mode: 0o600});
  return file;
}

/** The default StorageClass `local-path`: folders of the node, made and removed by helper pods. */
export function storageObjects(layout: Layout): KubeObject[] {
  return [
    {apiVersion: 'v1', kind: 'Namespace', metadata: {name: 'local-path-storage'}},
    clusterRole('pra:local-path', [
      rule([''], ['nodes', 'persistentvolumeclaims', 'configmaps', 'pods', 'pods/log'], READ),
      rule([''], ['persistentvolumes'], [...READ, 'create', 'delete', 'patch', 'update']),
      rule([''], ['pods'], ['create', 'delete']),
      rule([''], ['events'], ['create', 'patch']),
      rule([''], ['endpoints'], [...READ, 'create', 'update', 'patch']),
      rule(['coordination.k8s.io'], ['leases'], [...READ, 'create', 'update', 'patch']),
      rule(['storage.k8s.io'], ['storageclasses'], READ),
    ]),
    clusterRoleBinding(LOCAL_PATH_USER, 'pra:local-path', 'User'),
    {
      apiVersion: 'storage.k8s.io/v1',
      kind: 'StorageClass',
      metadata: {name: 'local-path', annotations: {'storageclass.kubernetes.io/is-default-class': 'true'}},
      provisioner: 'rancher.io/local-path',
      volumeBindingMode: 'WaitForFirstConsumer',
      reclaimPolicy: 'Delete',
    },
    {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: {name: 'local-path-provisioner-service-account', namespace: 'local-path-storage'},
      automountServiceAccountToken: false,
    },
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {name: 'local-path-config', namespace: 'local-path-storage'},
      data: {
        'config.json': JSON.stringify(storageConfig(layout)),
        setup: '#!/bin/sh\nset -eu\nmkdir -m 0777 -p "$VOL_DIR"\n',
        teardown: '#!/bin/sh\nset -eu\nrm -rf "$VOL_DIR"\n',
        'helperPod.yaml': JSON.stringify({
          apiVersion: 'v1',
          kind: 'Pod',
          metadata: {name: 'helper-pod'},
          spec: {
            automountServiceAccountToken: false,
            containers: [{name: 'helper-pod', image: BUSYBOX_IMAGE, imagePullPolicy: 'IfNotPresent'}],
          },
        }),
      },
    },
  ];
}

/** CoreDNS runs beside the cluster, not in it: it answers for services and pods, and asks nobody else. */
export async function writeCorefile(layout: Layout, nodeIp: string, kubeconfig: string): Promise<string> {
  const file = join(layout.etc, 'Corefile');
  await mkdir(layout.etc, {recursive: true, mode: 0o700});
  await writeFile(
    file,
    `.:53 {
  bind ${nodeIp}
  errors
  kubernetes ${CLUSTER_DOMAIN} in-addr.arpa ip6.arpa {
    kubeconfig ${kubeconfig}
    pods insecure
    ttl 5
  }
}
`,
    {mode: 0o600},
  );
  return file;
}
