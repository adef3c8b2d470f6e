import {afterAll, beforeAll, expect, test, vi} from 'vitest';
import {readObject} from '../../../src/cluster/apply.ts';
import {type Cluster, connectCluster} from '../../../src/cluster/client.ts';
import {CORE_TYPES} from '../../../src/cluster/core-types.ts';
import {listAll} from '../../../src/cluster/list.ts';
import type {KubeObject} from '../../../src/cluster/object.ts';
import {executeRestore} from '../../../src/restore/execute.ts';
import {existingPolicyOf, parseExisting} from '../../../src/restore/existing-policy.ts';
import {RestoreJournal} from '../../../src/restore/journal.ts';
import {planRestore} from '../../../src/restore/preview.ts';
import {readTargetFacts} from '../../../src/restore/target-facts.ts';
import type {JsonObject} from '../../../src/std/json.ts';
import {at} from '../../../src/std/json-at.ts';
import {waitFor} from '../../../src/std/wait.ts';
import {startLocalCluster, type TestCluster} from '../../bed/local-cluster.ts';
import {entry, kubeObject, workload} from '../objects.ts';

/** What of restore-rules.md needs controllers and pods that run: on a real kubelet. */

vi.setConfig({testTimeout: 900_000, hookTimeout: 900_000});

const {signal} = new AbortController();
let bed: TestCluster;
let cluster: Cluster;

beforeAll(async () => {
  bed = await startLocalCluster();
  cluster = await connectCluster({kubeconfig: bed.kubeconfig});
});
afterAll(async () => {
  await cluster?.close();
  await bed?.stop();
});

const running: JsonObject = {
  terminationGracePeriodSeconds: 0,
  containers: [
    {name: 'main', image: 'localhost/busybox:1', imagePullPolicy: 'Never', command: ['sleep', '3600']},
  ],
};

async function restore(objects: readonly KubeObject[], ...existing: string[]) {
  const target = await readTargetFacts(cluster, {signal});
  const plan = await planRestore({objects: objects.map(entry), mode: 'recover', target});
  const choice = parseExisting(existing, 'skip');
  const journal = await RestoreJournal.begin({
    repository: 'memory',
    snapshot: 'memory',
    mode: 'recover',
    target: {uid: 'test', server: cluster.server},
    select: {namespaces: ['*'], clusterScoped: 'all'},
    namespaces: {},
    existing: choice,
    allowEmptyVolumes: false,
  });
  const waited: string[] = [];
  const result = await executeRestore({
    cluster,
    plan,
    target,
    existing: existingPolicyOf(choice),
    journal,
    readyTimeoutMs: 60_000,
    waitMs: 60_000,
    signal,
    onEvent: event => {
      if (event.type === 'waiting') waited.push(event.waitingFor);
    },
  }).finally(() => journal.close());
  return {...result, waited};
}

const inside = (namespace: string) => (object: KubeObject) => ({
  ...object,
  metadata: {...object.metadata, namespace},
});
const podsOf = (namespace: string) => listAll(cluster, CORE_TYPES.Pod, {namespace});

test('a StatefulSet in OrderedReady order starts its pods one after another, and the restore waits for all', async () => {
  const mine = inside('ordered');
  const {result, summary} = await restore([
    kubeObject('v1', 'Namespace', 'ordered'),
    mine(
      kubeObject('v1', 'Service', 'db', {
        spec: {clusterIP: 'None', selector: {app: 'db'}, ports: [{port: 80}]},
      }),
    ),
    mine(
      workload('StatefulSet', 'db', running, {
        serviceName: 'db',
        replicas: 3,
        podManagementPolicy: 'OrderedReady',
      }),
    ),
  ]);
  expect(summary.unhealthy).toEqual([]);
  expect(result).toBe('complete');
  const started = (await podsOf('ordered')).map(({metadata}) => [metadata.creationTimestamp, metadata.name]);
  expect(started.sort().map(([, name]) => name)).toEqual(['db-0', 'db-1', 'db-2']);
});

test('an autoscaler comes when what it scales is healthy', async () => {
  const mine = inside('scaled');
  const hpa = mine(
    kubeObject('autoscaling/v2', 'HorizontalPodAutoscaler', 'web', {
      spec: {scaleTargetRef: {apiVersion: 'apps/v1', kind: 'Deployment', name: 'web'}, maxReplicas: 4},
    }),
  );
  const {result, waited} = await restore([
    kubeObject('v1', 'Namespace', 'scaled'),
    hpa,
    mine(workload('Deployment', 'web', running)),
  ]);
  expect(result).toBe('complete');
  expect(waited.join()).toContain('workloads that autoscalers scale');
  const [web] = await listAll(cluster, CORE_TYPES.Deployment, {namespace: 'scaled'});
  expect(web?.status).toMatchObject({readyReplicas: 2});
});

test('a workload that is recreated has none of its old pods left', async () => {
  const mine = inside('again');
  const web = (labels: Record<string, string>) =>
    mine({
      ...workload('Deployment', 'web', running, {
        selector: {matchLabels: labels},
        template: {metadata: {labels}, spec: running},
      }),
    });
  const namespace = kubeObject('v1', 'Namespace', 'again');
  await restore([namespace, web({app: 'web', generation: 'old'})]);
  const before = new Set((await podsOf('again')).map(({metadata}) => metadata.uid));
  expect(before.size).toBe(2);
  const refused = await restore([namespace, web({app: 'web', generation: 'new'})], 'update');
  expect(refused.summary.failures.map(({reason}) => reason).join()).toContain('recreate it, --existing');
  const {result, summary} = await restore([namespace, web({app: 'web', generation: 'new'})], 'recreate');
  expect(summary.failures).toEqual([]);
  expect(result).toBe('complete');
  const after = await podsOf('again');
  expect(after.filter(({metadata}) => before.has(metadata.uid))).toEqual([]);
  expect(after).toHaveLength(2);
});

test('the default ServiceAccount that the controller makes gets what the snapshot has', async () => {
  const account = inside('accounts')(
    kubeObject('v1', 'ServiceAccount', 'default', {
      automountServiceAccountToken: false,
      imagePullSecrets: [{name: 'registry'}],
    }),
  );
  const {result} = await restore([kubeObject('v1', 'Namespace', 'accounts'), account]);
  expect(result).toBe('complete');
  const live = await waitFor(
    () => readObject(cluster, CORE_TYPES.ServiceAccount, {name: 'default', namespace: 'accounts'}),
    {waitingFor: 'the account', timeoutMs: 10_000},
  );
  expect(live).toMatchObject({automountServiceAccountToken: false, imagePullSecrets: [{name: 'registry'}]});
});

test('a quota that is full refuses with the reason of the API server, and what to do', async () => {
  const mine = inside('full');
  const namespace = kubeObject('v1', 'Namespace', 'full');
  const quota = mine(kubeObject('v1', 'ResourceQuota', 'few', {spec: {hard: {'count/secrets': '1'}}}));
  await restore([namespace, quota]);
  // The API server enforces a quota when its controller has counted what is there.
  await waitFor(
    async () => {
      const live = await cluster.request('GET', '/api/v1/namespaces/full/resourcequotas/few');
      return at(live, 'status', 'used', 'count/secrets') === undefined ? undefined : true;
    },
    {waitingFor: 'the quota to be counted', timeoutMs: 30_000},
  );
  const secrets = ['a', 'b', 'c'].map(name =>
    mine(kubeObject('v1', 'Secret', name, {type: 'Opaque', data: {}})),
  );
  const {result, summary} = await restore([namespace, quota, ...secrets]);
  expect(result).toBe('incomplete');
  expect(summary.failures).toHaveLength(2);
  expect(summary.failures[0]?.reason).toMatch(/exceeded quota: few.*raise the quota/);
});

test('a Job that had not ended runs, and one that is suspended stays so', async () => {
  const mine = inside('jobs');
  const job = (name: string, spec: JsonObject = {}) =>
    mine(
      kubeObject('batch/v1', 'Job', name, {
        spec: {
          ...spec,
          template: {
            spec: {
              ...running,
              restartPolicy: 'Never',
              containers: [
                {name: 'main', image: 'localhost/busybox:1', imagePullPolicy: 'Never', command: ['true']},
              ],
            },
          },
        },
      }),
    );
  const {result} = await restore([
    kubeObject('v1', 'Namespace', 'jobs'),
    job('import'),
    job('paused', {suspend: true}),
  ]);
  expect(result).toBe('complete');
  const done = await waitFor(
    async () => {
      const live = await readObject(cluster, CORE_TYPES.Job, {name: 'import', namespace: 'jobs'});
      return JSON.stringify(live?.status).includes('"succeeded":1') ? live : undefined;
    },
    {waitingFor: 'the job to succeed', timeoutMs: 60_000},
  );
  expect(done).toBeDefined();
  const paused = await readObject(cluster, CORE_TYPES.Job, {name: 'paused', namespace: 'jobs'});
  expect(paused?.spec?.suspend).toBe(true);
});
