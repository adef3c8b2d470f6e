import {afterAll, beforeAll, describe, expect, test, vi} from 'vitest';
import {createObject, readObject} from '../../src/cluster/apply.ts';
import {type Cluster, connectCluster} from '../../src/cluster/client.ts';
import {discoverResources} from '../../src/cluster/discover.ts';
import {type KubeObject, objectRef} from '../../src/cluster/object.ts';
import {ResourceMap} from '../../src/cluster/resource-map.ts';
import type {StoredObject} from '../../src/repository/object-set.ts';
import {waitEstablished} from '../../src/restore/established.ts';
import type {RestoreMode} from '../../src/restore/rules/rule.ts';
import {at} from '../../src/std/json-at.ts';
import {captureAll} from '../bed/capture.ts';
import {startControlPlane} from '../bed/control-plane.ts';
import {fill} from './fill.ts';
import {kubeObject} from './objects.ts';
import {RestoreBed, type RestoredCase} from './on-a-cluster/bed.ts';
import {REAL_WORLD_NAMESPACES, realWorldSet} from './real-world-set.ts';

vi.setConfig({testTimeout: 900_000, hookTimeout: 900_000});

const {signal} = new AbortController();
const NAMESPACES = [...REAL_WORLD_NAMESPACES, 'shop'];
const capture = (cluster: Cluster) =>
  captureAll(cluster, {namespaces: NAMESPACES, clusterScoped: 'all'}, signal);

let captured: StoredObject[];

/** Argo CD, CloudNativePG and the Prometheus operator as released, what uses them, and the mixed set. */
beforeAll(async () => {
  const plane = await startControlPlane();
  const source = await connectCluster({kubeconfig: plane.kubeconfig});
  try {
    await fill(source);
    const objects = await realWorldSet();
    const definitions = objects.filter(({kind}) => kind === 'CustomResourceDefinition');
    let types = new ResourceMap(await discoverResources(source, {signal}));
    for (const object of definitions) await createObject(source, types.of(object), object);
    await waitEstablished(source, definitions, signal);
    types = new ResourceMap(await discoverResources(source, {signal}));
    for (const object of objects)
      if (object.kind !== 'CustomResourceDefinition') await createObject(source, types.of(object), object);
    await own(source, types);
    captured = (await capture(source)).objects;
  } finally {
    await source.close();
    await plane.stop();
  }
});

/** A Secret of the database and one of the certificate, owned as their operators would have it. */
async function own(source: Cluster, types: ResourceMap): Promise<void> {
  for (const [kind, owner, name] of [
    ['clusters.postgresql.cnpg.io', 'db', 'db-app'],
    ['certificates.certificates.example.com', 'web', 'web-tls'],
  ] as const) {
    const type = types.named(kind);
    const live = type && (await readObject(source, type, {namespace: 'orders', name: owner}));
    if (!live) throw new Error(`no ${kind} ${owner}`);
    const {apiVersion, metadata} = live;
    const reference = {apiVersion, kind: live.kind, name: owner, uid: metadata.uid ?? '', controller: true};
    const secret = kubeObject('v1', 'Secret', name, {
      type: 'Opaque',
      data: {password: 'aHVudGVyMg=='},
      metadata: {namespace: 'orders', ownerReferences: [reference]},
    });
    await createObject(source, types.of(secret), secret);
  }
}

const byRef = (records: readonly StoredObject[]) =>
  new Map(records.map(({object}) => [objectRef(object), object]));
const withoutOwners = (object: KubeObject | undefined) =>
  object && {...object, metadata: {...object.metadata, ownerReferences: []}};

describe.each(['recover', 'drill'] as const)('a real-world set, %s', (mode: RestoreMode) => {
  let bed: RestoreBed;
  let first: RestoredCase;
  let live: Map<string, KubeObject>;
  beforeAll(async () => {
    bed = await RestoreBed.start();
    first = await bed.restoreSnapshot(captured, {mode});
    live = byRef((await capture(bed.target)).objects);
  });
  afterAll(() => bed?.stop());

  test('comes back whole, and every object is accounted for', () => {
    expect(captured.length).toBeGreaterThan(150);
    const reached = first.summary.failures.filter(({reason}) => !reason.includes('not reached'));
    expect(reached).toEqual([]);
    const sum = (field: 'expected' | 'restored' | 'skipped' | 'failed') =>
      first.summary.kinds.reduce((total, kind) => total + kind[field], 0);
    expect(sum('expected')).toBe(captured.length);
    expect(sum('restored') + sum('skipped') + sum('failed')).toBe(captured.length);
    const left = first.plan.skipped.filter(({rule}) => rule !== 'built-in').map(({ref}) => ref);
    expect(left).toEqual(['PersistentVolume pv-1']);
  });

  test('each object is as it was, but for what is told', () => {
    const altered = new Set([
      ...first.plan.changes.map(({ref}) => ref),
      ...first.plan.skipped.map(({ref}) => ref),
    ]);
    const absent = new Set(first.summary.failures.map(({ref}) => ref));
    let same = 0;
    for (const {object} of captured) {
      const ref = objectRef(object);
      if (altered.has(ref) || absent.has(ref)) continue;
      expect(withoutOwners(live.get(ref)), ref).toEqual(withoutOwners(object));
      same += 1;
    }
    expect(same).toBeGreaterThan(100);
  });

  test('operators come before their custom resources, webhooks last, and what is owned has its new owner', () => {
    const order = first.written;
    const place = (text: string) => order.findIndex(ref => ref.includes(text));
    expect(place('Cluster orders/db')).toBeGreaterThan(
      place('Deployment cnpg-system/cnpg-controller-manager'),
    );
    expect(place('Application argocd/orders')).toBeGreaterThan(
      place('StatefulSet argocd/argocd-application-controller'),
    );
    const hooks = order.flatMap((ref, index) => (ref.startsWith('ValidatingWebhook') ? [index] : []));
    const configs = order.flatMap((ref, index) =>
      /^(Certificate|Cluster|Application) /.test(ref) ? [index] : [],
    );
    expect(Math.min(...hooks)).toBeGreaterThan(Math.max(...configs));
    const owners = (ref: string) => live.get(ref)?.metadata.ownerReferences?.map(({kind}) => kind);
    expect(owners('Secret orders/db-app')).toEqual(['Cluster']);
    expect(owners('Secret orders/web-tls')).toEqual(['Certificate']);
  });

  test('again it changes nothing', async () => {
    const second = await bed.restoreSnapshot(captured, {mode});
    const written = second.outcomes.filter(({outcome}) => outcome !== 'unchanged');
    expect(written.map(({ref, outcome, reason}) => ({ref, outcome, reason}))).toEqual([]);
  });

  test(`GitOps and backups ${mode === 'drill' ? 'are off' : 'are as they were'}`, () => {
    const application = live.get('argoproj.io/Application argocd/orders');
    expect(at(application, 'spec', 'syncPolicy', 'automated') !== undefined).toBe(mode === 'recover');
    const backup = live.get('postgresql.cnpg.io/ScheduledBackup orders/nightly');
    expect(at(backup, 'spec', 'suspend') === true).toBe(mode === 'drill');
    const replicas = live.get('apps/Deployment cnpg-system/cnpg-controller-manager')?.spec?.replicas;
    expect(replicas).toBe(mode === 'drill' ? 0 : 1);
  });
});
