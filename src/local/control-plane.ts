import {writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {type Layout, POD_CIDR, SERVICE_CIDR} from './layout.ts';
import type {Pki} from './pki.ts';

export interface ControlPlaneOptions {
  layout: Layout;
  pki: Pki;
  nodeIp: string;
}

const CIPHERS = 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384';

/** etcd with TLS and client certificates: a pod on the host's network must not read the cluster's secrets from it. */
export function etcdArgs({layout, pki}: ControlPlaneOptions): string[] {
  return [
    '--name=local',
    `--data-dir=${join(layout.dir, 'etcd')}`,
    '--listen-client-urls=https://127.0.0.1:2379',
    '--advertise-client-urls=https://127.0.0.1:2379',
    '--listen-peer-urls=https://127.0.0.1:2380',
    '--initial-advertise-peer-urls=https://127.0.0.1:2380',
    '--initial-cluster=local=https://127.0.0.1:2380',
    `--cert-file=${pki.etcd.cert}`,
    `--key-file=${pki.etcd.key}`,
    `--trusted-ca-file=${pki.etcdCa.cert}`,
    '--client-cert-auth',
    `--peer-cert-file=${pki.etcd.cert}`,
    `--peer-key-file=${pki.etcd.key}`,
    `--peer-trusted-ca-file=${pki.etcdCa.cert}`,
    '--peer-client-cert-auth',
    // A drill's cluster lives for minutes; what it holds comes from a snapshot that is safe elsewhere.
    '--unsafe-no-fsync',
    '--log-level=warn',
  ];
}

/** The API server as the NSA/CISA guide wants it: no anonymous access, RBAC, an audit log, secrets encrypted at rest. */
export function apiServerArgs({layout, pki, nodeIp}: ControlPlaneOptions): string[] {
  return [
    `--bind-address=${nodeIp}`,
    `--advertise-address=${nodeIp}`,
    '--secure-port=6443',
    '--anonymous-auth=false',
    '--authorization-mode=Node,RBAC',
    '--enable-admission-plugins=NodeRestriction',
    `--admission-control-config-file=${join(layout.etc, 'admission.json')}`,
    '--allow-privileged=true',
    '--profiling=false',
    '--tls-min-version=VersionTLS12',
    `--tls-cipher-suites=${CIPHERS}`,
    `--tls-cert-file=${pki.apiServer.cert}`,
    `--tls-private-key-file=${pki.apiServer.key}`,
    `--client-ca-file=${pki.ca.cert}`,
    '--etcd-servers=https://127.0.0.1:2379',
    `--etcd-cafile=${pki.etcdCa.cert}`,
    `--etcd-certfile=${pki.apiServerEtcdClient.cert}`,
    `--etcd-keyfile=${pki.apiServerEtcdClient.key}`,
    `--kubelet-certificate-authority=${pki.ca.cert}`,
    `--kubelet-client-certificate=${pki.apiServerKubeletClient.cert}`,
    `--kubelet-client-key=${pki.apiServerKubeletClient.key}`,
    '--kubelet-preferred-address-types=InternalIP',
    `--requestheader-client-ca-file=${pki.frontProxyCa.cert}`,
    '--requestheader-allowed-names=front-proxy-client',
    '--requestheader-extra-headers-prefix=X-Remote-Extra-',
    '--requestheader-group-headers=X-Remote-Group',
    '--requestheader-username-headers=X-Remote-User',
    `--proxy-client-cert-file=${pki.frontProxyClient.cert}`,
    `--proxy-client-key-file=${pki.frontProxyClient.key}`,
    '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
    `--service-account-key-file=${pki.serviceAccount.cert}`,
    `--service-account-signing-key-file=${pki.serviceAccount.key}`,
    `--service-cluster-ip-range=${SERVICE_CIDR}`,
    `--encryption-provider-config=${join(layout.etc, 'encryption.json')}`,
    `--audit-policy-file=${join(layout.etc, 'audit-policy.json')}`,
    `--audit-log-path=${auditLog(layout)}`,
    '--audit-log-maxsize=100',
    '--audit-log-maxbackup=3',
  ];
}

/** Their own limit of 20 requests a second spreads the start of the controllers over 4 s, and a recovery over minutes. */
const UNHURRIED = ['--kube-api-qps=500', '--kube-api-burst=1000'];

export const auditLog = (layout: Layout) => join(layout.logs, 'audit.log');

export function controllerManagerArgs({layout, pki}: ControlPlaneOptions, kubeconfig: string): string[] {
  return [
    `--kubeconfig=${kubeconfig}`,
    `--authentication-kubeconfig=${kubeconfig}`,
    `--authorization-kubeconfig=${kubeconfig}`,
    '--bind-address=127.0.0.1',
    '--leader-elect=false',
    '--profiling=false',
    '--use-service-account-credentials=true',
    ...UNHURRIED,
    `--service-account-private-key-file=${pki.serviceAccount.key}`,
    `--root-ca-file=${pki.ca.cert}`,
    `--cluster-signing-cert-file=${pki.ca.cert}`,
    `--cluster-signing-key-file=${pki.ca.key}`,
    '--allocate-node-cidrs=true',
    `--cluster-cidr=${POD_CIDR}`,
    '--node-cidr-mask-size=24',
    `--cert-dir=${join(layout.dir, 'kcm')}`,
  ];
}

export function schedulerArgs({layout}: ControlPlaneOptions, kubeconfig: string): string[] {
  return [
    `--kubeconfig=${kubeconfig}`,
    `--authentication-kubeconfig=${kubeconfig}`,
    `--authorization-kubeconfig=${kubeconfig}`,
    '--bind-address=127.0.0.1',
    '--leader-elect=false',
    '--profiling=false',
    ...UNHURRIED,
    `--cert-dir=${join(layout.dir, 'scheduler')}`,
  ];
}

/** Namespaces of the cluster's own parts, whose pods need what Pod Security would deny. */
const EXEMPT = ['kube-system', 'local-path-storage'];

/** Writes what the API server reads at its start: encryption keys, audit policy, Pod Security defaults. */
export async function writeApiServerConfig({layout, pki}: ControlPlaneOptions): Promise<void> {
  const write = (name: string, value: unknown) =>
    writeFile(join(layout.etc, name), JSON.stringify(value, undefined, 2), {mode: 0o600});
  await write('encryption.json', {
    apiVersion: 'apiserver.config.k8s.io/v1',
    kind: 'EncryptionConfiguration',
    resources: [
      {
        resources: ['secrets'],
        providers: [{secretbox: {keys: [{name: 'key1', secret: pki.encryptionKey}]}}, {identity: {}}],
      },
    ],
  });
  await write('audit-policy.json', {
    apiVersion: 'audit.k8s.io/v1',
    kind: 'Policy',
    omitStages: ['RequestReceived'],
    rules: [
      {level: 'None', nonResourceURLs: ['/healthz*', '/livez*', '/readyz*', '/openapi/*']},
      {
        level: 'None',
        users: ['system:kube-scheduler', 'system:kube-controller-manager'],
        verbs: ['get', 'list', 'watch'],
      },
      {level: 'None', userGroups: ['system:nodes'], verbs: ['get', 'list', 'watch']},
      {
        level: 'None',
        resources: [
          {group: 'coordination.k8s.io', resources: ['leases']},
          {group: '', resources: ['events']},
        ],
      },
      {
        level: 'Metadata',
        resources: [{group: '', resources: ['secrets', 'configmaps', 'serviceaccounts/token']}],
      },
      {level: 'Metadata'},
    ],
  });
  await write('admission.json', {
    apiVersion: 'apiserver.config.k8s.io/v1',
    kind: 'AdmissionConfiguration',
    plugins: [
      {
        name: 'PodSecurity',
        configuration: {
          apiVersion: 'pod-security.admission.config.k8s.io/v1',
          kind: 'PodSecurityConfiguration',
          defaults: {
            enforce: 'baseline',
            'enforce-version': 'latest',
            audit: 'restricted',
            'audit-version': 'latest',
            warn: 'restricted',
            'warn-version': 'latest',
          },
          exemptions: {usernames: [], runtimeClasses: [], namespaces: EXEMPT},
        },
      },
    ],
  });
}
