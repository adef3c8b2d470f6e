import {mkdtemp, readdir, readFile, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {applyObject, createObject} from '../../src/cluster/apply.ts';
import {type Cluster, connectCluster} from '../../src/cluster/client.ts';
import {CORE_TYPES} from '../../src/cluster/core-types.ts';
import {readIdentity} from '../../src/cluster/identity.ts';
import {objectRef} from '../../src/cluster/object.ts';
import {readObjects, type StoredObject} from '../../src/repository/object-set.ts';
import {openStore} from '../../src/repository/open.ts';
import {packKey} from '../../src/repository/pack.ts';
import {initRepository, type Repository} from '../../src/repository/repository.ts';
import {SnapshotIndex} from '../../src/repository/snapshot-index.ts';
import {planRestore} from '../../src/restore/preview.ts';
import {restoreWaves} from '../../src/restore/run.ts';
import {readTargetFacts} from '../../src/restore/target-facts.ts';
import {type CreateOptions, createSnapshot} from '../../src/snapshot/create.ts';
import type {SnapshotEvent} from '../../src/snapshot/event.ts';
import {listSnapshots} from '../../src/snapshot/list.ts';
import {showSnapshot} from '../../src/snapshot/show.ts';
import {canonicalJson} from '../../src/std/json.ts';
import {waitFor} from '../../src/std/wait.ts';
import {type ControlPlane, startControlPlane} from '../bed/control-plane.ts';
import {kubeObject, workload} from '../restore/objects.ts';

const PASSWORD = 'hunter2-is-in-no-file';
const {signal} = new AbortController();
const plan = {name: 'shop', hash: 'a'.repeat(64)};
const canary = {namespace: 'shop', nonceHash: 'b'.repeat(64), writtenAt: '2026-01-01T00:00:00.000Z'};
let dir: string;
let plane: ControlPlane;
let cluster: Cluster;
let repository: Repository;

/** Each snapshot is a second later than the one before, since ids tell seconds apart. */
let seconds = 0;
const clock = {
  now: () => new Date(Date.UTC(2026, 0, 1) + 1000 * seconds++),
  monotonic: () => performance.now(),
};

const create = (options: Partial<CreateOptions> = {}) =>
  createSnapshot({
    cluster,
    repository,
    select: {namespaces: ['shop'], clusterScoped: 'referenced'},
    plan,
    volumes: [],
    tool: 'pra/test',
    clock,
    signal,
    ...options,
  });

async function read(root: Awaited<ReturnType<typeof create>>): Promise<StoredObject[]> {
  const stored: StoredObject[] = [];
  for await (const object of readObjects(repository, root)) stored.push(object);
  return stored;
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pra-snapshot-'));
  plane = await startControlPlane();
  cluster = await connectCluster({kubeconfig: plane.kubeconfig});
  repository = await initRepository(await openStore(`file://${dir}/repository`), {
    passphrase: 'correct horse',
  });
  await createObject(cluster, CORE_TYPES.Namespace, kubeObject('v1', 'Namespace', 'shop'));
  await createObject(
    cluster,
    CORE_TYPES.Secret,
    kubeObject('v1', 'Secret', 'db', {stringData: {password: PASSWORD}}),
  );
  await createObject(cluster, CORE_TYPES.Deployment, workload('Deployment', 'web'));
});
afterAll(async () => {
  await cluster?.close();
  await plane?.stop();
  await rm(dir, {recursive: true, force: true});
});

describe('createSnapshot', () => {
  test('goes through its phases in order, and the root tells what it was taken of', async () => {
    const events: SnapshotEvent[] = [];
    const steps: string[] = [];
    const root = await create({
      writeCanary: async () => {
        steps.push('canary');
        return canary;
      },
      readBaselines: async () => {
        steps.push('baselines');
        return [{probe: 'orders', value: 1200}];
      },
      onEvent: event => events.push(event),
    });
    const {uid} = await readIdentity(cluster, {signal});
    expect(steps).toEqual(['canary', 'baselines']);
    expect(events.flatMap(event => (event.type === 'phase' ? [event.phase] : []))).toEqual([
      'canary',
      'baselines',
      'objects',
      'root',
    ]);
    expect(events.at(-1)).toMatchObject({type: 'done', id: root.id});
    expect(root).toMatchObject({
      plan,
      canary,
      source: {uid, context: cluster.context},
      baselines: [{probe: 'orders', value: 1200}],
      namespaces: ['shop'],
      volumes: [],
    });
    expect(root.resourceVersions['Deployment.apps']).toMatch(/^\d+$/);
    expect(Date.parse(root.createdAt)).toBeLessThanOrEqual(Date.parse(root.finishedAt));
  });

  test('keeps each object as it is in the cluster, and reads it back so', async () => {
    const stored = await read(await create());
    expect(stored.map(({object}) => objectRef(object)).sort()).toEqual([
      'Namespace shop',
      'Secret shop/db',
      'apps/Deployment shop/web',
    ]);
    expect(stored.find(({object}) => object.kind === 'Deployment')?.health).toMatchObject({replicas: 2});
  });

  test('keeps every digit of numbers that JavaScript would round, in what is referenced too', async () => {
    await createObject(cluster, CORE_TYPES.CustomResourceDefinition, {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: {name: 'counters.shop.example'},
      spec: {
        group: 'shop.example',
        scope: 'Namespaced',
        names: {kind: 'Counter', plural: 'counters', singular: 'counter'},
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            schema: {
              openAPIV3Schema: {
                type: 'object',
                properties: {spec: {type: 'object', properties: {n: {type: 'integer', format: 'int64'}}}},
              },
            },
          },
        ],
      },
    });
    // 2^53 + 1, which JSON.stringify cannot write.
    const path = '/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/n/default';
    await cluster.request(
      'PATCH',
      '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/counters.shop.example',
      {
        contentType: 'application/json-patch+json',
        body: `[{"op":"add","path":"${path}","value":9007199254740993}]`,
      },
    );
    const collection = '/apis/shop.example/v1/namespaces/shop/counters';
    await waitFor(
      () =>
        cluster
          .request('POST', collection, {
            body: '{"apiVersion":"shop.example/v1","kind":"Counter","metadata":{"name":"c"},"spec":{"n":9007199254740993}}',
          })
          .catch(() => undefined),
      {waitingFor: 'the kind Counter', timeoutMs: 20_000},
    );
    const kept = (await read(await create())).filter(({object}) =>
      /Counter|CustomResource/.test(object.kind),
    );
    expect(kept).toHaveLength(2);
    for (const {bytes} of kept) expect(bytes.toString()).toContain('9007199254740993');
    await cluster.request('DELETE', `${collection}/c`);
    await cluster.request(
      'DELETE',
      '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/counters.shop.example',
    );
  });

  test('writes nearly nothing when nothing has changed, and says so', async () => {
    const before = await create();
    const after = await create();
    expect(after.parent).toBe(before.id);
    const full = await create({plan: {...plan, name: 'first-of-another-plan'}});
    expect(full.parent).toBeUndefined();
    expect(after.bytes.written).toBeLessThan(full.bytes.written / 2);
    await applyObject(cluster, CORE_TYPES.ConfigMap, kubeObject('v1', 'ConfigMap', 'new', {data: {a: 'b'}}));
    expect((await create()).counts.objects).toBe(after.counts.objects + 1);
  });

  test('goes on from no parent that is damaged, and says so', async () => {
    const before = await create({plan: {...plan, name: 'damaged'}});
    const {trees} = before;
    const [tree = ''] = trees.map(({name}) => `trees/${name.slice(0, 2)}/${name}`);
    const packs = [...(await SnapshotIndex.open(repository, before)).packs()].map(packKey);
    for (const key of [...packs, tree, `snapshots/${before.id}.json`]) {
      const content = await repository.store.get(key);
      await repository.store.delete(key);
      await repository.store.put(key, Buffer.from('PRA'));
      const events: SnapshotEvent[] = [];
      const after = await create({
        plan: {...plan, name: 'damaged'},
        onEvent: event => events.push(event),
      });
      expect(events, key).toContainEqual(
        expect.objectContaining({type: 'warning', message: expect.stringContaining(key)}),
      );
      expect(after.parent).toBeUndefined();
      expect((await read(after)).map(({object}) => objectRef(object))).toContain('Secret shop/db');
      await repository.store.put(key, content);
      // The next goes on from it again.
      await repository.store.delete(`snapshots/${after.id}.json`);
    }
  });

  test('leaves no secret in plain in the store', async () => {
    await create();
    const files = (await readdir(`${dir}/repository`, {recursive: true, withFileTypes: true})).filter(file =>
      file.isFile(),
    );
    expect(files.length).toBeGreaterThan(4);
    for (const file of files) {
      const body = await readFile(join(file.parentPath, file.name));
      for (const form of [PASSWORD, Buffer.from(PASSWORD).toString('base64')])
        expect(body.includes(form), file.name).toBe(false);
    }
  });

  test('is not listed when it was broken off', async () => {
    const before = await listSnapshots(repository, {plan: 'shop'});
    await expect(
      create({readBaselines: () => Promise.reject(new Error('the database is down'))}),
    ).rejects.toThrow('database');
    await expect(
      create({select: {namespaces: ['shop', 'nowhere'], clusterScoped: 'none'}}),
    ).rejects.toMatchObject({code: 'SNAPSHOT_FAILED'});
    await expect(create({signal: AbortSignal.abort()})).rejects.toThrow();
    expect(await listSnapshots(repository, {plan: 'shop'})).toEqual(before);
  });

  test('refuses a hook that fits no pod before it writes the canary, unless the hook may fail', async () => {
    const hook = {name: 'freeze', select: {app: 'db'}, pre: ['freeze'], timeout: 1000} as const;
    let written = 0;
    const writeCanary = async () => {
      written += 1;
      return canary;
    };
    await expect(create({hooks: [{...hook, onError: 'fail'}], writeCanary})).rejects.toMatchObject({
      code: 'HOOK_FAILED',
      message: expect.stringContaining('freeze'),
    });
    expect(written).toBe(0);
    expect((await create({hooks: [{...hook, onError: 'continue'}], writeCanary})).hooks).toEqual([]);
    expect(written).toBe(1);
  });

  test('refuses an unprotected claim before it writes the canary', async () => {
    const claim = kubeObject('v1', 'PersistentVolumeClaim', 'data', {
      spec: {accessModes: ['ReadWriteOnce'], resources: {requests: {storage: '1Gi'}}},
    });
    await createObject(cluster, CORE_TYPES.Namespace, kubeObject('v1', 'Namespace', 'data'));
    await createObject(cluster, CORE_TYPES.PersistentVolumeClaim, {
      ...claim,
      metadata: {name: 'data', namespace: 'data'},
    });
    let written = false;
    const attempt = create({
      select: {namespaces: ['data'], clusterScoped: 'none'},
      writeCanary: async () => {
        written = true;
        return canary;
      },
    });
    await expect(attempt).rejects.toMatchObject({
      code: 'PLAN_UNPROTECTED_VOLUME',
      message: expect.stringContaining('data/data'),
    });
    expect(written).toBe(false);
  });
});

test('a snapshot is listed and shown from its index', async () => {
  const root = await create();
  const {items} = await listSnapshots(repository, {plan: 'shop'});
  const [newest] = items;
  expect(newest).toMatchObject({id: root.id, plan: 'shop', objects: root.counts.objects});
  expect(await listSnapshots(repository, {plan: 'other'})).toEqual({items: [], errors: []});
  const shown = await showSnapshot(repository, root);
  expect(shown.objects).toBe(root.counts.objects);
  expect(shown.kinds).toContainEqual({kind: 'Deployment.apps', namespace: 'shop', objects: 1});
});

test('what is restored from the repository is, taken again, the same set of objects', async () => {
  const root = await create();
  const other = await startControlPlane();
  const target = await connectCluster({kubeconfig: other.kubeconfig});
  try {
    const stored = await read(root);
    const restore = await planRestore({
      objects: stored,
      mode: 'recover',
      target: await readTargetFacts(target, {signal}),
      volumes: root.volumes,
    });
    const outcomes = await restoreWaves({cluster: target, plan: restore, when: 'before-groups', signal});
    expect(outcomes.every(({outcome}) => outcome === 'created')).toBe(true);
    const again = await read(await create({cluster: target, plan: {...plan, name: 'again'}}));
    const texts = (objects: StoredObject[]) => objects.map(({object}) => canonicalJson(object)).sort();
    expect(texts(again)).toEqual(texts(stored));
  } finally {
    await target.close();
    await other.stop();
  }
});
