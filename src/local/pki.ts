import {randomBytes} from 'node:crypto';
import {mkdir, readFile, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {PraError} from '../errors.ts';
import {runProcess} from '../std/process.ts';
import {SERVICE_IP} from './layout.ts';

const DAYS = '30';
const CURVE = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

export interface KeyPair {
  cert: string;
  key: string;
}

export interface Pki {
  ca: KeyPair;
  etcdCa: KeyPair;
  frontProxyCa: KeyPair;
  etcd: KeyPair;
  apiServerEtcdClient: KeyPair;
  apiServer: KeyPair;
  apiServerKubeletClient: KeyPair;
  frontProxyClient: KeyPair;
  kubelet: KeyPair;
  /** Signs tokens; `.cert` is the bare public key. */
  serviceAccount: KeyPair;
  encryptionKey: string;
  /** A client certificate for a user of the API server. */
  client(name: string, commonName: string, organization?: string): Promise<KeyPair>;
}

/** Makes all keys and certificates of one cluster with openssl: three authorities, so that none can speak for another. */
export async function makePki(
  dir: string,
  nodeName: string,
  nodeIp: string,
  signal: AbortSignal,
): Promise<Pki> {
  await mkdir(dir, {recursive: true, mode: 0o700});
  const [ca, etcdCa, frontProxyCa] = await Promise.all(
    ['ca', 'etcd-ca', 'front-proxy-ca'].map(name => makeAuthority(dir, name, signal)),
  );
  if (!ca || !etcdCa || !frontProxyCa) throw new PraError('BUG', 'an authority was not made');
  const serving = (names: string[]) => [
    `subjectAltName=${names.join(',')}`,
    'extendedKeyUsage=serverAuth,clientAuth',
  ];
  const clientUse = ['extendedKeyUsage=clientAuth'];
  const apiNames = [
    ...[
      'kubernetes',
      'kubernetes.default',
      'kubernetes.default.svc',
      'kubernetes.default.svc.cluster.local',
    ].map(name => `DNS:${name}`),
    ...[nodeIp, SERVICE_IP, '127.0.0.1'].map(ip => `IP:${ip}`),
  ];
  const issue = (name: string, subject: string, by: KeyPair, extensions: string[]) =>
    makeCertificate({dir, name, subject, by, extensions, signal});
  const [
    etcd,
    apiServerEtcdClient,
    apiServer,
    apiServerKubeletClient,
    frontProxyClient,
    kubelet,
    serviceAccount,
  ] = await Promise.all([
    issue('etcd', '/CN=etcd', etcdCa, serving(['IP:127.0.0.1', 'DNS:localhost'])),
    issue('apiserver-etcd-client', '/CN=kube-apiserver-etcd-client', etcdCa, clientUse),
    issue('apiserver', '/CN=kube-apiserver', ca, serving(apiNames)),
    issue(
      'apiserver-kubelet-client',
      '/O=pra:kubelet-api-admins/CN=kube-apiserver-kubelet-client',
      ca,
      clientUse,
    ),
    issue('front-proxy-client', '/CN=front-proxy-client', frontProxyCa, clientUse),
    issue(
      'kubelet',
      `/O=system:nodes/CN=system:node:${nodeName}`,
      ca,
      serving([`IP:${nodeIp}`, `DNS:${nodeName}`]),
    ),
    makeSigningKey(dir, signal),
  ]);
  return {
    ca,
    etcdCa,
    frontProxyCa,
    etcd,
    apiServerEtcdClient,
    apiServer,
    apiServerKubeletClient,
    frontProxyClient,
    kubelet,
    serviceAccount,
    encryptionKey: randomBytes(32).toString('base64'),
    client: (name, commonName, organization) =>
      issue(
        `client-${name}`,
        organization === undefined ? `/CN=${commonName}` : `/O=${organization}/CN=${commonName}`,
        ca,
        clientUse,
      ),
  };
}

async function makeSigningKey(dir: string, signal: AbortSignal): Promise<KeyPair> {
  const pair = {cert: join(dir, 'service-account.pub'), key: join(dir, 'service-account.key')};
  const curve = ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  await runProcess('openssl', ['genpkey', ...curve, '-out', pair.key], {signal});
  await runProcess('openssl', ['pkey', '-in', pair.key, '-pubout', '-out', pair.cert], {signal});
  return pair;
}

async function makeAuthority(dir: string, name: string, signal: AbortSignal): Promise<KeyPair> {
  const pair = {cert: join(dir, `${name}.crt`), key: join(dir, `${name}.key`)};
  await runProcess(
    'openssl',
    [
      'req',
      '-x509',
      ...CURVE,
      '-keyout',
      pair.key,
      '-out',
      pair.cert,
      '-days',
      DAYS,
      '-subj',
      `/CN=${name}`,
      '-addext',
      'keyUsage=critical,keyCertSign,cRLSign',
    ],
    {signal},
  );
  return pair;
}

interface CertificateRequest {
  dir: string;
  name: string;
  subject: string;
  by: KeyPair;
  extensions: string[];
  signal: AbortSignal;
}

async function makeCertificate({
  dir,
  name,
  subject,
  by,
  extensions,
  signal,
}: CertificateRequest): Promise<KeyPair> {
  const pair = {cert: join(dir, `${name}.crt`), key: join(dir, `${name}.key`)};
  const added = [
    'basicConstraints=critical,CA:FALSE',
    'keyUsage=critical,digitalSignature',
    ...extensions,
  ].flatMap(text => ['-addext', text]);
  await runProcess(
    'openssl',
    [
      'req',
      '-x509',
      ...CURVE,
      '-CA',
      by.cert,
      '-CAkey',
      by.key,
      '-keyout',
      pair.key,
      '-out',
      pair.cert,
      '-days',
      DAYS,
      '-subj',
      subject,
      ...added,
    ],
    {signal},
  );
  return pair;
}

/** Writes a kubeconfig, 0600, with the credentials inside, so that the file can be moved. */
export async function writeKubeconfig(
  file: string,
  options: {server: string; ca: string; client: KeyPair; user: string; cluster: string},
): Promise<void> {
  const data = async (path: string) => (await readFile(path)).toString('base64');
  const {cluster, user, server} = options;
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{name: cluster, cluster: {server, 'certificate-authority-data': await data(options.ca)}}],
    users: [
      {
        name: user,
        user: {
          'client-certificate-data': await data(options.client.cert),
          'client-key-data': await data(options.client.key),
        },
      },
    ],
    contexts: [{name: cluster, context: {cluster, user}}],
    'current-context': cluster,
  };
  await writeFile(file, JSON.stringify(config, undefined, 2), {mode: 0o600});
}
