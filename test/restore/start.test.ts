import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {readObject} from '../../src/cluster/apply.ts';
import {type Cluster, connectCluster} from '../../src/cluster/client.ts';
import {CORE_TYPES} from '../../src/cluster/core-types.ts';
import {listAll} from '../../src/cluster/list.ts';
import type {KubeObject} from '../../src/cluster/object.ts';
import {summarizeRestore} from '../../src/restore/completeness.ts';
import {EMPTY_POLICY, type GroupPolicy} from '../../src/restore/policy.ts';
import {planRestore, type RestorePlan} from '../../src/restore/preview.ts';
import type {RestoreMode} from '../../src/restore/rules/rule.ts';
import {restoreWaves} from '../../src/restore/run.ts';
import type {RestoreEvent} from '../../src/restore/session.ts';
import {startGroup} from '../../src/restore/start.ts';
import {readTargetFacts} from '../../src/restore/target-facts.ts';
import type {JsonObject} from '../../src/std/json.ts';
import {startLocalCluster, type TestCluster} from '../bed/local-cluster.ts';
import {entry, kubeObject, workload} from './objects.ts';

const {signal} = new AbortController();
let bed: TestCluster;
let cluster: Cluster;

const running = (image = 'localhost/busybox:1'): JsonObject => ({
  terminationGracePeriodSeconds: 0,
  containers: [{name: 'main', image, imagePullPolicy: 'Never', command: ['sleep', '3600']}],
});

function shop(namespace: string): KubeObject[] {
  const mine = (object: KubeObject) => ({...object, metadata: {...object.metadata, namespace}});
  return [
    kubeObject('v1', 'Namespace', namespace),
    mine(workload('Deployment', 'web', running())),
    mine(workload('StatefulSet', 'db', running(), {serviceName: 'db', replicas: 1})),
    mine(workload('DaemonSet', 'agent', running())),
    mine(workload('Deployment', 'broken', running('localhost/no-such-image:1'))),
    mine(workload('Deployment', 'idle', running(), {replicas: 0})),
    mine(kubeObject('v1', 'Pod', 'lone', {metadata: {labels: {app: 'web'}}, spec: running()})),
    mine(
      kubeObject('autoscaling/v2', 'HorizontalPodAutoscaler', 'web', {
        spec: {scaleTargetRef: {apiVersion: 'apps/v1', kind: 'Deployment', name: 'web'}, maxReplicas: 4},
      }),
    ),
    mine(
      kubeObject('batch/v1', 'CronJob', 'mail', {
        metadata: {labels: {app: 'web'}},
        spec: {
          schedule: '0 3 * * *',
          jobTemplate: {spec: {template: {spec: {...running(), restartPolicy: 'Never'}}}},
        },
      }),
    ),
  ];
}

const groups = (namespace: string): GroupPolicy[] => [
  {name: 'data', dependsOn: [], select: {namespaces: [namespace], selector: 'app in (db,agent)'}},
  {
    name: 'app',
    dependsOn: ['data'],
    select: {namespaces: [namespace], selector: 'app in (web,idle)'},
    maxParallel: 1,
  },
  {name: 'broken', dependsOn: [], select: {namespaces: [namespace], selector: 'app=broken'}},
];

async function planFor(namespace: string, mode: RestoreMode): Promise<RestorePlan> {
  const target = await readTargetFacts(cluster, {signal});
  return planRestore({
    objects: shop(namespace).map(entry),
    mode,
    target,
    policy: {...EMPTY_POLICY, groups: groups(namespace)},
  });
}

const pods = (namespace: string) => listAll(cluster, CORE_TYPES.Pod, {namespace});
const start = (
  plan: RestorePlan,
  group: string,
  timeoutMs = 60_000,
  onEvent?: (event: RestoreEvent) => void,
) => startGroup({cluster, plan, group, timeoutMs, signal, onEvent});

beforeAll(async () => {
  bed = await startLocalCluster();
  cluster = await connectCluster({kubeconfig: bed.kubeconfig});
});
afterAll(async () => {
  await cluster?.close();
  await bed?.stop();
});

describe('a drill on a real node', () => {
  const namespace = 'shop';
  let plan: RestorePlan;
  const outcomes: Awaited<ReturnType<typeof restoreWaves>> = [];
  beforeAll(async () => {
    plan = await planFor(namespace, 'drill');
    outcomes.push(...(await restoreWaves({cluster, plan, when: 'before-groups', signal})));
  });

  test('nothing runs before its group is started', async () => {
    expect(outcomes.filter(({outcome}) => outcome === 'failed')).toEqual([]);
    expect(await pods(namespace)).toEqual([]);
  });

  test('a group brings its workloads to the replicas that they had, and waits until they are healthy', async () => {
    const events: RestoreEvent[] = [];
    const data = await start(plan, 'data', 60_000, event => events.push(event));
    expect(data.workloads.map(({ref, state}) => [ref, state])).toEqual([
      ['apps/DaemonSet shop/agent', 'healthy'],
      ['apps/StatefulSet shop/db', 'healthy'],
    ]);
    expect(data.healthy).toBe(true);
    expect(events.map(({type}) => type)).toContain('workload-healthy');
    expect((await pods(namespace)).map(({metadata}) => metadata.labels?.app).sort()).toEqual(['agent', 'db']);
    const set = await readObject(cluster, CORE_TYPES.StatefulSet, {name: 'db', namespace});
    expect(set?.metadata.annotations).toBeUndefined();
  });

  test('its pods without an owner and its autoscalers come when it is healthy; its CronJobs stay suspended', async () => {
    const app = await start(plan, 'app');
    outcomes.push(...app.outcomes);
    expect(app.healthy).toBe(true);
    expect(app.workloads.map(({ref}) => ref)).toEqual(['apps/Deployment shop/web']);
    expect(app.outcomes.map(({ref, outcome}) => [ref, outcome])).toEqual([
      ['Pod shop/lone', 'created'],
      ['autoscaling/HorizontalPodAutoscaler shop/web', 'created'],
    ]);
    const job = await readObject(cluster, CORE_TYPES.CronJob, {name: 'mail', namespace});
    expect(job?.spec?.suspend).toBe(true);
  });

  test('a workload that does not get healthy is named with its cause, at once when waiting is in vain', async () => {
    const began = performance.now();
    const broken = await start(plan, 'broken');
    expect(broken.healthy).toBe(false);
    expect(broken.workloads[0]?.state).not.toBe('healthy');
    expect(broken.workloads[0]?.reason).toContain('ErrImageNeverPull');
    expect(performance.now() - began).toBeLessThan(30_000);
  });

  test('restoring again leaves what was started running', async () => {
    const again = await restoreWaves({cluster, plan, when: 'before-groups', signal});
    const web = await readObject(cluster, CORE_TYPES.Deployment, {name: 'web', namespace});
    expect(web?.spec?.replicas).toBe(2);
    expect(again.filter(({outcome}) => outcome !== 'unchanged').map(({ref}) => ref)).toEqual([]);
  });

  test('everything is accounted for', () => {
    const {failures, kinds} = summarizeRestore(plan, outcomes);
    expect(failures).toEqual([]);
    expect(kinds.reduce((sum, {restored}) => sum + restored, 0)).toBe(shop(namespace).length);
  });
});

test('in a recovery the jobs of a group go on when it is healthy', async () => {
  const plan = await planFor('real', 'recover');
  await restoreWaves({cluster, plan, when: 'before-groups', signal});
  const job = () => readObject(cluster, CORE_TYPES.CronJob, {name: 'mail', namespace: 'real'});
  expect((await job())?.spec?.suspend).toBe(true);
  expect((await start(plan, 'app')).healthy).toBe(true);
  expect((await job())?.spec?.suspend).toBe(false);
});

test('a deadline that passes is told, and what comes later is not started', async () => {
  const plan = await planFor('late', 'drill');
  await restoreWaves({cluster, plan, when: 'before-groups', signal});
  const late = await start(plan, 'data', 0);
  expect(late.healthy).toBe(false);
  expect(late.outcomes).toEqual([]);
});
