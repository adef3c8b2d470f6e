import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {createObject, patchObject, readObject} from '../../src/cluster/apply.ts';
import {type Cluster, connectCluster} from '../../src/cluster/client.ts';
import {discoverResources} from '../../src/cluster/discover.ts';
import {type KubeObject, objectRef} from '../../src/cluster/object.ts';
import {ResourceMap} from '../../src/cluster/resource-map.ts';
import type {StoredObject} from '../../src/repository/object-set.ts';
import {summarizeRestore} from '../../src/restore/completeness.ts';
import {planRestore} from '../../src/restore/preview.ts';
import type {RestoreMode} from '../../src/restore/rules/rule.ts';
import {type ObjectOutcome, restoreWaves, UidMap} from '../../src/restore/run.ts';
import {readTargetFacts} from '../../src/restore/target-facts.ts';
import {captureAll} from '../bed/capture.ts';
import {type ControlPlane, startControlPlane} from '../bed/control-plane.ts';
import {fill} from './fill.ts';
import {MIXED_SET, OWNED_SET} from './mixed-set.ts';

const {signal} = new AbortController();
const planes: ControlPlane[] = [];
const clusters: Cluster[] = [];

async function startCluster(): Promise<Cluster> {
  const plane = await startControlPlane();
  planes.push(plane);
  const cluster = await connectCluster({kubeconfig: plane.kubeconfig});
  clusters.push(cluster);
  return cluster;
}

async function capture(cluster: Cluster, namespaces = ['shop']): Promise<StoredObject[]> {
  return (await captureAll(cluster, {namespaces, clusterScoped: 'referenced'}, signal)).objects;
}

async function restore(cluster: Cluster, objects: readonly StoredObject[], mode: RestoreMode) {
  const plan = await planRestore({objects, mode, target: await readTargetFacts(cluster, {signal})});
  const uids = new UidMap();
  const outcomes: ObjectOutcome[] = [];
  for (const when of ['before-groups', 'after-groups'] as const)
    outcomes.push(...(await restoreWaves({cluster, plan, when, uids, signal})));
  return {plan, outcomes, summary: summarizeRestore(plan, outcomes)};
}

const refsOf = (records: readonly StoredObject[]) => records.map(({object}) => objectRef(object)).sort();
const failuresOf = (outcomes: readonly ObjectOutcome[]) =>
  outcomes.filter(({outcome}) => outcome === 'failed');
const byRef = (records: readonly StoredObject[]) =>
  new Map(records.map(({object}) => [objectRef(object), object]));

let source: Cluster;
let captured: StoredObject[];

beforeAll(async () => {
  source = await startCluster();
  await fill(source);
  captured = await capture(source);
});
afterAll(async () => {
  for (const cluster of clusters) await cluster.close();
  for (const plane of planes) await plane.stop();
});

describe('captureObjects', () => {
  test('takes what a user made, and of cluster-scoped objects what that needs', () => {
    const refs = new Set(refsOf(captured));
    const expected = [...MIXED_SET, ...OWNED_SET.map(({object}) => object)].map(objectRef);
    const left = [
      'storage.k8s.io/StorageClass unused',
      'rbac.authorization.k8s.io/ClusterRole unrelated',
      'Secret shop/operator-token',
      'ConfigMap shop/kube-root-ca.crt',
      'coordination.k8s.io/Lease shop/leader',
      'batch/Job shop/complete',
      'batch/Job shop/failed',
      'batch/Job shop/mail-1',
      'apps/ReplicaSet shop/web-1',
    ];
    expect([...refs].sort()).toEqual(expected.filter(ref => !left.includes(ref)).sort());
  });

  test('keeps nothing that the API server wrote by itself', () => {
    for (const {object} of captured) {
      expect(object.status).toBeUndefined();
      for (const field of ['uid', 'resourceVersion', 'generation', 'creationTimestamp', 'managedFields']) {
        expect(object.metadata, objectRef(object)).not.toHaveProperty(field);
      }
    }
  });

  test('fails, and says which namespace, when one is named that is not there', async () => {
    await expect(capture(source, ['shop', 'nowhere'])).rejects.toThrow('nowhere');
  });

  test('fails when a kind may not be listed, and names it', async () => {
    const plane = planes[0];
    if (!plane) throw new Error('no control plane');
    const role = {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: {name: 'no-secrets'},
      rules: [{apiGroups: [''], resources: ['namespaces', 'configmaps'], verbs: ['list']}],
    };
    const binding = {
      ...role,
      kind: 'ClusterRoleBinding',
      rules: undefined,
      roleRef: {apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'no-secrets'},
      subjects: [{kind: 'User', name: 'jane', apiGroup: 'rbac.authorization.k8s.io'}],
    };
    const types = new ResourceMap(await discoverResources(source, {signal}));
    await createObject(source, types.of(role), role);
    await createObject(source, types.of(binding), binding);
    const jane = await connectCluster({kubeconfig: await plane.kubeconfigOf('jane')});
    clusters.push(jane);
    const select = {namespaces: ['shop'], clusterScoped: 'none' as const, kinds: ['configmaps', 'secrets']};
    await expect(captureAll(jane, select, signal)).rejects.toThrow(/secrets/i);
  });
});

describe('a recovery', () => {
  let target: Cluster;
  let first: Awaited<ReturnType<typeof restore>>;
  beforeAll(async () => {
    target = await startCluster();
    first = await restore(target, captured, 'recover');
  });

  test('brings everything back, and accounts for each object', () => {
    expect(failuresOf(first.outcomes)).toEqual([]);
    expect(first.plan.skipped.map(({ref}) => ref)).toEqual(['PersistentVolume pv-1']);
    expect(first.summary.kinds.reduce((sum, kind) => sum + kind.restored + kind.skipped, 0)).toBe(
      captured.length,
    );
  });

  test('gives the same canonical objects, but for what the rules say', async () => {
    const live = byRef(await capture(target));
    const altered = new Set(first.plan.changes.map(({ref}) => ref));
    for (const {object} of captured) {
      const ref = objectRef(object);
      if (ref === 'PersistentVolume pv-1') continue;
      const {ownerReferences: _old, ...metadata} = object.metadata;
      const {ownerReferences: _new, ...found} = live.get(ref)?.metadata ?? {name: ''};
      if (!altered.has(ref)) expect({...live.get(ref), metadata: found}, ref).toEqual({...object, metadata});
    }
    expect(live.get('Service shop/web')?.spec?.clusterIP).toMatch(/^\d/);
    expect(
      live.get('apiextensions.k8s.io/CustomResourceDefinition carts.shop.example')?.spec?.conversion,
    ).toMatchObject({strategy: 'Webhook'});
    const nodePort = (object: KubeObject | undefined) => JSON.stringify(object?.spec?.ports);
    expect(nodePort(live.get('Service shop/node'))).toBe(nodePort(byRef(captured).get('Service shop/node')));
  });

  test('links owned objects to the new owners, also to those made later', async () => {
    const types = new ResourceMap(await discoverResources(target, {signal}));
    const read = async (kind: string, name: string) => {
      const type = types.named(kind);
      return type && (await readObject(target, type, {name, namespace: 'shop'}));
    };
    const [cart, second, secret, config, orphan] = await Promise.all([
      read('carts', 'first'),
      read('carts', 'second'),
      read('secrets', 'cart-key'),
      read('configmaps', 'of-cart'),
      read('configmaps', 'orphan'),
    ]);
    expect(secret?.metadata.ownerReferences?.map(({uid}) => uid)).toEqual([cart?.metadata.uid]);
    expect(second?.metadata.ownerReferences?.map(({uid}) => uid)).toEqual([cart?.metadata.uid]);
    expect(config?.metadata.ownerReferences?.map(({uid}) => uid)).toEqual([second?.metadata.uid]);
    expect(orphan?.metadata.name).toBe('orphan');
    expect(orphan?.metadata.ownerReferences).toBeUndefined();
  });

  test('keeps the choice of the default ServiceAccount', () => {
    expect(byRef(captured).get('ServiceAccount shop/default')?.automountServiceAccountToken).toBe(false);
  });

  test('done twice changes nothing', async () => {
    const versions = async () =>
      new Map(
        (await capture(target)).map(record => [objectRef(record.object), JSON.stringify(record.object)]),
      );
    const before = await versions();
    const second = await restore(target, captured, 'recover');
    const written = second.outcomes.filter(({outcome}) => outcome !== 'unchanged');
    expect(written.map(({ref}) => ref)).toEqual([]);
    expect(await versions()).toEqual(before);
  });

  test('mends what was altered since, or leaves it, as told', async () => {
    const types = new ResourceMap(await discoverResources(target, {signal}));
    const type = types.named('configmaps');
    if (!type) throw new Error('no config maps');
    const name = {name: 'web', namespace: 'shop'};
    await patchObject(target, type, name, {data: {a: 'altered'}});
    const plan = await planRestore({
      objects: captured,
      mode: 'recover',
      target: await readTargetFacts(target, {signal}),
    });
    const left = await restoreWaves({
      cluster: target,
      plan,
      when: 'before-groups',
      existing: () => 'skip',
      signal,
    });
    expect(left.find(({ref}) => ref === 'ConfigMap shop/web')?.outcome).toBe('skipped');
    const mended = await restoreWaves({cluster: target, plan, when: 'before-groups', signal});
    expect(mended.find(({ref}) => ref === 'ConfigMap shop/web')?.outcome).toBe('changed');
    expect((await readObject(target, type, name))?.data).toEqual({a: '1', b: '2'});
  });
});

describe('a drill', () => {
  let target: Cluster;
  let drill: Awaited<ReturnType<typeof restore>>;
  beforeAll(async () => {
    target = await startCluster();
    drill = await restore(target, captured, 'drill');
  });

  test('restores everything at rest and unpublished', async () => {
    expect(failuresOf(drill.outcomes)).toEqual([]);
    const live = byRef(await capture(target));
    for (const name of ['Deployment shop/web', 'Deployment shop/operator', 'StatefulSet shop/db'])
      expect(live.get(`apps/${name}`)?.spec?.replicas, name).toBe(0);
    expect(live.get('batch/CronJob shop/mail')?.spec?.suspend).toBe(true);
    expect(live.get('batch/Job shop/running')?.spec?.suspend).toBe(true);
    for (const name of ['node', 'public'])
      expect(live.get(`Service shop/${name}`)?.spec?.type, name).toBe('ClusterIP');
    expect(JSON.stringify(live.get('networking.k8s.io/Ingress shop/web'))).toContain(
      'shop.example.com.invalid',
    );
    expect(live.get('ServiceAccount shop/operator')?.metadata.annotations).toBeUndefined();
    expect(live.has('PersistentVolume pv-1')).toBe(false);
    expect(live.has('autoscaling/HorizontalPodAutoscaler shop/web')).toBe(false);
  });

  test('records each guard', () => {
    const numbers = new Set(drill.plan.guards.map(({number}) => number));
    expect([...numbers].sort((a, b) => a - b)).toEqual([5, 6, 9, 12, 13]);
  });

  test('counts what the groups would have created as not reached', () => {
    expect(drill.summary.failures).toEqual([
      {ref: 'autoscaling/HorizontalPodAutoscaler shop/web', reason: expect.stringContaining('not reached')},
    ]);
  });

  test('names a Secret that is not in the snapshot', async () => {
    const without = captured.filter(({object}) => objectRef(object) !== 'Secret shop/db-credentials');
    const plan = await planRestore({
      objects: without,
      mode: 'drill',
      target: await readTargetFacts(target, {signal}),
    });
    expect(plan.findings.filter(({severity}) => severity === 'error').map(({message}) => message)).toEqual([
      'missing Secret shop/db-credentials, needed by StatefulSet shop/db',
    ]);
  });
});

test('an object that the API server refuses is an outcome with its reason, and the others are restored', async () => {
  const [target] = clusters.slice(-1);
  if (!target) throw new Error('no target');
  const bad = captured.map(record => {
    const renamed = {...record.object, metadata: {...record.object.metadata, name: 'Bad_Name'}};
    return objectRef(record.object) === 'ConfigMap shop/web' ? {...record, object: renamed} : record;
  });
  const {outcomes, summary} = await restore(target, bad, 'drill');
  expect(failuresOf(outcomes)).toEqual([
    expect.objectContaining({
      ref: 'ConfigMap shop/Bad_Name',
      reason: expect.stringContaining('Invalid value'),
    }),
  ]);
  expect(summary.failures).toContainEqual({
    ref: 'ConfigMap shop/Bad_Name',
    reason: expect.stringContaining('Bad_Name'),
  });
});

test('a namespace that is being deleted in the target ends the restore at once', async () => {
  const [target] = clusters.slice(-1);
  if (!target) throw new Error('no target');
  await target.request('DELETE', '/api/v1/namespaces/shop', {});
  await expect(restore(target, captured, 'drill')).rejects.toThrow('Namespace shop is being deleted');
});
