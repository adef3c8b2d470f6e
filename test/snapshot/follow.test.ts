import {afterAll, beforeAll, expect, test} from 'vitest';
import {createObject, deleteObject, patchObject} from '../../src/cluster/apply.ts';
import {type Cluster, connectCluster} from '../../src/cluster/client.ts';
import {CORE_TYPES} from '../../src/cluster/core-types.ts';
import {MemoryStore} from '../../src/repository/memory.ts';
import {readObjects} from '../../src/repository/object-set.ts';
import {Repository} from '../../src/repository/repository.ts';
import type {SnapshotRoot} from '../../src/repository/snapshot-root.ts';
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
const repository = new Repository('memory', new MemoryStore(), Buffer.alloc(32));
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
