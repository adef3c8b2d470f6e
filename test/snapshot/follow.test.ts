import {afterAll, beforeAll, expect, test} from 'vitest';
import {createObject, deleteObject, patchObject} from '../../src/cluster/apply.ts';
import {type Cluster, connectCluster} from '../../src/cluster/client.ts';
import {CORE_TYPES} from '../../src/cluster/core-types.ts';
import {PraError} from '../../src/errors.ts';
import {MemoryStore} from '../../src/repository/memory.ts';
import {readObjects} from '../../src/repository/object-set.ts';
import {Repository} from '../../src/repository/repository.ts';
import {rootKey, type SnapshotRoot} from '../../src/repository/snapshot-root.ts';
import {createSnapshot} from '../../src/snapshot/create.ts';
import {type FollowEvent, followCluster} from '../../src/snapshot/follow.ts';
import {canonicalJson} from '../../src/std/json.ts';
import {waitFor} from '../../src/std/wait.ts';
import {captureAll} from '../bed/capture.ts';
import {type ControlPlane, startControlPlane} from '../bed/control-plane.ts';

const {ConfigMap, Namespace} = CORE_TYPES;
const select = {namespaces: ['shop*'], clusterScoped: 'referenced' as const};
const configMap = (name: string, data: Record<string, string>) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: {name, namespace: 'shop'},
  data,
});

let plane: ControlPlane;
let cluster: Cluster;
/** A fake for a fault: a store that is down when the test says so. */
class Unreliable extends MemoryStore {
  down = false;

  override async put(...put: Parameters<MemoryStore['put']>): Promise<void> {
    if (this.down) throw new PraError('STORE_UNREACHABLE', 'the store does not answer');
    return super.put(...put);
  }
}
const store = new Unreliable();
const repository = new Repository('memory', store, Buffer.alloc(32));
const stop = new AbortController();
const events: FollowEvent[] = [];
let following: Promise<void>;

const cuts = () => events.filter(event => event.type === 'cut');
const wholes = () => events.filter(event => event.type === 'whole');

beforeAll(async () => {
  plane = await startControlPlane();
  cluster = await connectCluster({kubeconfig: plane.kubeconfig});
  for (const name of ['shop', 'other'])
    await createObject(cluster, Namespace, {apiVersion: 'v1', kind: 'Namespace', metadata: {name}});
  for (let i = 0; i < 40; i += 1) await createObject(cluster, ConfigMap, configMap(`m-${i}`, {i: `${i}`}));
  following = followCluster({
    cluster,
    repository,
    select,
    tool: 'pra test',
    takeWhole: onCapture =>
      createSnapshot({
        cluster,
        repository,
        select,
        volumes: [],
        tool: 'pra test',
        signal: stop.signal,
        onCapture,
      }),
    everyMs: 200,
    wholeEveryMs: 3_600_000,
    signal: stop.signal,
    onEvent: event => void events.push(event),
  });
  following.catch(() => undefined);
  await waitFor(async () => wholes().length > 0 || undefined, {
    waitingFor: 'the first snapshot',
    timeoutMs: 30_000,
  });
});

afterAll(async () => {
  stop.abort();
  await following?.catch(() => undefined);
  await cluster?.close();
  await plane?.stop();
});

async function contentsOf(root: SnapshotRoot): Promise<string[]> {
  const found: string[] = [];
  for await (const {object} of readObjects(repository, root)) found.push(canonicalJson(object));
  return found.sort();
}

async function expectSameAsWhole(root: SnapshotRoot): Promise<void> {
  const {objects} = await captureAll(cluster, select);
  expect(await contentsOf(root)).toEqual(objects.map(({object}) => canonicalJson(object)).sort());
}

test('what is made, changed and deleted is in the next cut, and nothing else is written', async () => {
  await createObject(cluster, ConfigMap, configMap('new', {markup: '<b>&amp;</b>'}));
  await patchObject(cluster, ConfigMap, {name: 'm-1', namespace: 'shop'}, {data: {i: 'changed'}});
  await deleteObject(cluster, ConfigMap, {name: 'm-2', namespace: 'shop'});
  await createObject(cluster, ConfigMap, {
    ...configMap('elsewhere', {}),
    metadata: {name: 'elsewhere', namespace: 'other'},
  });
  await expect
    .poll(() => cuts().reduce((sum, cut) => sum + cut.changes, 0), {timeout: 20_000})
    .toBeGreaterThanOrEqual(4);
  await expect.poll(() => events.at(-1)?.type).toBe('idle');
  const cut = cuts().at(-1);
  if (!cut) throw new Error('no cut');
  await expectSameAsWhole(cut.root);
  expect(cut.root.bytes.written).toBeLessThan(2000);
  expect(cut.rpoMs).toBeLessThan(5_000);
  expect(cut.root.dataAt).toBe(wholes()[0]?.root.createdAt);
  // The same bytes come from a watch and from a list: a whole snapshot finds nothing to write.
  const whole = await createSnapshot({
    cluster,
    repository,
    select,
    volumes: [],
    tool: 'pra test',
    signal: stop.signal,
  });
  expect([whole.bytes.written, whole.trees]).toEqual([0, cut.root.trees]);
});

test('while the store is down nothing is lost, and it is told how much is not safe', async () => {
  const before = events.length;
  store.down = true;
  await createObject(cluster, ConfigMap, configMap('in-trouble', {a: '1'}));
  const troubles = () => events.slice(before).filter(event => event.type === 'trouble');
  await expect.poll(() => troubles().length, {timeout: 20_000}).toBeGreaterThan(2);
  await patchObject(cluster, ConfigMap, {name: 'in-trouble', namespace: 'shop'}, {data: {a: '2'}});
  await createObject(cluster, Namespace, {apiVersion: 'v1', kind: 'Namespace', metadata: {name: 'shop-new'}});
  // Now a whole snapshot is due, which fails as well.
  const seen = troubles().length;
  await expect.poll(() => troubles().length, {timeout: 20_000}).toBeGreaterThan(seen + 2);
  expect(troubles().at(-1)).toMatchObject({why: expect.stringContaining('does not answer')});
  store.down = false;
  await expect.poll(() => events.at(-1)?.type, {timeout: 20_000}).toBe('idle');
  const last = events.at(-1);
  if (last?.type !== 'idle') throw new Error('not idle');
  await expectSameAsWhole(last.root);
});

test('a snapshot that was forgotten is not gone on from', async () => {
  const idle = () => {
    const last = events.at(-1);
    return last?.type === 'idle' ? last.root : undefined;
  };
  const gone = idle();
  if (!gone) throw new Error('not idle');
  const before = wholes().length;
  await store.delete(rootKey(gone.id));
  await createObject(cluster, ConfigMap, configMap('after', {a: '1'}));
  await expect.poll(() => wholes().length, {timeout: 20_000}).toBeGreaterThan(before);
  await expect.poll(() => idle()?.id, {timeout: 20_000}).not.toBe(gone.id);
  await expect.poll(() => idle(), {timeout: 20_000}).toBeDefined();
  const now = idle();
  if (now) await expectSameAsWhole(now);
});

test('what is not selected or not needed stays out, and a namespace that changes leads to no whole snapshot', async () => {
  const before = wholes().length;
  await patchObject(cluster, Namespace, {name: 'other'}, {metadata: {labels: {changed: 'yes'}}});
  await patchObject(cluster, Namespace, {name: 'shop'}, {metadata: {labels: {changed: 'yes'}}});
  const roles = {
    ...Namespace,
    group: 'rbac.authorization.k8s.io',
    kind: 'ClusterRole',
    plural: 'clusterroles',
  };
  await createObject(cluster, roles, {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: {name: 'needed-by-nobody'},
    rules: [],
  });
  const count = cuts().length;
  await expect.poll(() => cuts().length, {timeout: 20_000}).toBeGreaterThan(count);
  await expect.poll(() => events.at(-1)?.type, {timeout: 20_000}).toBe('idle');
  const last = events.at(-1);
  if (last?.type !== 'idle') throw new Error('not idle');
  await expectSameAsWhole(last.root);
  expect(wholes()).toHaveLength(before);
});

test('a new namespace leads to a whole snapshot', async () => {
  const before = wholes().length;
  await createObject(cluster, Namespace, {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: {name: 'shop-two'},
  });
  await createObject(cluster, ConfigMap, {
    ...configMap('two', {}),
    metadata: {name: 'two', namespace: 'shop-two'},
  });
  await expect.poll(() => wholes().length, {timeout: 20_000}).toBeGreaterThan(before);
  await expect.poll(() => events.at(-1)?.type, {timeout: 20_000}).toBe('idle');
  const last = events.at(-1);
  if (last?.type !== 'idle') throw new Error('not idle');
  await expectSameAsWhole(last.root);
});

test('a new kind leads to a whole snapshot with its objects, also when it is served a moment later', async () => {
  const before = wholes().length;
  await createObject(cluster, CORE_TYPES.CustomResourceDefinition, {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {name: 'gadgets.shop.example'},
    spec: {
      group: 'shop.example',
      scope: 'Namespaced',
      names: {kind: 'Gadget', plural: 'gadgets', singular: 'gadget'},
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: {openAPIV3Schema: {type: 'object', 'x-kubernetes-preserve-unknown-fields': true}},
        },
      ],
    },
  });
  await expect.poll(() => wholes().length, {timeout: 20_000}).toBeGreaterThan(before);
  const gadgets = {...ConfigMap, group: 'shop.example', version: 'v1', kind: 'Gadget', plural: 'gadgets'};
  const gadget = {
    apiVersion: 'shop.example/v1',
    kind: 'Gadget',
    metadata: {name: 'one', namespace: 'shop'},
    spec: {large: 1},
  };
  await waitFor(() => createObject(cluster, gadgets, gadget).catch(() => undefined), {
    waitingFor: 'the kind Gadget',
    timeoutMs: 20_000,
  });
  const held = async () => {
    const last = events.at(-1);
    return last?.type === 'idle' ? (await contentsOf(last.root)).join() : '';
  };
  await expect.poll(held, {timeout: 30_000}).toContain('"kind":"Gadget"');
});
