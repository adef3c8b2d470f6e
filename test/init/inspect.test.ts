import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {createObject} from '../../src/cluster/apply.ts';
import {type Cluster, connectCluster} from '../../src/cluster/client.ts';
import {discoverResources} from '../../src/cluster/discover.ts';
import type {KubeObject} from '../../src/cluster/object.ts';
import {ResourceMap} from '../../src/cluster/resource-map.ts';
import {inspectCluster} from '../../src/init/inspect.ts';
import {writeSkeleton} from '../../src/init/skeleton.ts';
import {loadPlan} from '../../src/plan/load.ts';
import {shopObjects} from '../../src/quickstart/manifests.ts';
import {waitFor} from '../../src/std/wait.ts';
import {type ControlPlane, startControlPlane} from '../bed/control-plane.ts';
import {kubeObject} from '../restore/objects.ts';

let plane: ControlPlane;
let cluster: Cluster;
let dir: string;
const {signal} = new AbortController();

/** A kind is served a moment after its definition is created. */
async function create(object: KubeObject): Promise<void> {
  await waitFor(
    async () => {
      const types = new ResourceMap(await discoverResources(cluster));
      if (!types.find(object.apiVersion, object.kind)) return undefined;
      return createObject(cluster, types.of(object), object);
    },
    {waitingFor: object.kind, timeoutMs: 20_000, intervalMs: 200},
  );
}

beforeAll(async () => {
  plane = await startControlPlane();
  cluster = await connectCluster({kubeconfig: plane.kubeconfig});
  dir = await mkdtemp(join(tmpdir(), 'pra-init-'));
  for (const object of await shopObjects()) await create(object);
  await create(
    kubeObject('v1', 'PersistentVolumeClaim', 'data-db-0', {
      metadata: {namespace: 'shop-db', labels: {app: 'db'}},
      spec: {accessModes: ['ReadWriteOnce'], resources: {requests: {storage: '1Gi'}}},
    }),
  );
  const rules = [{apiGroups: ['', 'apps', 'batch'], resources: ['*'], verbs: ['get', 'list']}];
  const metadata = {name: 'reader'};
  await create({apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata, rules});
  await create({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata,
    roleRef: {apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'reader'},
    subjects: [{apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'reader'}],
  });
});
afterAll(async () => {
  await cluster?.close();
  await plane?.stop();
  if (dir) await rm(dir, {recursive: true, force: true});
});

describe('inspectCluster', () => {
  test('the shop of the quickstart becomes a valid plan without its password', async () => {
    const facts = await inspectCluster(cluster, {namespaces: [], signal});
    expect(facts.unread).toEqual([]);
    const {text, questions} = writeSkeleton(facts, {name: 'shop', context: undefined});
    expect(questions).toEqual([]);
    expect(text).not.toContain('quickstart-only');
    const file = join(dir, 'plan.yaml');
    await writeFile(file, text);
    const {spec} = (await loadPlan(file)).plan;
    expect(spec.source.include.namespaces).toEqual(['default', 'shop', 'shop-db']);
    expect(spec.source.clusterUID).toMatch(/^[0-9a-f-]{36}$/);
    expect(spec.source.volumes).toMatchObject([
      {select: {app: 'db'}, namespaces: ['shop-db'], method: 'dump'},
    ]);
    expect(spec.source.canary?.sql?.secretRef).toBe('shop-db/dsn#dsn');
    expect(spec.groups.map(({name, dependsOn}) => [name, dependsOn])).toEqual([
      ['shop-db', []],
      ['shop', ['shop-db']],
    ]);
    expect(spec.probes).toMatchObject([
      {name: 'workloads'},
      {http: {service: 'shop/web', port: 80, path: '/healthz'}},
      {http: {service: 'shop/web-public'}},
      {sql: {secretRef: 'shop-db/dsn#dsn'}},
      {k8s: {kind: 'promotions.shop.example.com', namespace: 'shop', expect: {count: {min: 3}}}},
      {canary: {}},
    ]);
  });

  test('keeps globs, and refuses namespaces that are not there', async () => {
    const {scope} = await inspectCluster(cluster, {namespaces: ['shop*'], signal});
    expect(scope).toMatchObject({include: ['shop*'], names: ['shop', 'shop-db'], exclude: []});
    await expect(inspectCluster(cluster, {namespaces: ['shpo'], signal})).rejects.toMatchObject({
      code: 'USAGE',
      why: expect.stringContaining('shop-db'),
    });
  });

  test('needs only rights to read, and says what it may not', async () => {
    const reader = await connectCluster({kubeconfig: await plane.kubeconfigOf('reader')});
    try {
      const facts = await inspectCluster(reader, {namespaces: ['shop', 'shop-db'], signal});
      expect(facts.dsns).toHaveLength(1);
      expect(facts.unread).toEqual([
        expect.stringMatching(
          /^(ingresses.networking.k8s.io|CustomResourceDefinitions) could not be read \(403\)/,
        ),
        expect.stringContaining('(403)'),
      ]);
    } finally {
      await reader.close();
    }
  });
});
