import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {createObject, deleteObject, patchObject} from '../../src/cluster/apply.ts';
import {type Cluster, connectCluster} from '../../src/cluster/client.ts';
import {CORE_TYPES} from '../../src/cluster/core-types.ts';
import type {KubeObject} from '../../src/cluster/object.ts';
import {MemoryStore} from '../../src/repository/memory.ts';
import {Repository} from '../../src/repository/repository.ts';
import type {SnapshotRoot} from '../../src/repository/snapshot-root.ts';
import {createSnapshot} from '../../src/snapshot/create.ts';
import {captureLive, diffSnapshots, type ObjectDiff} from '../../src/snapshot/diff.ts';
import {formatPath} from '../../src/std/json-diff.ts';
import {renderDiff} from '../../src/view/diff.ts';
import {type ControlPlane, startControlPlane} from '../bed/control-plane.ts';
import {configMap, saveSnapshot} from '../repository/snapshots.ts';

const {ConfigMap, Namespace, Secret} = CORE_TYPES;
const {signal} = new AbortController();

async function all(repository: Repository, before: SnapshotRoot, after: Pick<SnapshotRoot, 'id' | 'trees'>) {
  const found: ObjectDiff[] = [];
  for await (const diff of diffSnapshots(repository, before, after)) found.push(diff);
  return found;
}
const short = (diffs: readonly ObjectDiff[]) =>
  diffs.map(({change, type, name, fields}) => [
    change,
    type.kind,
    name,
    ...fields.map(({path}) => formatPath(path)),
  ]);

describe('between two snapshots', () => {
  const store = new MemoryStore();
  const repository = new Repository('memory', store, Buffer.alloc(32));

  test('what was added, changed and removed, and which fields', async () => {
    const objects = Array.from({length: 60}, (_, i) => configMap('a', `m-${i}`, {i: `${i}`}));
    const before = await saveSnapshot(repository, [...objects, configMap('b', 'gone', {})]);
    const after = await saveSnapshot(
      repository,
      [...objects.slice(1), configMap('a', 'm-0', {i: 'x'}), configMap('c', 'new', {})],
      before,
    );
    expect(short(await all(repository, before, after))).toEqual([
      ['changed', 'ConfigMap', 'm-0', 'data.i'],
      ['removed', 'ConfigMap', 'gone'],
      ['added', 'ConfigMap', 'new'],
    ]);
    expect(await all(repository, after, after)).toEqual([]);
  });

  test('another order of fields is no difference', async () => {
    const object = configMap('a', 'm', {a: '1', b: '2'});
    const turned: KubeObject = JSON.parse(
      '{"data":{"b":"2","a":"1"},"metadata":{"namespace":"a","name":"m"},"kind":"ConfigMap","apiVersion":"v1"}',
    );
    const before = await saveSnapshot(repository, [object]);
    const after = await saveSnapshot(repository, [turned]);
    expect(await all(repository, before, after)).toEqual([]);
  });

  test('reads no pack where nothing changed', async () => {
    const objects = Array.from({length: 60}, (_, i) => configMap('a', `m-${i}`, {i: `${i}`}));
    const first = await saveSnapshot(repository, [...objects, configMap('z', 'one', {})]);
    const second = await saveSnapshot(repository, objects, first);
    for await (const {key} of store.list('packs/')) await store.delete(key);
    expect(short(await all(repository, first, second))).toEqual([['removed', 'ConfigMap', 'one']]);
  });
});

describe('since a snapshot, in the live cluster', () => {
  let plane: ControlPlane;
  let cluster: Cluster;
  const repository = new Repository('memory', new MemoryStore(), Buffer.alloc(32));
  const select = {namespaces: ['shop'], clusterScoped: 'referenced' as const};
  const object = (kind: string, name: string, data: Record<string, string>) => ({
    apiVersion: 'v1',
    kind,
    metadata: {name, namespace: 'shop'},
    data,
  });

  beforeAll(async () => {
    plane = await startControlPlane();
    cluster = await connectCluster({kubeconfig: plane.kubeconfig});
    await createObject(cluster, Namespace, {apiVersion: 'v1', kind: 'Namespace', metadata: {name: 'shop'}});
    await createObject(cluster, Secret, object('Secret', 'db', {password: 'b2xkLXNlY3JldA=='}));
    for (const name of ['one', 'two'])
      await createObject(cluster, ConfigMap, object('ConfigMap', name, {text: 'a\nb\nc\n'}));
  });
  afterAll(async () => {
    await cluster?.close();
    await plane?.stop();
  });

  test('says what changed, and no value of a Secret', async () => {
    const root = await createSnapshot({cluster, repository, select, volumes: [], tool: 'pra test', signal});
    const compare = () => captureLive({repository, parent: root, cluster, select, signal});
    const before = await compare();
    expect(await all(before.repository, root, before.live)).toEqual([]);
    await patchObject(
      cluster,
      Secret,
      {name: 'db', namespace: 'shop'},
      {data: {password: 'bmV3LXNlY3JldA==', more: 'eA=='}},
    );
    await patchObject(cluster, ConfigMap, {name: 'one', namespace: 'shop'}, {data: {text: 'a\nB\nc\n'}});
    await deleteObject(cluster, ConfigMap, {name: 'two', namespace: 'shop'});
    await createObject(cluster, ConfigMap, object('ConfigMap', 'three', {}));
    const {repository: over, live} = await compare();
    const diffs = await all(over, root, live);
    expect(short(diffs)).toEqual([
      ['changed', 'ConfigMap', 'one', 'data.text'],
      ['added', 'ConfigMap', 'three'],
      ['removed', 'ConfigMap', 'two'],
      ['changed', 'Secret', 'db', 'data.more', 'data.password'],
    ]);
    const options = {before: root.id, after: 'live', stat: false, color: false};
    const text = renderDiff(diffs, options);
    expect(text).toContain('~ ConfigMap one\n    data.text:\n      line 2:\n      - b\n      + B\n');
    expect(text).toContain('1 added, 2 changed, 1 removed');
    expect(text + JSON.stringify(diffs)).not.toMatch(/b2xkLXNlY3JldA|bmV3LXNlY3JldA|new-secret|old-secret/);
    expect(renderDiff(diffs, {...options, stat: true})).toContain('shop       ConfigMap  1      1        1');
    expect(await all(repository, root, root)).toEqual([]);
  });
});
