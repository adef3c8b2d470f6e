/** The official release of a program; `{arch}` is amd64 or arm64. */
export interface ToolRelease {
  url: string;
  /** A file with the bare SHA-256, or with lines of `SHA-256  file name`. */
  sha256Url: string;
  /** Path of the program in the archive, when the release is a tar.gz. */
  member?: string;
}

/** A program that pra can obtain by itself. */
export interface ToolSpec {
  name: string;
  /** The version that is built or downloaded. */
  version: string;
  /** Folder of its Go module under terraform/local/binaries. */
  module: string;
  /** Package that is built. */
  package: string;
  ldflags?: string;
  /** Only where the project publishes checksums. */
  download?: ToolRelease;
  /** A program of this name on PATH is good enough when its `--version` shows this. */
  onPath?: RegExp;
  /** Also looked for in the folder that KUBEBUILDER_ASSETS names, as controller-runtime's envtest does. */
  assets?: boolean;
}

const KUBERNETES = 'v1.34.4';
const ETCD = 'v3.6.16';
const COREDNS = '1.15.0';
const TOFU = '1.12.6';
const MOVER_RESTIC = 'v0.18.1';
/** Of terraform/local/binaries/mover: it ends with a digest of the sources, since the cache keeps programs by their version. */
export const MOVER = '4-c5f0c216';
export const MOVER_VERSION = `${MOVER_RESTIC.slice(1)}-${MOVER}`;

const kubernetesFlags = [`gitVersion=${KUBERNETES}`, 'gitMajor=1', 'gitMinor=34']
  .map(flag => `-X k8s.io/component-base/version.${flag}`)
  .join(' ');

const kubernetes = (name: string): ToolSpec => ({
  name,
  version: KUBERNETES,
  module: 'kubernetes',
  package: `k8s.io/kubernetes/cmd/${name}`,
  ldflags: kubernetesFlags,
  download: {
    url: `https://dl.k8s.io/release/${KUBERNETES}/bin/linux/{arch}/${name}`,
    sha256Url: `https://dl.k8s.io/release/${KUBERNETES}/bin/linux/{arch}/${name}.sha256`,
  },
  // Any patch of the same minor: the parts of one cluster may differ by no more.
  onPath: /\bv1\.34\.\d+/,
  assets: true,
});

const externalSnapshotter = (name: string): ToolSpec => ({
  name,
  version: 'v8.7.0',
  module: 'external-snapshotter',
  package: `github.com/kubernetes-csi/external-snapshotter/v8/cmd/${name}`,
});

const etcdRelease = `https://github.com/etcd-io/etcd/releases/download/${ETCD}`;
const corednsRelease = `https://github.com/coredns/coredns/releases/download/v${COREDNS}/coredns_${COREDNS}_linux_{arch}.tgz`;
const tofuRelease = `https://github.com/opentofu/opentofu/releases/download/v${TOFU}/tofu_${TOFU}`;

/** Everything that can be built from the Go modules that this project pins. */
export const BUILT_TOOLS: readonly ToolSpec[] = [
  ...['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubelet', 'kube-proxy'].map(kubernetes),
  {
    name: 'etcd',
    version: ETCD,
    module: 'etcd',
    package: 'go.etcd.io/etcd/server/v3',
    download: {
      url: `${etcdRelease}/etcd-${ETCD}-linux-{arch}.tar.gz`,
      sha256Url: `${etcdRelease}/SHA256SUMS`,
      member: `etcd-${ETCD}-linux-{arch}/etcd`,
    },
    onPath: /etcd Version: 3\.[56]\./,
    assets: true,
  },
  {
    name: 'coredns',
    version: `v${COREDNS}`,
    module: 'coredns',
    package: 'github.com/coredns/coredns',
    download: {url: corednsRelease, sha256Url: `${corednsRelease}.sha256`, member: 'coredns'},
    onPath: /CoreDNS-1\.1\d\./,
  },
  {
    name: 'local-path-provisioner',
    version: 'v0.0.30',
    module: 'local-path-provisioner',
    package: 'github.com/rancher/local-path-provisioner',
  },
  {name: 'pra-mover', version: MOVER, module: 'mover', package: '.'},
  {
    name: 'mover-restic',
    version: MOVER_RESTIC,
    module: 'restic',
    package: 'github.com/restic/restic/cmd/restic',
  },
  {name: 'kwok', version: 'v0.8.0', module: 'kwok', package: 'sigs.k8s.io/kwok/cmd/kwok'},
  {
    name: 'versitygw',
    version: 'v1.8.0',
    module: 'versitygw',
    package: 'github.com/versity/versitygw/cmd/versitygw',
  },
  ...['snapshot-controller', 'csi-snapshotter'].map(externalSnapshotter),
  {
    name: 'csi-provisioner',
    version: 'v6.4.0',
    module: 'external-provisioner',
    package: 'github.com/kubernetes-csi/external-provisioner/v6/cmd/csi-provisioner',
  },
  {
    name: 'tofu',
    version: `v${TOFU}`,
    module: 'opentofu',
    package: 'github.com/opentofu/opentofu/cmd/tofu',
    ldflags: '-X github.com/opentofu/opentofu/version.dev=no',
    download: {
      url: `${tofuRelease}_linux_{arch}.tar.gz`,
      sha256Url: `${tofuRelease}_SHA256SUMS`,
      member: 'tofu',
    },
    onPath: /OpenTofu v1\.([6-9]|\d\d)\./,
  },
];

/** A program that comes with the system. */
export interface SystemTool {
  name: string;
  /** The Debian package that has it. */
  package: string;
  /** Lowest version that works, of those that `versionArgs` print. */
  lowest?: string;
  versionArgs?: readonly string[];
  /** It is copied into images, where there are no libraries. */
  isStatic?: true;
}

/** What pra itself runs, whatever the target. 0.14 is the first restic with compression and the JSON output that pra reads. */
export const RESTIC: SystemTool = {
  name: 'restic',
  package: 'restic',
  lowest: '0.14.0',
  versionArgs: ['version'],
};

/** What the local target runs, besides the programs that can be built. */
export const NODE_TOOLS: readonly SystemTool[] = [
  {name: 'containerd', package: 'containerd', lowest: '1.6.0', versionArgs: ['--version']},
  {name: 'ctr', package: 'containerd'},
  {name: 'runc', package: 'runc', lowest: '1.1.0', versionArgs: ['--version']},
  {name: 'ip', package: 'iproute2'},
  {name: 'iptables', package: 'iptables'},
  {name: 'conntrack', package: 'conntrack'},
  {name: 'busybox', package: 'busybox-static', isStatic: true},
  {name: 'nsenter', package: 'util-linux'},
  {name: 'mount', package: 'mount'},
  {name: 'sysctl', package: 'procps'},
  {name: 'openssl', package: 'openssl'},
  {name: 'tar', package: 'tar'},
];

/** CNI plugins have no program on PATH; Debian puts them here. */
export const CNI = {folder: '/usr/lib/cni', plugin: 'bridge', package: 'containernetworking-plugins'};

/** Programs of the local target that can be built. */
export const CLUSTER_TOOLS = [
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kubelet',
  'kube-proxy',
  'etcd',
  'coredns',
  'local-path-provisioner',
] as const;

/** What is in the image of the pods that read and fill volumes. */
export const MOVER_TOOLS = ['pra-mover', 'mover-restic'] as const;

/** Programs that only the tests and simulated nodes need. */
export const TEST_TOOLS = [
  'kwok',
  'versitygw',
  'snapshot-controller',
  'csi-snapshotter',
  'csi-provisioner',
] as const;

/** For the tests: databases, from packages that start no service; what compares trees; what a driver of volumes needs. */
export const TEST_PROGRAMS: readonly SystemTool[] = [
  {name: 'mariadbd', package: 'mariadb-server-core'},
  {name: 'mariadb-dump', package: 'mariadb-client'},
  {name: 'redis-cli', package: 'redis-tools'},
  // The server of Redis under another name: the package redis-server adds but a link, and a service.
  {name: 'redis-check-rdb', package: 'redis-tools'},
  {name: 'rsync', package: 'rsync'},
  {name: 'setfattr', package: 'attr'},
  {name: 'mkfs.ext4', package: 'e2fsprogs'},
  {name: 'fsfreeze', package: 'util-linux'},
];
