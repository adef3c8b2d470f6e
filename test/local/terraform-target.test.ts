import {mkdtemp, readdir, readFile, rm, stat} from 'node:fs/promises';
import {createServer, type Server} from 'node:net';
import {networkInterfaces, tmpdir} from 'node:os';
import {join} from 'node:path';
import {Writable} from 'node:stream';
import {Agent, fetch} from 'undici';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {applyObject} from '../../src/cluster/apply.ts';
import {type Cluster, connectCluster} from '../../src/cluster/client.ts';
import {discoverResources} from '../../src/cluster/discover.ts';
import {execInPod} from '../../src/cluster/exec.ts';
import type {KubeObject} from '../../src/cluster/object.ts';
import {ResourceMap} from '../../src/cluster/resource-map.ts';
import {waitHealthy} from '../../src/cluster/wait-healthy.ts';
import {removeLocalCluster} from '../../src/local/down.ts';
import {layoutFor} from '../../src/local/layout.ts';
import {builtInTarget} from '../../src/local/module.ts';
import type {TargetOutputs} from '../../src/terraform/outputs.ts';
import {applyTarget, destroyTarget} from '../../src/terraform/run.ts';
import {prepareWorkspace, type Workspace} from '../../src/terraform/workspace.ts';
import {resolveTerraform} from '../../src/tool/terraform.ts';
import {leftOf, settings, tracesOf} from './footprint.ts';
import {PRIVILEGED, SHOP} from './shop.ts';

const name = `test-tf-${process.pid}`;
const MARKER = 'marker-that-must-not-be-on-disk';

let dir: string;
let workspace: Workspace;
let outputs: TargetOutputs;
let cluster: Cluster;
let types: ResourceMap;
let before: string[];
let moduleFiles: string[];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pra-tf-'));
  process.env.PRA_STATE_DIR = dir;
  before = settings();
  moduleFiles = await readdir(builtInTarget());
  const terraform = await resolveTerraform();
  workspace = await prepareWorkspace({
    binary: terraform.path,
    moduleDir: builtInTarget(),
    dir: join(dir, 'run'),
    vars: {name, node: 'kubelet', isolated: true, node_binary: process.execPath},
    offered: {pra_drill_id: 'test'},
  });
  outputs = await applyTarget(workspace, {timeoutMs: 120_000});
  cluster = await connectCluster({kubeconfig: outputs.kubeconfigPath});
  types = new ResourceMap(await discoverResources(cluster, {}));
  for (const object of [...SHOP, PRIVILEGED]) await apply(object);
});

afterAll(async () => {
  await cluster?.close();
  await removeLocalCluster({name});
  delete process.env.PRA_STATE_DIR;
  await rm(dir, {recursive: true, force: true});
});

const apply = (object: KubeObject) => applyObject(cluster, types.of(object), object, {});

async function podReady(namespace: string, pod: string): Promise<void> {
  const type = types.find('v1', 'Pod');
  if (!type) throw new Error('no pods in this API');
  const outcome = await waitHealthy(cluster, [{type, name: pod, namespace}], {
    timeoutMs: 30_000,
    pollMs: 100,
  });
  expect(outcome.objects.map(object => [object.state, object.reason])).toEqual([
    ['healthy', expect.anything()],
  ]);
}

async function run(
  namespace: string,
  pod: string,
  command: string,
): Promise<{exitCode: number; out: string}> {
  const chunks: Buffer[] = [];
  const stdout = new Writable({
    write(chunk, _encoding, done) {
      chunks.push(Buffer.from(chunk));
      done();
    },
  });
  const {exitCode} = await execInPod(cluster, {
    namespace,
    pod,
    command: ['sh', '-c', command],
    stdout,
    timeoutMs: 20_000,
  });
  return {exitCode, out: Buffer.concat(chunks).toString('utf8')};
}

describe('the local target', () => {
  test('says what it is', async () => {
    expect(outputs.facts).toMatchObject({
      provider: 'local',
      isolated: true,
      node: 'kubelet',
      anonymousAuth: false,
      kubernetes: expect.stringMatching(/^v1\.\d+/),
    });
    expect((await stat(outputs.kubeconfigPath)).mode & 0o777).toBe(0o600);
    const state = await readFile(join(workspace.dir, 'terraform.tfstate'), 'utf8');
    expect(state).not.toMatch(/PRIVATE KEY|certificate-data|client-key/);
  });

  test('runs a restricted pod with a volume, a name and a Service', async () => {
    await podReady('shop', 'web');
    const claim = await cluster.request('GET', '/api/v1/namespaces/shop/persistentvolumeclaims/data');
    expect(claim).toMatchObject({status: {phase: 'Bound'}});
    const answer = await run('shop', 'web', 'wget -qO- http://front.shop.svc.cluster.local');
    expect(answer).toEqual({exitCode: 0, out: 'open\n'});
  });

  test('refuses a privileged pod where nothing else is said', async () => {
    const object: KubeObject = {...PRIVILEGED, metadata: {name: 'intruder', namespace: 'default'}};
    await expect(apply(object)).rejects.toThrow(/PodSecurity|forbidden/i);
  });

  test('knows nobody without credentials', async () => {
    const dispatcher = new Agent({connect: {rejectUnauthorized: false}});
    const node = new URL(outputs.endpoint).hostname;
    for (const url of [`${outputs.endpoint}/api`, `https://${node}:10250/pods`]) {
      expect((await fetch(url, {dispatcher})).status).toBe(401);
    }
    await expect(fetch(`http://${node}:10255/pods`)).rejects.toThrow();
    await dispatcher.destroy();
  });

  test('keeps secrets out of its disk and its audit log, and logs who asked', async () => {
    const secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {name: 'key', namespace: 'shop'},
      stringData: {key: MARKER},
    };
    await cluster.request('POST', '/api/v1/namespaces/shop/secrets', {body: secret});
    const layout = layoutFor(name);
    const wal = join(layout.dir, 'etcd/member/wal');
    const files = [
      join(layout.dir, 'etcd/member/snap/db'),
      ...(await readdir(wal)).map(file => join(wal, file)),
    ];
    const stored = Buffer.concat(await Promise.all(files.map(file => readFile(file))));
    expect(stored.includes('/registry/secrets/shop/key')).toBe(true);
    expect(stored.includes(MARKER)).toBe(false);
    expect(stored.includes(Buffer.from(MARKER).toString('base64'))).toBe(false);
    const log = await readFile(String(outputs.facts.auditLog), 'utf8');
    expect(log).toMatch(/"verb":"create".*"pra:admin".*"resource":"secrets"/);
    expect(log).not.toContain(MARKER);
    expect(log).not.toContain(Buffer.from(MARKER).toString('base64'));
  });

  test('lets nothing out, whatever the privileges inside', async () => {
    const server = await listen();
    try {
      const port = portOf(server);
      const link = new URL(outputs.endpoint).hostname.replace(/\.2$/, '.1');
      const others = Object.values(networkInterfaces())
        .flatMap(entries => entries ?? [])
        .filter(entry => entry.family === 'IPv4' && !entry.internal)
        .map(entry => entry.address);
      await podReady('kube-system', 'intruder');
      // It may even give itself a way out of the namespace; the host does not take what comes by it.
      await run('kube-system', 'intruder', `busybox ip route add default via ${link}`);
      for (const address of new Set([link, ...others])) {
        const attempt = `echo x | nc -w 1 ${address} ${port}`;
        expect((await run('kube-system', 'intruder', attempt)).exitCode, address).not.toBe(0);
        expect((await run('shop', 'web', attempt)).exitCode, address).not.toBe(0);
      }
      const ipv6 = await readFile(`/proc/sys/net/ipv6/conf/${layoutFor(name).hostLink}/disable_ipv6`, 'utf8');
      expect(ipv6.trim()).toBe('1');
    } finally {
      server.close();
    }
  });

  test('leaves nothing when it is destroyed', async () => {
    const traces = tracesOf(name);
    expect(traces.containers.length).toBeGreaterThanOrEqual(6);
    expect((await leftOf(name, traces)).length).toBeGreaterThan(10);
    await cluster.close();
    await destroyTarget(workspace, {timeoutMs: 60_000});
    expect(await leftOf(name, traces)).toEqual([]);
    expect(settings()).toEqual(before);
    expect(await readdir(builtInTarget())).toEqual(moduleFiles);
  });
});

async function listen(): Promise<Server> {
  const server = createServer(socket => socket.end('reached\n'));
  server.listen(0, '0.0.0.0');
  await new Promise(resolve => server.once('listening', resolve));
  return server;
}

function portOf(server: Server): number {
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('the server has no port');
  return address.port;
}
