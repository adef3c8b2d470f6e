/** A program that pra needs and where it may come from. */
export interface ToolSpec {
  name: string;
  /** The version that is built or downloaded. */
  version: string;
  /** Folder of its Go module under terraform/local/binaries. */
  module: string;
  /** Package that is built. */
  package: string;
  ldflags?: string;
  /** Official release of one file and its checksum, where there is one; `{arch}` is amd64 or arm64. */
  download?: {url: string; sha256Url: string};
  /** A program of this name on PATH is good enough when its `--version` shows this. */
  onPath?: RegExp;
  /** Environment variable that names a folder of programs, as for controller-runtime's envtest. */
  assets?: boolean;
}

const KUBERNETES = 'v1.34.4';
const kubernetesFlags = ['gitVersion=v1.34.4', 'gitMajor=1', 'gitMinor=34']
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
  onPath: /v1\.34\./,
  assets: true,
});

/** Everything that can be built from the Go modules that this project pins. */
export const BUILT_TOOLS: readonly ToolSpec[] = [
  ...['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubelet', 'kube-proxy'].map(kubernetes),
  {
    name: 'etcd',
    version: 'v3.6.16',
    module: 'etcd',
    package: 'go.etcd.io/etcd/server/v3',
    onPath: /etcd Version: 3\.[56]\./,
    assets: true,
  },
  {name: 'coredns', version: 'v1.15.0', module: 'coredns', package: 'github.com/coredns/coredns'},
  {
    name: 'local-path-provisioner',
    version: 'v0.0.30',
    module: 'local-path-provisioner',
    package: 'github.com/rancher/local-path-provisioner',
  },
  {name: 'kwok', version: 'v0.8.0', module: 'kwok', package: 'sigs.k8s.io/kwok/cmd/kwok'},
  {
    name: 'versitygw',
    version: 'v1.8.0',
    module: 'versitygw',
    package: 'github.com/versity/versitygw/cmd/versitygw',
  },
];

/** Programs that come with the system, and the Debian package that has each. */
export const SYSTEM_TOOLS: Readonly<Record<string, string>> = {
  containerd: 'containerd',
  ctr: 'containerd',
  runc: 'runc',
  ip: 'iproute2',
  iptables: 'iptables',
  conntrack: 'conntrack',
  busybox: 'busybox-static',
  restic: 'restic',
  nsenter: 'util-linux',
  openssl: 'openssl',
};

/** What each use of pra needs. */
export const NEEDS = {
  cluster: [
    'kube-apiserver',
    'kube-controller-manager',
    'kube-scheduler',
    'kubelet',
    'kube-proxy',
    'etcd',
    'coredns',
    'local-path-provisioner',
  ],
  tests: ['kwok', 'versitygw'],
} as const;

/** CNI plugins have no program on PATH; Debian puts them here. */
export const CNI = {folder: '/usr/lib/cni', package: 'containernetworking-plugins'};
