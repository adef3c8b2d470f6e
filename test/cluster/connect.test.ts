import {chmod, mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {createServer, type Server} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {createServer as createTlsServer} from 'node:tls';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {createObject} from '../../src/cluster/apply.ts';
import {ApiError, type Cluster, connectCluster} from '../../src/cluster/client.ts';
import {CORE_TYPES} from '../../src/cluster/core-types.ts';
import {readIdentity} from '../../src/cluster/identity.ts';
import {listAll} from '../../src/cluster/list.ts';
import {listNamespaces} from '../../src/cluster/namespaces.ts';
import {readSecret} from '../../src/cluster/secret.ts';
import {PraError} from '../../src/errors.ts';
import {createAuthority, embedded} from '../bed/certificates.ts';
import {type ControlPlane, startControlPlane} from '../bed/control-plane.ts';
import {freePorts} from '../bed/free-ports.ts';
import {startRelay} from '../bed/relay.ts';

let plane: ControlPlane;
let admin: Cluster;
let dir: string;
const servers: Server[] = [];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pra-connect-'));
  // Only users outside of system:masters feel the limit of requests in flight.
  plane = await startControlPlane({
    apiServerArgs: ['--enable-priority-and-fairness=false', '--max-requests-inflight=1'],
  });
  admin = await connectCluster({kubeconfig: plane.kubeconfig, userAgent: 'pra-test/1'});
});
afterAll(async () => {
  await admin?.close();
  await plane?.stop();
  for (const server of servers) server.close();
  await rm(dir, {recursive: true, force: true});
});

interface Change {
  cluster?: object;
  user?: object;
}

/** The administrator's kubeconfig with other entries. */
async function changed(name: string, {cluster, user}: Change): Promise<Cluster> {
  const config = JSON.parse(await readFile(plane.kubeconfig, 'utf8'));
  Object.assign(config.clusters[0].cluster, cluster);
  if (user) config.users[0].user = user;
  const file = join(dir, name);
  await writeFile(file, JSON.stringify(config), {mode: 0o600});
  return connectCluster({kubeconfig: file});
}

async function failure(work: Promise<unknown>): Promise<PraError> {
  const result = await work.catch((error: unknown) => error);
  if (!(result instanceof PraError)) throw new Error(`it did not fail with a PraError: ${result}`);
  return result;
}

async function listening(server: Server): Promise<string> {
  servers.push(server);
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return `https://127.0.0.1:${address.port}`;
}

describe('a server that cannot be reached says which part of the way broke', () => {
  const unreachable = async (name: string, cluster: object, timeoutMs = 2000) => {
    await using client = await changed(name, {cluster});
    const error = await failure(client.request('GET', '/version', {timeoutMs}));
    expect(error.code).toBe('CLUSTER_UNREACHABLE');
    expect(error.next.length).toBeGreaterThan(0);
    return error.why;
  };

  test('nothing listens', async () => {
    const [port] = await freePorts(1);
    expect(await unreachable('refused', {server: `https://127.0.0.1:${port}`})).toContain(
      'connection refused',
    );
  });

  test('no such name', async () => {
    expect(await unreachable('dns', {server: 'https://api.pra-test.invalid:6443'})).toContain(
      'could not be resolved (DNS',
    );
  });

  test('another certificate authority', async () => {
    const other = await createAuthority(join(dir, 'other-pki'));
    const ca = await embedded(other.caFile);
    expect(await unreachable('ca', {'certificate-authority-data': ca})).toContain(
      'was not signed by the authority',
    );
  });

  test('another name in the certificate', async () => {
    expect(await unreachable('name', {'tls-server-name': 'elsewhere.test'})).toContain(
      'was not made for the name',
    );
  });

  test('a port that does not speak TLS', async () => {
    const server = await listening(createServer(socket => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')));
    expect(await unreachable('plain', {server})).toContain('does not speak TLS');
  });

  test('a server that takes the request and never answers', async () => {
    const authority = await createAuthority(join(dir, 'mute-pki'));
    const files = await authority.issue({
      name: 'mute',
      commonName: 'mute',
      subjectAltNames: ['IP:127.0.0.1'],
    });
    const tls = {cert: await readFile(files.cert), key: await readFile(files.key)};
    const server = await listening(createTlsServer(tls, socket => socket.resume()));
    const ca = await embedded(authority.caFile);
    const why = await unreachable('mute', {server, 'certificate-authority-data': ca}, 300);
    expect(why).toContain('did not answer it within');
  });
});

describe('credentials', () => {
  test('a wrong token is unauthorized', async () => {
    await using client = await changed('token', {user: {token: 'wrong'}});
    const error = await failure(client.request('GET', '/version'));
    expect(error).toMatchObject({code: 'CLUSTER_UNAUTHORIZED', status: 401});
    expect(JSON.stringify([error.message, error.why, error.next])).not.toContain('wrong');
  });

  test('a missing permission names verb, resource and place', async () => {
    await using client = await connectCluster({kubeconfig: await plane.kubeconfigOf('jane')});
    const secrets = await failure(listAll(client, CORE_TYPES.Secret, {namespace: 'default'}));
    expect(secrets).toMatchObject({code: 'CLUSTER_FORBIDDEN', status: 403, reason: 'Forbidden'});
    expect(secrets.message).toBe('"jane" may not list secrets in namespace default');
    const deployments = await failure(listAll(client, CORE_TYPES.Deployment));
    expect(deployments.message).toBe('"jane" may not list deployments.apps in the whole cluster');
  });

  const plugin = async (name: string, script: string) => {
    const file = join(dir, name);
    await writeFile(file, `#!/bin/sh\n${script}\n`);
    await chmod(file, 0o700);
    return {exec: {apiVersion: 'client.authentication.k8s.io/v1', command: file, interactiveMode: 'Never'}};
  };

  test('an exec plugin gives the client certificate, once for many requests', async () => {
    const calls = join(dir, 'calls');
    const config = JSON.parse(await readFile(plane.kubeconfig, 'utf8'));
    const user = config.users[0].user;
    const pem = (field: string) => Buffer.from(user[field], 'base64').toString('utf8');
    const status = {
      clientCertificateData: pem('client-certificate-data'),
      clientKeyData: pem('client-key-data'),
    };
    const credential = JSON.stringify({
      apiVersion: 'client.authentication.k8s.io/v1',
      kind: 'ExecCredential',
      status,
    });
    await writeFile(join(dir, 'credential.json'), credential);
    const script = `echo x >> ${calls}; cat ${join(dir, 'credential.json')}`;
    await using client = await changed('exec', {user: await plugin('login', script)});
    await Promise.all(Array.from({length: 20}, () => readIdentity(client)));
    expect(await readFile(calls, 'utf8')).toBe('x\n');
  });

  test('a plugin that fails, or is not there, is named', async () => {
    await using failing = await changed('exec2', {
      user: await plugin('fails', 'echo token expired >&2; exit 1'),
    });
    const error = await failure(failing.request('GET', '/version'));
    expect([error.code, error.why]).toEqual(['CLUSTER_UNAUTHORIZED', 'token expired']);
    const exec = {apiVersion: 'client.authentication.k8s.io/v1', command: 'pra-absent-plugin'};
    await using absent = await changed('exec3', {user: {exec}});
    expect((await failure(absent.request('GET', '/version'))).why).toContain('not installed');
  });

  test('a token that was rotated on disk is read again, also by requests that were on their way', async () => {
    await using client = await changed('rotating', {user: {token: 'old'}});
    await writeFile(join(dir, 'rotating'), await readFile(plane.kubeconfig));
    const identities = await Promise.all(Array.from({length: 5}, () => readIdentity(client)));
    expect(identities[0]).toMatchObject({version: 'v1.34.4'});
  });
});

describe('answers', () => {
  test('identity and namespaces', async () => {
    const identity = await readIdentity(admin);
    expect(identity).toMatchObject({version: 'v1.34.4', server: plane.server});
    expect(identity.uid).toMatch(/^[0-9a-f-]{36}$/);
    expect(await listNamespaces(admin)).toContain('kube-system');
  });

  test('too many requests (429) are sent again after the time that the server names', async () => {
    const binding = {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: {name: 'busy'},
      roleRef: {apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin'},
      subjects: [{apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'busy'}],
    };
    const plural = 'clusterrolebindings';
    const group = 'rbac.authorization.k8s.io';
    const type = {...CORE_TYPES.Namespace, group, kind: 'ClusterRoleBinding', plural};
    await createObject(admin, type, binding);
    await using client = await connectCluster({kubeconfig: await plane.kubeconfigOf('busy')});
    const start = performance.now();
    const lists = Array.from({length: 24}, () => client.request('GET', '/api/v1/namespaces'));
    await expect(Promise.all(lists)).resolves.toHaveLength(24);
    // Without any 429 all would be done in some milliseconds, and the test would show nothing.
    expect(performance.now() - start).toBeGreaterThan(1000);
  });

  test('a signal ends a request: interrupted, or out of time', async () => {
    const aborted = await failure(admin.request('GET', '/version', {signal: AbortSignal.abort()}));
    expect(aborted.code).toBe('INTERRUPTED');
    const path = '/api/v1/namespaces?watch=true';
    const late = await failure(admin.request('GET', path, {signal: AbortSignal.timeout(200)}));
    expect(late.code).toBe('TIMEOUT');
  });

  test('all requests share one connection over HTTP/2', async () => {
    await using client = await connectCluster({kubeconfig: plane.kubeconfig});
    const before = await connectionsTo(plane.server);
    await Promise.all(Array.from({length: 64}, () => client.request('GET', '/version')));
    expect((await connectionsTo(plane.server)) - before).toBe(1);
  });

  test('reads whose connection breaks are sent again; nothing is done twice', async () => {
    const relay = await startRelay('127.0.0.1', Number(new URL(plane.server).port));
    await using client = await changed('relay', {cluster: {server: `https://127.0.0.1:${relay.port}`}});
    await client.request('GET', '/version');
    const reads = Promise.all(Array.from({length: 32}, () => client.request('GET', '/version')));
    setImmediate(() => relay.cut());
    await expect(reads).resolves.toHaveLength(32);
    const path = '/api/v1/namespaces/default/configmaps';
    const body = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {generateName: 'cut-', labels: {cut: 'yes'}},
    };
    const creates = Promise.allSettled(Array.from({length: 64}, () => client.request('POST', path, {body})));
    setImmediate(() => relay.cut());
    const failed = (await creates).filter(result => result.status === 'rejected');
    expect(failed.length).toBeGreaterThan(0);
    for (const {reason} of failed) expect(reason).toMatchObject({code: 'CLUSTER_UNREACHABLE'});
    const made = await listAll(admin, CORE_TYPES.ConfigMap, {namespace: 'default', labelSelector: 'cut=yes'});
    expect(made.length).toBeLessThanOrEqual(64);
    await relay.stop();
  });

  test('a value of a Secret', async () => {
    const data = {dsn: Buffer.from('postgres://u:p@db/é').toString('base64'), other: 'eA=='};
    const secret = {apiVersion: 'v1', kind: 'Secret', metadata: {name: 'dsn', namespace: 'default'}, data};
    await createObject(admin, CORE_TYPES.Secret, secret);
    expect(await readSecret(admin, 'default/dsn', 'dsn')).toBe('postgres://u:p@db/é');
    expect((await failure(readSecret(admin, 'default/dsn'))).why).toBe('its keys are: dsn, other');
    expect((await failure(readSecret(admin, 'default/dsn', 'no'))).message).toContain('no key "no"');
    expect((await failure(readSecret(admin, 'default/none'))).message).toContain('there is no Secret');
  });

  test('an answer of the server keeps its status, reason and causes', async () => {
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {name: 'X', namespace: 'default'},
      spec: {containers: []},
    };
    const error = await failure(createObject(admin, CORE_TYPES.Pod, pod));
    if (!(error instanceof ApiError)) throw new Error('not an ApiError');
    expect(error).toMatchObject({code: 'CLUSTER_REQUEST_FAILED', status: 422, reason: 'Invalid'});
    expect(error.message).toBe('cannot create Pod default/X: Invalid');
    expect(error.causes.map(cause => cause.field)).toContain('spec.containers');
  });
});

/** Established connections of this machine to a server on loopback. */
async function connectionsTo(server: string): Promise<number> {
  const port = Number(new URL(server).port).toString(16).toUpperCase().padStart(4, '0');
  const lines = (await readFile('/proc/net/tcp', 'utf8')).split('\n').map(line => line.trim().split(/\s+/));
  return lines.filter(([, , remote, state]) => remote === `0100007F:${port}` && state === '01').length;
}
