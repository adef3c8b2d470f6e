import {createHash, randomBytes} from 'node:crypto';
import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {Readable, Writable} from 'node:stream';
import {text} from 'node:stream/consumers';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {createObject, patchObject} from '../../src/cluster/apply.ts';
import {type Cluster, connectCluster} from '../../src/cluster/client.ts';
import {CORE_TYPES} from '../../src/cluster/core-types.ts';
import {type ExecRequest, execInPod} from '../../src/cluster/exec.ts';
import {forwardPort} from '../../src/cluster/forward.ts';
import type {KubeObject} from '../../src/cluster/object.ts';
import {resolveService} from '../../src/cluster/resolve-service.ts';
import {type HealthTarget, waitHealthy} from '../../src/cluster/wait-healthy.ts';
import {PraError} from '../../src/errors.ts';
import type {JsonObject} from '../../src/std/json.ts';
import {sleep, waitFor} from '../../src/std/wait.ts';
import {startLocalCluster, type TestCluster} from '../bed/local-cluster.ts';
import {startRelay} from '../bed/relay.ts';
import {namespaceObject} from './objects.ts';

const namespace = 'pods';
const {Deployment, Service, Namespace, StatefulSet} = CORE_TYPES;
const SERVE = 'mkdir -p /tmp/w; echo hello > /tmp/w/index.html; exec httpd -f -p 8080 -h /tmp/w';

let bed: TestCluster;
let cluster: Cluster;
let web: {pod: string; port: number};

beforeAll(async () => {
  bed = await startLocalCluster();
  cluster = await connectCluster({kubeconfig: bed.kubeconfig});
  await createObject(cluster, Namespace, namespaceObject(namespace));
  await createObject(cluster, Deployment, deployment('web', {ports: [{name: 'web', containerPort: 8080}]}));
  await createObject(
    cluster,
    Service,
    service('web', {ports: [{name: 'http', port: 80, targetPort: 'web'}]}),
  );
  await waitHealthy(cluster, [target('web'), {type: Service, namespace, name: 'web'}], {timeoutMs: 60_000});
  web = await resolveService(cluster, {namespace, service: 'web', port: 'http'});
});
afterAll(async () => {
  await cluster?.close();
  await bed?.stop();
});

const target = (name: string): HealthTarget => ({type: Deployment, namespace, name});

function podTemplate(name: string, container: JsonObject, spec: JsonObject = {}): JsonObject {
  const main = {name: 'main', image: 'localhost/busybox:1', command: ['sh', '-c', SERVE], ...container};
  return {
    metadata: {labels: {app: name}},
    spec: {terminationGracePeriodSeconds: 0, containers: [main], ...spec},
  };
}

function deployment(name: string, container: JsonObject = {}, spec: JsonObject = {}): KubeObject {
  const template = podTemplate(name, container, spec);
  const selector = {matchLabels: {app: name}};
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {name, namespace},
    spec: {replicas: 1, selector, template},
  };
}

function service(name: string, spec: JsonObject, selector: JsonObject = {app: name}): KubeObject {
  return {apiVersion: 'v1', kind: 'Service', metadata: {name, namespace}, spec: {selector, ...spec}};
}

const exec = (command: string, more: Partial<ExecRequest> = {}) =>
  execInPod(cluster, {namespace, pod: web.pod, command: ['sh', '-c', command], ...more});

async function failure(work: Promise<unknown>): Promise<PraError> {
  const result = await work.catch((error: unknown) => error);
  if (!(result instanceof PraError)) throw new Error(`it did not fail with a PraError: ${result}`);
  return result;
}

const sha256 = (data: Buffer) => createHash('sha256').update(data).digest('hex');

function* pieces(data: Buffer) {
  for (let from = 0; from < data.length; from += 65_536) yield data.subarray(from, from + 65_536);
}

class Sink extends Writable {
  readonly parts: Buffer[] = [];
  bytes = 0;
  /** Nothing more is taken until it is resolved. */
  gate: Promise<void> = Promise.resolve();

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.parts.push(chunk);
    this.bytes += chunk.length;
    void this.gate.then(done);
  }
}

describe('exec', () => {
  const big = randomBytes(50 << 20);

  test('a command that has to say that it came to its end says nothing else by it', async () => {
    const stdout = new Sink();
    const confirmEnd = true;
    expect(await exec('echo said >&2; echo out; exit 7', {confirmEnd, stdout})).toEqual({
      exitCode: 7,
      stderr: 'said\n',
    });
    expect(Buffer.concat(stdout.parts).toString()).toBe('out\n');
    expect(await exec('true', {confirmEnd})).toEqual({exitCode: 0, stderr: ''});
  });

  test('the exit code, and the end of stderr', async () => {
    expect(await exec('echo oops >&2; exit 7')).toEqual({exitCode: 7, stderr: 'oops\n'});
    const {stderr} = await exec('i=0; while [ $i -lt 4000 ]; do echo "line $i" >&2; i=$((i+1)); done');
    expect(stderr.length).toBe(16 << 10);
    expect(stderr.endsWith('line 3999\n')).toBe(true);
  });

  test('50 MB go through a command both ways, unaltered', async () => {
    const stdout = new Sink();
    const {exitCode} = await exec('cat', {stdin: Readable.from(pieces(big)), stdout});
    expect(exitCode).toBe(0);
    expect(sha256(Buffer.concat(stdout.parts))).toBe(sha256(big));
    expect(stdout.writableFinished).toBe(true);
  });

  test('a slow reader holds the command back, and gets everything', async () => {
    const stdout = new Sink();
    const {promise, resolve} = Promise.withResolvers<void>();
    stdout.gate = promise;
    const running = exec('head -c 52428800 /dev/zero', {stdout});
    await waitFor(async () => (stdout.bytes > 0 ? true : undefined), {
      waitingFor: 'output',
      timeoutMs: 20_000,
    });
    await sleep(1000);
    expect(stdout.bytes + stdout.writableLength).toBeLessThan(1 << 20);
    resolve();
    expect((await running).exitCode).toBe(0);
    expect(stdout.bytes).toBe(50 << 20);
  });

  test('a command that does not read holds its input back', async () => {
    // Far more than the buffers on the way hold: those of four sockets and a pipe took up to 47 MB.
    const total = big.length * 4;
    let produced = 0;
    const stdin = Readable.from(
      (function* () {
        for (let round = 0; round < 4; round += 1) {
          for (const piece of pieces(big)) {
            produced += piece.length;
            yield piece;
          }
        }
      })(),
    );
    const stdout = new Sink();
    const running = exec('sleep 2; wc -c', {stdin, stdout});
    await sleep(1500);
    expect(produced).toBeLessThan(total / 2);
    expect((await running).exitCode).toBe(0);
    expect(Buffer.concat(stdout.parts).toString().trim()).toBe(String(total));
  });

  test('a command that ends before its input does, with its own exit code', async () => {
    const stdout = new Sink();
    let produced = 0;
    const source = function* () {
      for (const piece of pieces(big)) {
        produced += piece.length;
        yield piece;
      }
    };
    const stdin = Readable.from(source());
    const result = await exec('head -c 3; echo no more >&2; exit 5', {stdin, stdout, drainStdin: true});
    expect(result).toEqual({exitCode: 5, stderr: 'no more\n'});
    expect(stdout.bytes).toBe(3);
    expect(produced).toBeLessThan(big.length);
    const whole = await exec('wc -c', {
      stdin: Readable.from(pieces(big)),
      stdout: new Sink(),
      drainStdin: true,
    });
    expect(whole).toEqual({exitCode: 0, stderr: ''});
  });

  test('an input that breaks is an error, with its cause', async () => {
    const stdin = Readable.from(
      (async function* () {
        yield Buffer.from('half');
        throw new Error('the source broke');
      })(),
    );
    const error = await failure(exec('cat > /dev/null', {stdin}));
    expect([error.code, error.why]).toEqual(['EXEC_FAILED', 'the source broke']);
  });

  test('an output that breaks is an error, not a short success', async () => {
    const stdout = new Writable({write: (_chunk, _encoding, done) => done(new Error('no space left'))});
    const error = await failure(exec('head -c 1000000 /dev/zero', {stdout}));
    expect([error.code, error.why]).toEqual(['EXEC_FAILED', 'no space left']);
  });

  test('a command or a pod that is not there', async () => {
    const command = await failure(execInPod(cluster, {namespace, pod: web.pod, command: ['absent']}));
    expect([command.code, command.why]).toEqual([
      'EXEC_FAILED',
      expect.stringContaining('executable file not found'),
    ]);
    const pod = await failure(execInPod(cluster, {namespace, pod: 'absent', command: ['true']}));
    expect(pod).toMatchObject({status: 404, message: `cannot run true in pod ${namespace}/absent: NotFound`});
  });

  test('a deadline and a signal end the wait', async () => {
    expect((await failure(exec('sleep 30', {timeoutMs: 500}))).code).toBe('TIMEOUT');
    const controller = new AbortController();
    const running = failure(exec('sleep 30', {signal: controller.signal}));
    setTimeout(() => controller.abort(), 200);
    expect((await running).code).toBe('INTERRUPTED');
  });

  test('a connection that is lost is an error, never a success', async () => {
    const config = JSON.parse(JSON.stringify(cluster.kubeConfig.getCurrentCluster()));
    const {hostname, port} = new URL(config.server);
    const relay = await startRelay(hostname, Number(port));
    const user = cluster.kubeConfig.getCurrentUser();
    const file = join(await mkdtemp(join(tmpdir(), 'pra-relay-')), 'kubeconfig');
    const {KubeConfig} = await import('@kubernetes/client-node');
    const relayed = new KubeConfig();
    const server = `https://127.0.0.1:${relay.port}`;
    relayed.loadFromOptions({
      clusters: [{...config, server, tlsServerName: 'kubernetes.default.svc'}],
      users: [user],
      contexts: [{name: 'relay', cluster: config.name, user: user?.name}],
      currentContext: 'relay',
    });
    await writeFile(file, relayed.exportConfig(), {mode: 0o600});
    await using client = await connectCluster({kubeconfig: file});
    const stdout = new Sink();
    const command = ['sh', '-c', 'echo started; sleep 60'];
    const outcome = failure(execInPod(client, {namespace, pod: web.pod, command, stdout}));
    await waitFor(async () => (stdout.bytes > 0 ? true : undefined), {
      waitingFor: 'output',
      timeoutMs: 20_000,
    });
    relay.cut();
    const error = await outcome;
    expect([error.code, error.why]).toEqual([
      'EXEC_FAILED',
      'the connection ended before the exit code came',
    ]);
    await relay.stop();
    await rm(dirname(file), {recursive: true});
  });
});

describe('port-forward', () => {
  test('HTTP to the pod behind a Service with a named port', async () => {
    expect(web.port).toBe(8080);
    expect(await resolveService(cluster, {namespace, service: 'web', port: 80})).toEqual(web);
    const stream = await forwardPort(cluster, {namespace, ...web});
    stream.write('GET /index.html HTTP/1.0\r\n\r\n');
    expect(await text(stream)).toMatch(/^HTTP\/1.1 200 OK[\s\S]*hello\n$/);
  });

  test('20 MB come whole', async () => {
    await exec(
      'head -c 20971520 /dev/zero > /tmp/w/big; dd if=/dev/urandom of=/tmp/w/big bs=1k count=1 conv=notrunc',
    );
    const stream = await forwardPort(cluster, {namespace, ...web});
    stream.write('GET /big HTTP/1.0\r\n\r\n');
    let bytes = 0;
    for await (const chunk of stream) bytes += chunk.length;
    expect(bytes).toBeGreaterThan(20_971_520);
  });

  test('a port where nothing listens', async () => {
    const stream = await forwardPort(cluster, {namespace, pod: web.pod, port: 9});
    const error = await failure(text(stream));
    expect([error.code, error.why]).toEqual([
      'PORT_FORWARD_FAILED',
      expect.stringContaining('connection refused'),
    ]);
  });

  test('a headless Service without ports', async () => {
    await createObject(cluster, Service, service('headless', {clusterIP: 'None'}, {app: 'web'}));
    const request = {namespace, service: 'headless', port: 8080};
    const found = await waitFor(() => resolveService(cluster, request).catch(() => undefined), {
      waitingFor: 'the endpoints',
      timeoutMs: 20_000,
    });
    expect(found).toEqual({pod: web.pod, port: 8080});
  });

  test('what is missing is said', async () => {
    await createObject(cluster, Service, service('nobody', {ports: [{port: 80}]}));
    const why = async (name: string, port: number | string) =>
      (await failure(resolveService(cluster, {namespace, service: name, port}))).why;
    expect(await why('absent', 80)).toBe('there is no such Service');
    expect(await why('web', 81)).toBe('its ports are: 80 http');
    expect(await why('nobody', 80)).toBe('no pod matches its selector');
  });
});

describe('waiting for health', () => {
  test('reasons name the cause, as each pod has it', async () => {
    const absent = {image: 'localhost/absent:1'};
    const env = [{name: 'A', valueFrom: {secretKeyRef: {name: 'dsn', key: 'k'}}}];
    const volumes = [{name: 'v', secret: {secretName: 'tls'}}];
    const made = [
      deployment('no-image', {...absent, imagePullPolicy: 'Never'}),
      deployment('no-secret', {env}),
      deployment('no-volume', {volumeMounts: [{name: 'v', mountPath: '/v'}]}, {volumes}),
      deployment('no-node', {}, {nodeSelector: {absent: 'true'}}),
      deployment('crash', {command: ['sh', '-c', 'exit 3']}),
    ];
    for (const object of made) await createObject(cluster, Deployment, object);
    const names = made.map(object => object.metadata.name);
    const judge = () => waitHealthy(cluster, [...names, 'absent'].map(target), {timeoutMs: 9_000});
    const reasonsIn = ({objects}: Awaited<ReturnType<typeof judge>>) =>
      Object.fromEntries(objects.map(object => [object.name, object.reason]));
    // A kubelet that is busy says for a while only that it has not read the Secret yet.
    const outcome = await waitFor(
      async () => {
        const judged = await judge();
        return reasonsIn(judged)['no-secret']?.includes('failed to sync') ? undefined : judged;
      },
      {waitingFor: 'the kubelet to look for the Secret', timeoutMs: 60_000},
    );
    expect(outcome.healthy).toBe(false);
    const reasons = reasonsIn(outcome);
    expect(reasons['no-image']).toContain(
      'ErrImageNeverPull: Container image "localhost/absent:1" is not present',
    );
    expect(reasons['no-secret']).toContain('CreateContainerConfigError: secret "dsn" not found');
    expect(reasons['no-volume']).toContain('secret "tls" not found');
    expect(reasons['no-node']).toContain('Unschedulable: 0/1 nodes are available');
    expect(reasons.crash).toMatch(/exit code 3$/);
    expect(outcome.objects.at(-1)).toMatchObject({
      state: 'missing',
      ref: `apps/Deployment ${namespace}/absent`,
    });
    expect(outcome.worst?.state).toBe('degraded');
  });

  test('a reason that is final ends the wait at once', async () => {
    const start = performance.now();
    const options = {timeoutMs: 60_000, finalReasons: ['ErrImageNeverPull']};
    expect((await waitHealthy(cluster, [target('no-image')], options)).healthy).toBe(false);
    expect(performance.now() - start).toBeLessThan(5_000);
  });

  test('a workload that crashes now and then does not pass a stability window', async () => {
    await createObject(cluster, Deployment, deployment('flaps', {command: ['sh', '-c', 'sleep 1; exit 1']}));
    const outcome = await waitHealthy(cluster, [target('flaps')], {
      timeoutMs: 9_000,
      stabilityMs: 4_000,
      pollMs: 200,
    });
    expect(outcome.healthy).toBe(false);
    const easy = await waitHealthy(cluster, [target('web')], {timeoutMs: 9_000, stabilityMs: 1_000});
    expect(easy.healthy).toBe(true);
    expect(easy.elapsedMs).toBeGreaterThanOrEqual(1_000);
  });

  test('the old pods of a changed workload do not count', async () => {
    const template = podTemplate('db', {});
    const set = {apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: {name: 'db', namespace}};
    const spec = {replicas: 1, serviceName: 'db', selector: {matchLabels: {app: 'db'}}, template};
    await createObject(cluster, StatefulSet, {...set, spec});
    const wanted = {type: StatefulSet, namespace, name: 'db'};
    expect((await waitHealthy(cluster, [wanted], {timeoutMs: 30_000})).healthy).toBe(true);
    const image = {spec: {template: {spec: {containers: [{name: 'main', image: 'localhost/absent:2'}]}}}};
    await patchObject(cluster, StatefulSet, wanted, image);
    expect((await waitHealthy(cluster, [wanted], {timeoutMs: 4_000})).healthy).toBe(false);
  });
});
