import {mkdir, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {PAUSE_IMAGE} from '../image/busybox.ts';
import {runProcess} from '../std/process.ts';
import {CNI} from '../tool/catalogue.ts';
import {CLUSTER_DOMAIN, DNS_IP, type Layout, POD_CIDR} from './layout.ts';
import type {Pki} from './pki.ts';

export interface NodeOptions {
  layout: Layout;
  pki: Pki;
  nodeIp: string;
}

/** The only node of the cluster. */
export const NODE_NAME = 'node-1';
const SNAPSHOTTER = 'overlayfs';

export const containerdSocket = (layout: Layout) => join(layout.run, 'containerd.sock');

/** containerd with a root, state and socket of its own, and the bridge network of the node. */
export async function writeContainerdConfig(layout: Layout): Promise<string> {
  const file = join(layout.etc, 'containerd.toml');
  const cni = join(layout.etc, 'cni');
  await mkdir(cni, {recursive: true, mode: 0o700});
  const network = {
    cniVersion: '1.0.0',
    name: 'pods',
    plugins: [
      {
        type: 'bridge',
        bridge: 'cni0',
        isGateway: true,
        ipMasq: true,
        hairpinMode: true,
        ipam: {
          type: 'host-local',
          ranges: [[{subnet: POD_CIDR}]],
          routes: [{dst: '0.0.0.0/0'}],
          dataDir: join(layout.dir, 'cni'),
        },
      },
      {type: 'portmap', capabilities: {portMappings: true}},
    ],
  };
  await writeFile(join(cni, '10-pods.conflist'), JSON.stringify(network), {mode: 0o600});
  // restrict_oom_score_adj: where CAP_SYS_RESOURCE is missing, runc cannot lower the score and fails.
  await writeFile(
    file,
    `version = 2
root = "${join(layout.dir, 'containerd')}"
state = "${join(layout.run, 'containerd')}"
[grpc]
  address = "${containerdSocket(layout)}"
[plugins."io.containerd.internal.v1.opt"]
  path = "${join(layout.dir, 'opt')}"
[plugins."io.containerd.nri.v1.nri"]
  disable = true
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  # Under the state folder of this cluster, where the removal finds them.
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${CNI.folder}"
    conf_dir = "${cni}"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "${SNAPSHOTTER}"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
`,
    {mode: 0o600},
  );
  return file;
}

/** Imports a docker-archive into the cluster's containerd, from its network namespace, where a removal finds the import. */
export async function importImage(layout: Layout, archive: string, signal: AbortSignal): Promise<void> {
  await runProcess(
    'nsenter',
    [
      `--net=${layout.netnsPath}`,
      '--',
      'ctr',
      '-a',
      containerdSocket(layout),
      '-n',
      'k8s.io',
      'images',
      'import',
      '--snapshotter',
      SNAPSHOTTER,
      archive,
    ],
    {signal, timeoutMs: 120_000},
  );
}

/** The kubelet's configuration: no anonymous access, its API only for the API server, no read-only port. */
export async function writeKubeletConfig({layout, pki, nodeIp}: NodeOptions): Promise<string> {
  const file = join(layout.etc, 'kubelet.json');
  const config = {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    address: nodeIp,
    authentication: {
      anonymous: {enabled: false},
      webhook: {enabled: true},
      x509: {clientCAFile: pki.ca.cert},
    },
    authorization: {mode: 'Webhook'},
    readOnlyPort: 0,
    healthzPort: 0,
    tlsCertFile: pki.kubelet.cert,
    tlsPrivateKeyFile: pki.kubelet.key,
    tlsMinVersion: 'VersionTLS12',
    clusterDNS: [DNS_IP],
    clusterDomain: CLUSTER_DOMAIN,
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${layout.cgroup}`,
    enforceNodeAllocatable: [],
    failCgroupV1: false,
    failSwapOn: false,
    // It finds the settings that it wants in its own mounts and fails rather than change those of the machine.
    protectKernelDefaults: true,
    makeIPTablesUtilChains: true,
    resolvConf: '',
    containerRuntimeEndpoint: `unix://${containerdSocket(layout)}`,
    seccompDefault: true,
    podLogsDir: join(layout.dir, 'pod-logs'),
    volumePluginDir: join(layout.dir, 'volume-plugins'),
    kubeAPIQPS: 500,
    kubeAPIBurst: 1000,
    // A drill measures; a pod that was pulled back must be seen at once.
    syncFrequency: '10s',
    nodeStatusUpdateFrequency: '5s',
    imageGCHighThresholdPercent: 100,
    evictionHard: {
      'memory.available': '50Mi',
      'nodefs.available': '1%',
      'imagefs.available': '1%',
      'nodefs.inodesFree': '1%',
    },
  };
  await writeFile(file, JSON.stringify(config, undefined, 2), {mode: 0o600});
  return file;
}

export function kubeletArgs({layout, nodeIp}: NodeOptions, config: string, kubeconfig: string): string[] {
  return [
    `--config=${config}`,
    `--kubeconfig=${kubeconfig}`,
    `--root-dir=${join(layout.dir, 'kubelet')}`,
    `--cert-dir=${join(layout.dir, 'kubelet-pki')}`,
    `--hostname-override=${NODE_NAME}`,
    `--node-ip=${nodeIp}`,
  ];
}

export async function writeProxyConfig({layout}: NodeOptions, kubeconfig: string): Promise<string> {
  const file = join(layout.etc, 'kube-proxy.json');
  const config = {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    clientConnection: {kubeconfig},
    mode: 'iptables',
    clusterCIDR: POD_CIDR,
    hostnameOverride: NODE_NAME,
    conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s'},
    // With node ports on localhost, pods could reach what listens there, etcd among it.
    iptables: {minSyncPeriod: '100ms', syncPeriod: '30s', localhostNodePorts: false},
    healthzBindAddress: '127.0.0.1:10256',
    metricsBindAddress: '127.0.0.1:10249',
  };
  await writeFile(file, JSON.stringify(config, undefined, 2), {mode: 0o600});
  return file;
}
