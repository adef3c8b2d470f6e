import {readFile, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {applyObject} from '../cluster/apply.ts';
import type {Cluster} from '../cluster/client.ts';
import {discoverResources} from '../cluster/discover.ts';
import type {KubeObject} from '../cluster/object.ts';
import {ResourceMap} from '../cluster/resource-map.ts';
import {BUSYBOX_IMAGE} from '../image/busybox.ts';
import {CLUSTER_DOMAIN, DNS_IP, type Layout} from './layout.ts';
import type {LocalState} from './state.ts';

/** Names in the cluster's RBAC of the programs that run beside it. */
export const COREDNS_USER = 'pra:coredns';
export const LOCAL_PATH_USER = 'pra:local-path';
export const ADMIN_GROUP = 'pra:cluster-admins';
const KUBELET_API_GROUP = 'pra:kubelet-api-admins';

const STORAGE_NAMESPACE = 'local-path-storage';

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

/** Makes what every local cluster has beyond an empty one: who may administer it, DNS, and a default StorageClass. */
export async function createAddons(
  admin: Cluster,
  options: {layout: Layout; nodeIp: string; node: LocalState['node']; signal: AbortSignal},
): Promise<void> {
  const {signal} = options;
  const types = new ResourceMap(await discoverResources(admin, {signal}));
  const storage = options.node === 'kubelet' ? storageObjects(options.layout) : [];
  const create = (object: KubeObject) => applyObject(admin, types.of(object), object, {signal});
  const isNamespace = (object: KubeObject) => object.kind === 'Namespace';
  await Promise.all(storage.filter(isNamespace).map(create));
  const rest = storage.filter(object => !isNamespace(object));
  await Promise.all([...addonObjects(options.nodeIp), ...rest].map(create));
}

/** Who may administer the cluster, and DNS. */
function addonObjects(nodeIp: string): KubeObject[] {
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
function storageObjects(layout: Layout): KubeObject[] {
  return [
    {apiVersion: 'v1', kind: 'Namespace', metadata: {name: STORAGE_NAMESPACE}},
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
      metadata: {name: 'local-path-provisioner-service-account', namespace: STORAGE_NAMESPACE},
      automountServiceAccountToken: false,
    },
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {name: 'local-path-config', namespace: STORAGE_NAMESPACE},
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

/** How the provisioner is started: outside the cluster, with its paths from a file. */
export const localPathArgs = (config: string, kubeconfig: string) => [
  'start',
  `--config=${config}`,
  `--kubeconfig=${kubeconfig}`,
  `--namespace=${STORAGE_NAMESPACE}`,
  `--helper-image=${BUSYBOX_IMAGE}`,
  '--service-account-name=local-path-provisioner-service-account',
  '--configmap-name=local-path-config',
];

/** CoreDNS runs beside the cluster, not in it. It answers for the cluster, and asks others only where there is a way out. */
export async function writeCorefile(
  layout: Layout,
  options: {nodeIp: string; kubeconfig: string; isolated: boolean},
): Promise<string> {
  const file = join(layout.etc, 'Corefile');
  const servers = options.isolated ? [] : await nameServers();
  const lines = [
    `bind ${options.nodeIp}`,
    'errors',
    `kubernetes ${CLUSTER_DOMAIN} in-addr.arpa ip6.arpa {`,
    `  kubeconfig ${options.kubeconfig}`,
    '  pods insecure',
    '  ttl 5',
    '}',
    ...(servers.length > 0 ? [`forward . ${servers.join(' ')}`] : []),
  ];
  await writeFile(file, `.:53 {\n${lines.map(line => `  ${line}\n`).join('')}}\n`, {mode: 0o600});
  return file;
}

/** Those of the host that can be reached from elsewhere; a stub on the loopback cannot. */
async function nameServers(): Promise<string[]> {
  for (const file of ['/etc/resolv.conf', '/run/systemd/resolve/resolv.conf']) {
    const text = await readFile(file, 'utf8').catch(() => '');
    const found = [...text.matchAll(/^nameserver\s+(\d+\.\d+\.\d+\.\d+)/gm)].map(match => match[1] ?? '');
    const reachable = found.filter(server => !server.startsWith('127.'));
    if (reachable.length > 0) return reachable;
  }
  return [];
}
