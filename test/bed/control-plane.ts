import type {ChildProcess} from 'node:child_process';
import {existsSync} from 'node:fs';
import {mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {request} from 'node:https';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {cacheDir} from '../../src/std/paths.ts';
import {waitFor} from '../../src/std/wait.ts';
import {createAuthority, embedded, type TestAuthority} from './certificates.ts';
import {killChild, startChild} from './child.ts';
import {freePorts} from './free-ports.ts';

export interface ControlPlaneOptions {
  /** Added to the API server's flags; a repeated flag wins. */
  apiServerArgs?: readonly string[];
}

/** A real API server with its etcd and RBAC, on loopback. No controllers, no nodes. */
export interface ControlPlane {
  /** A kubeconfig file of an administrator. */
  kubeconfig: string;
  /** `https://127.0.0.1:PORT` */
  server: string;
  caFile: string;
  /** Client URL of its etcd. */
  etcd: string;
  /** Temporary folder, removed by `stop`. */
  dir: string;
  /** Writes a kubeconfig of another user, known by a client certificate. Such a user may do nothing until bound. */
  kubeconfigOf(user: string, groups?: readonly string[]): Promise<string>;
  /** Kills the processes and removes the folder. */
  stop(): Promise<void>;
}

const START_TIMEOUT_MS = 60_000;
const binary = (tool: string, version: string, name: string) =>
  join(cacheDir(), 'binaries', tool, version, name);

/** Starts etcd and kube-apiserver and waits until the API server is ready (about 3 s). */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const dir = await mkdtemp(join(tmpdir(), 'pra-control-plane-'));
  const authority = await createAuthority(join(dir, 'pki'));
  const [client = 0, peer = 0, secure = 0] = await freePorts(3);
  const processes: ChildProcess[] = [];
  const stop = async () => {
    await Promise.all(processes.map(killChild));
    await rm(dir, {recursive: true, force: true});
  };
  const server = `https://127.0.0.1:${secure}`;
  const kubeconfigOf = async (user: string, groups: readonly string[] = []) => {
    const file = join(dir, `${user.replaceAll(/[^a-z0-9]/gi, '-')}.kubeconfig`);
    await writeFile(file, await kubeconfigText(authority, server, user, groups), {mode: 0o600});
    return file;
  };
  try {
    processes.push(await start(dir, binary('etcd', 'v3.6.16', 'etcd'), etcdArgs(dir, client, peer)));
    const args = [...(await apiServerArgs(dir, authority, client, secure)), ...(options.apiServerArgs ?? [])];
    const apiServer = await start(dir, binary('kubernetes', 'v1.34.4', 'kube-apiserver'), args);
    processes.push(apiServer);
    const kubeconfig = await kubeconfigOf('admin', ['system:masters']);
    await untilReady(dir, server, authority.caFile, apiServer);
    return {
      kubeconfig,
      server,
      caFile: authority.caFile,
      etcd: `http://127.0.0.1:${client}`,
      dir,
      kubeconfigOf,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function etcdArgs(dir: string, client: number, peer: number): string[] {
  const [clientUrl, peerUrl] = [`http://127.0.0.1:${client}`, `http://127.0.0.1:${peer}`];
  return [
    `--data-dir=${join(dir, 'etcd')}`,
    `--listen-client-urls=${clientUrl}`,
    `--advertise-client-urls=${clientUrl}`,
    `--listen-peer-urls=${peerUrl}`,
    `--initial-advertise-peer-urls=${peerUrl}`,
    `--initial-cluster=default=${peerUrl}`,
    '--unsafe-no-fsync',
    '--log-level=error',
  ];
}

async function apiServerArgs(
  dir: string,
  authority: TestAuthority,
  etcd: number,
  secure: number,
): Promise<string[]> {
  const serving = await authority.issue({
    name: 'apiserver',
    commonName: 'kube-apiserver',
    subjectAltNames: ['IP:127.0.0.1', 'DNS:localhost'],
  });
  const accounts = await authority.issue({name: 'service-accounts', commonName: 'service-accounts'});
  return [
    `--etcd-servers=http://127.0.0.1:${etcd}`,
    '--bind-address=127.0.0.1',
    `--secure-port=${secure}`,
    // A loopback address is not allowed in Endpoints; nothing here follows the `kubernetes` Service.
    '--endpoint-reconciler-type=none',
    '--advertise-address=10.255.255.254',
    '--service-cluster-ip-range=10.96.0.0/16',
    `--cert-dir=${join(dir, 'run')}`,
    `--tls-cert-file=${serving.cert}`,
    `--tls-private-key-file=${serving.key}`,
    `--client-ca-file=${authority.caFile}`,
    '--anonymous-auth=false',
    '--authorization-mode=RBAC',
    // No controller makes `default` service accounts here, so pods could not be created.
    '--disable-admission-plugins=ServiceAccount',
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${accounts.cert}`,
    `--service-account-signing-key-file=${accounts.key}`,
  ];
}

async function start(dir: string, file: string, args: readonly string[]): Promise<ChildProcess> {
  if (!existsSync(file)) throw new Error(`${file} is missing: run \`bin/pra doctor --install\``);
  return startChild(file, args, {log: join(dir, `${file.slice(file.lastIndexOf('/') + 1)}.log`)});
}

async function kubeconfigText(
  authority: TestAuthority,
  server: string,
  user: string,
  groups: readonly string[],
): Promise<string> {
  const name = user.replaceAll(/[^a-z0-9]/gi, '-');
  const client = await authority.issue({name: `client-${name}`, commonName: user, organizations: groups});
  const credentials = {
    'client-certificate-data': await embedded(client.cert),
    'client-key-data': await embedded(client.key),
  };
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    clusters: [
      {name: 'test', cluster: {server, 'certificate-authority-data': await embedded(authority.caFile)}},
    ],
    users: [{name: user, user: credentials}],
    contexts: [{name: 'test', context: {cluster: 'test', user}}],
  });
}

async function untilReady(
  dir: string,
  server: string,
  caFile: string,
  apiServer: ChildProcess,
): Promise<void> {
  const tls = {
    ca: await readFile(caFile),
    cert: await readFile(join(dir, 'pki', 'client-admin.crt')),
    key: await readFile(join(dir, 'pki', 'client-admin.key')),
  };
  await waitFor(
    async () => {
      if (apiServer.exitCode !== null) throw new Error(`kube-apiserver ended:\n${await logTail(dir)}`);
      return (await statusOf(`${server}/readyz`, tls)) === 200 ? true : undefined;
    },
    {waitingFor: 'the API server of the test', timeoutMs: START_TIMEOUT_MS, intervalMs: 100},
  );
}

function statusOf(url: string, tls: {ca: Buffer; cert: Buffer; key: Buffer}): Promise<number | undefined> {
  return new Promise(resolve => {
    const call = request(url, {...tls, agent: false}, response => {
      response.resume();
      resolve(response.statusCode);
    });
    call.once('error', () => resolve(undefined));
    call.end();
  });
}

async function logTail(dir: string): Promise<string> {
  return (await readFile(join(dir, 'kube-apiserver.log'), 'utf8')).split('\n').slice(-12).join('\n');
}
