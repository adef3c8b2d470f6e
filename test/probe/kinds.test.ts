import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {applyObject, createObject, patchObject} from '../../src/cluster/apply.ts';
import {type Cluster, connectCluster} from '../../src/cluster/client.ts';
import {CORE_TYPES} from '../../src/cluster/core-types.ts';
import type {KubeObject} from '../../src/cluster/object.ts';
import {waitHealthy} from '../../src/cluster/wait-healthy.ts';
import {measureBaselines} from '../../src/probe/baseline.ts';
import type {ProbeContext, WorkloadRef} from '../../src/probe/probe.ts';
import {runProbe} from '../../src/probe/run.ts';
import type {Json, JsonObject} from '../../src/std/json.ts';
import {waitFor} from '../../src/std/wait.ts';
import {startLocalCluster, type TestCluster} from '../bed/local-cluster.ts';
import {configMap, namespaceObject} from '../cluster/objects.ts';
import {contextOf, errorOf, lookWith, type ProbeText, planProbe} from './plan-probe.ts';

const namespace = 'asked';
const {ConfigMap, Deployment, Namespace, Pod, Service} = CORE_TYPES;

/** A web server with answers of every sort, a port that closes at once, and nothing on any other port. */
const SERVE = `
mkdir -p /tmp/w; cd /tmp/w
echo hello > index.html
echo '{"count": 5000, "total": "12.50", "none": null, "items": [{"id": 7}]}' > orders.json
head -c 2000000 /dev/zero | tr '\\0' x > large
exec httpd -f -p 8080 -h /tmp/w`;

let bed: TestCluster;
let cluster: Cluster;
let context: ProbeContext;

const template = (app: string, container: JsonObject = {}): JsonObject => ({
  metadata: {labels: {app}},
  spec: {
    terminationGracePeriodSeconds: 0,
    containers: [{name: 'main', image: 'localhost/busybox:1', command: ['sh', '-c', SERVE], ...container}],
  },
});

const deployment = (name: string, container: JsonObject = {}): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: {name, namespace},
  spec: {replicas: 1, selector: {matchLabels: {app: name}}, template: template(name, container)},
});

const service = (name: string, app = name): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: {name, namespace},
  spec: {
    selector: {app},
    ports: [
      {name: 'http', port: 80, targetPort: 8080},
      {name: 'dead', port: 81, targetPort: 9999},
    ],
  },
});

/** It ended long ago and still fits the labels of the web server, as the pods of an eviction do. */
const ended: KubeObject = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {name: 'a-ended', namespace, labels: {app: 'web'}},
  spec: {
    restartPolicy: 'Never',
    containers: [{name: 'main', image: 'localhost/busybox:1', command: ['true']}],
  },
};

const workload = (name: string): WorkloadRef => ({type: Deployment, namespace, name});
const look = (text: ProbeText, more: Partial<ProbeContext> = {}) => lookWith(text, {...context, ...more});

beforeAll(async () => {
  bed = await startLocalCluster();
  cluster = await connectCluster({kubeconfig: bed.kubeconfig});
  context = contextOf(cluster);
  await createObject(cluster, Namespace, namespaceObject(namespace));
  const unready = {readinessProbe: {exec: {command: ['false']}}};
  for (const object of [deployment('web'), deployment('unready', unready)])
    await createObject(cluster, Deployment, object);
  for (const object of [service('web'), service('unready'), service('orphan', 'nobody')])
    await createObject(cluster, Service, object);
  for (const name of ['one', 'two'])
    await createObject(cluster, ConfigMap, configMap(namespace, name, {for: 'all'}));
  await waitHealthy(cluster, [workload('web'), {type: Service, namespace, name: 'web'}], {timeoutMs: 60_000});
  await waitFor(() => createObject(cluster, Pod, ended), {waitingFor: 'a pod', timeoutMs: 10_000});
  await waitFor(
    async () => ((await errorOf(askUnready())).includes('none of its 1 pods is ready') ? true : undefined),
    {waitingFor: 'endpoints of a pod that is not ready', timeoutMs: 20_000},
  );
});
afterAll(async () => {
  await cluster?.close();
  await bed?.stop();
});

const askUnready = () => look({tcp: {service: `${namespace}/unready`, port: 'http'}});

describe('k8s', () => {
  const maps = (expectation: NonNullable<ProbeText['k8s']>['expect'], more: Partial<ProbeText['k8s']> = {}) =>
    look({k8s: {kind: 'ConfigMap', namespace, expect: expectation, ...more}});

  test('present and absent say how many there are', async () => {
    expect(await maps('present', {name: 'one'})).toMatchObject({passed: true, message: '1 ConfigMap'});
    expect(await maps('present', {name: 'three'})).toMatchObject({
      passed: false,
      message: 'there is no such ConfigMap',
    });
    expect(await maps('absent', {name: 'three'})).toMatchObject({passed: true, observed: 0});
    expect(await maps('absent', {name: 'one'})).toMatchObject({passed: false, observed: 1});
  });

  test('a namespace that is not there holds nothing', async () => {
    expect(await maps('present', {namespace: 'nowhere'})).toMatchObject({passed: false, observed: 0});
  });

  test('a kind that the cluster does not know is a failure, and no proof of absence', async () => {
    expect(await maps('present', {kind: 'Unicorn'})).toMatchObject({
      passed: false,
      message: 'the target has no kind Unicorn',
    });
    await expect(maps('absent', {kind: 'Unicorn'})).rejects.toThrow('the target has no kind Unicorn');
  });

  test('an apiVersion tells kinds of one name apart', async () => {
    const kind = 'events';
    expect((await maps({count: {min: 1}}, {kind, apiVersion: 'v1'})).passed).toBe(true);
    expect((await maps({count: {min: 1}}, {kind, apiVersion: 'events.k8s.io/v1'})).passed).toBe(true);
    expect((await maps('present', {kind, apiVersion: 'example.com/v1'})).passed).toBe(false);
    expect((await maps('present', {kind: 'Deployment', apiVersion: 'apps/v1'})).passed).toBe(true);
    expect((await maps('present', {apiVersion: 'v1'})).passed).toBe(true);
  });

  test('a count has a least, a greatest and an exact number', async () => {
    // kube-root-ca.crt is the third.
    expect(await maps({count: {equals: 3}})).toMatchObject({passed: true, message: '3 ConfigMap'});
    expect(await maps({count: {min: 3, max: 3}})).toMatchObject({passed: true});
    expect(await maps({count: {min: 4}})).toMatchObject({
      passed: false,
      message: '3 ConfigMap, expected {"min":4}',
      expected: {min: 4},
      observed: 3,
    });
    expect((await maps({count: {max: 2}})).passed).toBe(false);
    expect((await maps({count: {equals: 2}})).passed).toBe(false);
  });

  test('a selector chooses', async () => {
    const pods = (selector: string) => look({k8s: {kind: 'pods', namespace, selector, expect: 'present'}});
    expect((await pods('app=web')).passed).toBe(true);
    expect((await pods('app=nobody')).passed).toBe(false);
  });

  const field = (jsonPath: string, equals: Json, name?: string) =>
    maps({jsonPath, equals}, name === undefined ? {selector: 'held=yes'} : {name});

  test('all objects must hold the value', async () => {
    const long = 'x'.repeat(300);
    for (const [name, last] of [
      ['one', 'a'],
      ['two', 'b'],
    ] as const) {
      const metadata = {labels: {held: 'yes', last}};
      await patchObject(
        cluster,
        ConfigMap,
        {namespace, name},
        {metadata, data: {on: 'true', long: `${long}${last}`}},
      );
    }
    expect(await field('.data.for', 'all')).toMatchObject({passed: true, message: '.data.for is all'});
    expect(await field('.metadata.labels.last', 'a')).toMatchObject({
      passed: false,
      message: '.metadata.labels.last is a, b, expected a',
      observed: ['a', 'b'],
    });
    expect((await field('.data.on', true)).passed).toBe(true);
    expect((await field('.data.on', 'false')).passed).toBe(false);
    expect((await field('.data.long', `${long}b`, 'one')).passed).toBe(false);
    expect((await field('.data.long', `${long}a`, 'one')).passed).toBe(true);
  });

  test('a field that is not there is null, and no object holds nothing', async () => {
    expect(await field('.data.__proto__', 'x', 'one')).toMatchObject({passed: false, observed: null});
    expect((await field('.data.nothing', null, 'one')).passed).toBe(true);
    expect(await field('.data.for', 'all', 'three')).toMatchObject({
      passed: false,
      message: 'there is no such ConfigMap, expected all',
    });
  });
});

describe('http', () => {
  type Http = NonNullable<ProbeText['http']>;
  const get = (path: string, expectation?: Http['expect'], more: Partial<Http> = {}) =>
    look({http: {service: `${namespace}/web`, path, expect: expectation, ...more}});

  test('the status is 200 unless the plan says otherwise', async () => {
    expect(await get('/')).toEqual({passed: true, message: 'status 200', expected: 200, observed: 200});
    expect(await get('/absent')).toMatchObject({
      passed: false,
      message: 'status 404, expected 200',
      expected: 200,
      observed: 404,
    });
    expect((await get('/absent', {status: 404})).passed).toBe(true);
  });

  test('a port by name', async () => {
    expect((await get('/', undefined, {port: 'http'})).passed).toBe(true);
  });

  test('a text that the answer contains', async () => {
    expect((await get('/', {bodyIncludes: 'hell'})).passed).toBe(true);
    expect(await get('/', {bodyIncludes: 'goodbye'})).toMatchObject({
      passed: false,
      message: 'the answer does not contain "goodbye"',
      observed: 'hello\n',
    });
  });

  test('a value of a JSON answer', async () => {
    expect(await get('/orders.json', {json: {path: '.count', equals: 5000}})).toMatchObject({passed: true});
    expect(await get('/orders.json', {json: {path: 'items[0].id', equals: 8}})).toMatchObject({
      passed: false,
      message: 'expected 8, saw 7',
    });
    expect(await get('/orders.json', {json: {path: 'none', equals: null}})).toMatchObject({passed: true});
  });

  test('a value that must be there and is not fails', async () => {
    for (const path of ['absent', '__proto__', 'items[1]'])
      expect(await get('/orders.json', {json: {path}})).toMatchObject({
        passed: false,
        message: `the answer has no ${path}`,
      });
  });

  test('an answer that is not JSON fails, and is shown', async () => {
    expect(await get('/', {json: {path: 'count'}})).toEqual({
      passed: false,
      message: 'the answer is not JSON',
      observed: 'hello\n',
    });
  });

  test('of an answer over a megabyte the beginning is enough to pass, and not enough to fail', async () => {
    expect((await get('/large')).passed).toBe(true);
    expect((await get('/large', {bodyIncludes: 'xxx'})).passed).toBe(true);
    expect(await errorOf(get('/large', {bodyIncludes: 'y'}))).toContain(
      'too large to look through: it has more than 1 MiB',
    );
    expect(await errorOf(get('/large', {json: {path: 'a'}}))).toContain('too large');
  });

  test('a baseline is measured at the source and compared with', async () => {
    const plan = planProbe({
      http: {service: `${namespace}/web`, path: '/orders.json', expect: {json: {path: 'total'}}},
      compare: {baseline: 'snapshot'},
    });
    const signal = AbortSignal.timeout(20_000);
    expect(await measureBaselines([plan, planProbe({health: {}})], cluster, signal)).toEqual([
      {probe: 'asked', value: '12.50'},
    ]);
    const baselines = new Map([['asked', '13.50']]);
    const {http, compare} = plan;
    expect(await look({http, compare}, {baselines})).toMatchObject({
      passed: false,
      message: 'expected 13.50 as at the snapshot, saw 12.50',
    });
  });

  test('a source that gives no answer itself has no baseline', async () => {
    const plan = planProbe({
      http: {service: `${namespace}/web`, path: '/absent', expect: {json: {path: 'total'}}},
      compare: {baseline: 'snapshot'},
    });
    const measured = measureBaselines([plan], cluster, AbortSignal.timeout(20_000));
    expect(await errorOf(measured)).toBe(
      'the source does not pass probe asked itself: status 404, expected 200',
    );
  });

  test('no Service, no such port, no pods and none that is ready: each errs and says so', async () => {
    const on = (name: string, port: number) => errorOf(look({http: {service: `${namespace}/${name}`, port}}));
    expect(await on('absent', 80)).toBe('no way to Service asked/absent port 80: there is no such Service');
    expect(await on('web', 8080)).toContain('its ports are: 80 http, 81 dead');
    expect(await on('orphan', 80)).toContain('no pod matches its selector');
    expect(await on('unready', 80)).toMatch(/none of its 1 pods is ready: unready-/);
  });

  test('a pod that nothing listens in errs with the cause', async () => {
    expect(await errorOf(get('/', undefined, {port: 81}))).toMatch(/connect to port 9999 .*refused/);
  });

  test('a server that speaks no TLS errs with https', async () => {
    expect(await errorOf(get('/', undefined, {scheme: 'https', port: 80}))).not.toBe('');
  });
});

describe('tcp', () => {
  const connect = (name: string, port: string | number) =>
    look({tcp: {service: `${namespace}/${name}`, port}});

  test('a port that is listened on takes connections', async () => {
    expect(await connect('web', 80)).toEqual({passed: true, message: 'asked/web:80 takes connections'});
  });

  test('a port that nobody listens on fails, with the cause', async () => {
    const {passed, message} = await connect('web', 'dead');
    expect(passed).toBe(false);
    expect(message).toMatch(/^asked\/web:dead: could not connect to port 9999 .*refused/s);
  });

  test('no Service and no pods that are ready err', async () => {
    expect(await errorOf(connect('absent', 80))).toContain('there is no such Service');
    expect(await errorOf(askUnready())).toContain('none of its 1 pods is ready');
  });

  test('one that is stopped while it looks has not failed', async () => {
    const stop = new AbortController();
    const probe = planProbe({tcp: {service: `${namespace}/web`, port: 80}, policy: {failureLimit: 1}});
    const running = runProbe(probe, context, {signal: stop.signal});
    setTimeout(() => stop.abort(new Error('stop')), 300);
    await expect(running).rejects.toThrow('stop');
  });
});

describe('exec', () => {
  type Exec = NonNullable<ProbeText['exec']>;
  const run = (script: string, expectation?: Exec['expect'], more: Partial<Exec> = {}) =>
    look({
      exec: {namespace, selector: 'app=web', command: ['sh', '-c', script], expect: expectation, ...more},
    });

  test('the exit code is 0 unless the plan says otherwise', async () => {
    expect(await run('true')).toEqual({passed: true, message: 'exit code 0', expected: 0, observed: 0});
    expect(await run('exit 3')).toEqual({
      passed: false,
      message: 'exit code 3, expected 0',
      expected: 0,
      observed: 3,
    });
    expect((await run('exit 3', {exitCode: 3})).passed).toBe(true);
    expect((await run('true', {exitCode: 3})).passed).toBe(false);
  });

  test('a text that it writes', async () => {
    expect((await run('echo 5000 orders', {stdoutIncludes: '5000'})).passed).toBe(true);
    expect(await run('echo 4999 orders', {stdoutIncludes: '5000'})).toEqual({
      passed: false,
      message: 'exit code 0, and its output does not contain "5000"',
      expected: '5000',
      observed: '4999 orders\n',
    });
    expect((await run('echo 5000 >&2', {stdoutIncludes: '5000'})).passed).toBe(false);
  });

  test('a character that comes in two parts is still that character', async () => {
    const halves = "printf 'caf\\303'; sleep 0.4; printf '\\251'";
    expect((await run(halves, {stdoutIncludes: 'café'})).passed).toBe(true);
  });

  test('a text after 64 KiB of output cannot be told to be absent', async () => {
    const script = 'head -c 200000 /dev/zero | tr "\\0" x; echo end';
    expect(await errorOf(run(script, {stdoutIncludes: 'end'}))).toContain('is not in its first 64 KiB');
    expect((await run(script, {stdoutIncludes: 'xxx'})).passed).toBe(true);
  });

  test('no pod fails; the wrong container errs', async () => {
    expect(await run('true', undefined, {selector: 'app=nobody'})).toEqual({
      passed: false,
      message: 'no pod in asked fits app=nobody',
    });
    expect(await errorOf(run('true', undefined, {container: 'sidecar'}))).toContain('sidecar');
  });

  test('pods that have ended do not count', async () => {
    await waitHealthy(cluster, [{type: Pod, namespace, name: 'a-ended'}], {timeoutMs: 20_000});
    expect((await run('hostname')).passed).toBe(true);
    const labels = {app: 'only-ended'};
    await patchObject(cluster, Pod, {namespace, name: 'a-ended'}, {metadata: {labels}});
    expect((await run('true', undefined, {selector: 'app=only-ended'})).message).toBe(
      'no pod in asked that fits app=only-ended runs',
    );
  });

  test('a program that is not in the image does not pass', async () => {
    const absent = look({exec: {namespace, selector: 'app=web', command: ['no-such-program']}});
    expect(await errorOf(absent)).toContain('no-such-program');
  });
});

describe('health', () => {
  const health = (...names: string[]) => look({health: {}}, {workloads: () => names.map(workload)});

  test('all workloads healthy', async () => {
    expect(await health('web')).toEqual({
      passed: true,
      message: '1 workloads healthy',
      observed: 1,
      expected: 1,
    });
  });

  test('one that is missing and one that is not ready are both named', async () => {
    const {passed, message, observed} = await health('web', 'unready', 'absent');
    expect(passed).toBe(false);
    expect(message).toMatch(/apps\/Deployment asked\/unready is progressing: .*; .*asked\/absent is missing/);
    expect(observed).toBe(1);
  });

  test('only the groups of the probe are asked for', async () => {
    const asked: unknown[] = [];
    const workloads = (groups: readonly string[] | undefined) => {
      asked.push(groups);
      return [workload('web')];
    };
    await look({health: {groups: ['data']}}, {workloads});
    expect(asked).toEqual([['data']]);
  });
});

describe('the canary in a ConfigMap', () => {
  const canary = {
    namespace,
    nonceHash: '0'.repeat(64),
    writtenAt: '2026-11-23T10:00:00.000Z',
    sqlSecretRef: undefined,
  };

  test('no canary, and one of another time, fail with the times', async () => {
    expect(await look({canary: {}}, {canary})).toMatchObject({
      passed: false,
      message: `stale canary: expected the one of ${canary.writtenAt}, the ConfigMap holds none`,
    });
    const writtenAt = '2026-11-22T10:00:00.000Z';
    await applyObject(cluster, ConfigMap, configMap(namespace, 'pra-canary', {nonce: 'old', writtenAt}));
    expect((await look({canary: {}}, {canary})).message).toBe(
      `stale canary: expected the one of ${canary.writtenAt}, the ConfigMap holds the one of ${writtenAt}`,
    );
  });

  test('without an expected one it errs', async () => {
    expect(await errorOf(look({canary: {}}))).toContain('no snapshot of this plan has a canary');
  });
});

test('a cluster that does not answer is an error of every kind, and no verdict', async () => {
  const lost = await connectCluster({kubeconfig: bed.kubeconfig});
  await lost.close();
  const service = `${namespace}/web`;
  const kinds: ProbeText[] = [
    {k8s: {kind: 'Pod', expect: 'absent'}},
    {http: {service}},
    {tcp: {service, port: 80}},
    {exec: {namespace, selector: 'app=web', command: ['true']}},
    {health: {}},
    {canary: {}},
  ];
  const canary = {namespace, nonceHash: '', writtenAt: '', sqlSecretRef: undefined};
  const workloads = () => [workload('web')];
  for (const kind of kinds) {
    const result = await runProbe(
      planProbe({...kind, policy: {errorLimit: 1}}),
      contextOf(lost, {canary, workloads}),
      {signal: AbortSignal.timeout(20_000)},
    );
    expect(result.verdict, result.kind).toBe('inconclusive');
  }
});

describe('checksum', () => {
  const folder = {namespace, selector: 'app=web', path: '/tmp/w'};
  const measured = async (path = folder.path) => {
    const [baseline] = await measureBaselines(
      [planProbe({name: 'files', checksum: {...folder, path}})],
      cluster,
      AbortSignal.timeout(30_000),
    );
    return baseline?.value;
  };
  const compared = (value: Json | undefined, path = folder.path) =>
    lookWith(
      {name: 'files', checksum: {...folder, path}},
      {
        ...context,
        baselines: new Map(value === undefined ? [] : [['files', value]]),
      },
    );
  const inPod = async (script: string) => {
    const seen = await look({exec: {namespace, selector: 'app=web', command: ['sh', '-c', script]}});
    if (!seen.passed) throw new Error(seen.message);
  };

  test('files that are as at the snapshot pass, and what differs is named', async () => {
    const before = await measured();
    expect(before).toMatchObject({files: 3});
    expect(await compared(before)).toMatchObject({passed: true, message: '3 files, each as at the snapshot'});
    await inPod('cd /tmp/w; echo 1 >> index.html; echo new > "a new one"');
    const after = await compared(before);
    expect(after.passed).toBe(false);
    expect(after.message).toContain('4 files of which some are not as at the snapshot, where there were 3');
    expect(after.message).toContain('"a new one", "index.html"');
    await inPod('cd /tmp/w; echo hello > index.html; rm "a new one"');
    expect((await compared(before)).passed).toBe(true);
    await inPod('cd /tmp/w; mv index.html index.htm');
    expect((await compared(before)).passed).toBe(false);
    await inPod('cd /tmp/w; mv index.htm index.html');
  });

  test('a folder that cannot be read, a pod that is not there, and no baseline are no verdict', async () => {
    const before = await measured();
    expect(await errorOf(compared(before, '/nowhere'))).toContain('/nowhere');
    expect(await errorOf(compared(undefined))).toContain('no baseline');
    const nobody = {name: 'files', checksum: {...folder, selector: 'app=nobody'}};
    expect(
      await errorOf(lookWith(nobody, {...context, baselines: new Map([['files', before ?? null]])})),
    ).toContain('no pod');
  });
});
