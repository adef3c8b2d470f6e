import {mkdtemp, readdir, rm, unlink, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, beforeAll, describe, expect, test, vi} from 'vitest';
import {z} from 'zod';
import {createObject, deleteObject, patchObject, readObject} from '../../src/cluster/apply.ts';
import {type Cluster, connectCluster} from '../../src/cluster/client.ts';
import {CORE_TYPES} from '../../src/cluster/core-types.ts';
import {discoverResources} from '../../src/cluster/discover.ts';
import {listAll} from '../../src/cluster/list.ts';
import {listNames} from '../../src/cluster/list-names.ts';
import {type KubeObject, objectRef} from '../../src/cluster/object.ts';
import {openStore} from '../../src/repository/open.ts';
import {initRepository, type Repository} from '../../src/repository/repository.ts';
import {createSnapshot} from '../../src/snapshot/create.ts';
import {sleep} from '../../src/std/wait.ts';
import {runPra, startPra} from '../bed/cli.ts';
import {type ControlPlane, startControlPlane} from '../bed/control-plane.ts';
import {fill} from './fill.ts';
import {kubeObject, typeOf} from './objects.ts';

vi.setConfig({testTimeout: 900_000, hookTimeout: 900_000});

const {signal} = new AbortController();
const PASSPHRASE = 'correct horse battery';
/** So many that a restore takes seconds, in which it can be stopped. */
const MANY = 8000;
let dir: string;
let source: ControlPlane;
let repository: Repository;
const planes: ControlPlane[] = [];

const preview = z.object({
  counts: z.record(z.string(), z.number()),
  objects: z
    .array(
      z.object({
        kind: z.string(),
        namespace: z.string(),
        name: z.string(),
        action: z.string(),
        reason: z.string().optional(),
        fields: z.array(
          z.object({path: z.string(), before: z.unknown().optional(), after: z.unknown().optional()}),
        ),
      }),
    )
    .optional(),
  waves: z.array(z.object({name: z.string(), objects: z.array(z.string())})),
  findings: z.array(z.object({severity: z.string(), ref: z.string(), message: z.string()})),
});
const result = z.object({
  id: z.string(),
  result: z.string(),
  kinds: z.array(
    z.object({
      kind: z.string(),
      expected: z.number(),
      restored: z.number(),
      skipped: z.number(),
      failed: z.number(),
    }),
  ),
  failures: z.array(z.object({ref: z.string(), reason: z.string()})),
  skips: z.array(z.object({ref: z.string(), reason: z.string()})),
  deleted: z.array(z.string()),
});

async function startTarget(): Promise<{plane: ControlPlane; cluster: Cluster}> {
  const plane = await startControlPlane();
  planes.push(plane);
  return {plane, cluster: await connectCluster({kubeconfig: plane.kubeconfig})};
}

const environment = () => ({
  PRA_PASSPHRASE: PASSPHRASE,
  PRA_REPOSITORY: `file://${join(dir, 'repository')}`,
  PRA_STATE_DIR: join(dir, 'state'),
});
const pra = (...args: string[]) => runPra(args, environment());
const into = (plane: ControlPlane) => ['--to-kubeconfig', plane.kubeconfig];
/** On a control plane alone nothing ever gets ready. */
const QUICK = ['--timeout', '0s', '--allow-empty-volumes'];

async function previewed(...args: string[]) {
  const ended = await pra('restore', 'preview', ...args, '--json');
  return {...ended, document: preview.parse(JSON.parse(ended.stdout))};
}
async function restored(...args: string[]) {
  const ended = await pra('restore', 'run', ...args, ...QUICK, '--json');
  if (ended.stdout === '') throw new Error(ended.stderr);
  return {...ended, document: result.parse(JSON.parse(ended.stdout))};
}
const snapshotOf = (cluster: Cluster, namespaces: string[]) =>
  createSnapshot({
    cluster,
    repository,
    select: {namespaces, clusterScoped: 'referenced'},
    volumes: [{method: 'none', select: {app: 'db'}}],
    tool: 'pra/test',
    signal,
  });
let shop: string;
let many: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pra-restore-'));
  const store = await openStore(`file://${join(dir, 'repository')}`);
  repository = await initRepository(store, {passphrase: PASSPHRASE});
  source = await startControlPlane();
  planes.push(source);
  const cluster = await connectCluster({kubeconfig: source.kubeconfig});
  await fill(cluster);
  shop = (await snapshotOf(cluster, ['shop'])).id;
  await createObject(cluster, CORE_TYPES.Namespace, kubeObject('v1', 'Namespace', 'many'));
  await Promise.all(
    Array.from({length: MANY}, (_, i) =>
      createObject(cluster, CORE_TYPES.ConfigMap, configMap(`c-${i}`, {i: String(i)}, 'many')),
    ),
  );
  many = (await snapshotOf(cluster, ['many'])).id;
  await cluster.close();
});
afterAll(async () => {
  for (const plane of planes) await plane.stop();
  await rm(dir, {recursive: true, force: true});
});

/** What every object of a namespace is at, by its name. */
async function versionsIn(cluster: Cluster, namespace: string): Promise<Record<string, string | undefined>> {
  const types = (await discoverResources(cluster)).filter(
    type => type.namespaced && type.verbs.includes('create'),
  );
  const lists = await Promise.all(types.map(type => listAll(cluster, type, {namespace})));
  return Object.fromEntries(lists.flat().map(object => [objectRef(object), object.metadata.resourceVersion]));
}

const configMap = (name: string, data: Record<string, string>, namespace = 'shop'): KubeObject =>
  kubeObject('v1', 'ConfigMap', name, {data, metadata: {namespace}});

describe('from the snapshot alone', () => {
  test('a version of Kubernetes tells what it would not take, without a cluster', async () => {
    const {exitCode, document} = await previewed(shop, '--target-version', '1.22');
    expect(exitCode).toBe(3);
    const errors = document.findings.filter(({severity}) => severity === 'error').map(({message}) => message);
    expect(errors).toContainEqual(
      expect.stringContaining('autoscaling/v2 HorizontalPodAutoscaler only since 1.23'),
    );
    expect(document.objects).toBeUndefined();
  });
  test('a newer version takes all but what has no data', async () => {
    const {document} = await previewed(shop, '--target-version', 'v1.35');
    const errors = document.findings.filter(({severity}) => severity === 'error');
    expect(errors.map(({message}) => message)).toEqual([expect.stringContaining('data-db-0')]);
  });
  test('what is no version is an error, and so is no target', async () => {
    const wrong = await pra('restore', 'preview', shop, '--target-version', 'newest');
    expect(wrong).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('is not a version of Kubernetes'),
    });
    const none = await pra('restore', 'run', shop);
    expect(none).toMatchObject({exitCode: 2, stderr: expect.stringContaining('no target was named')});
  });
});

describe('into a fresh cluster', () => {
  let target: Awaited<ReturnType<typeof startTarget>>;
  beforeAll(async () => {
    target = await startTarget();
  });
  afterAll(() => target.cluster.close());

  test('the preview says that all is created, and writes nothing', async () => {
    const {exitCode, document, stdout} = await previewed(shop, ...into(target.plane));
    expect(exitCode).toBe(3); // the claim without data
    expect(document.counts).toMatchObject({
      create: Number(document.counts.selected) - 1,
      skipped: 1,
      unchanged: 0,
    });
    expect(document.waves.map(({name}) => name)).toEqual(
      expect.arrayContaining(['definitions', 'namespaces', 'workloads', 'admission']),
    );
    expect(await readObject(target.cluster, CORE_TYPES.Namespace, {name: 'shop'})).toBeUndefined();
    expect(stdout).not.toContain('cGFzc3dvcmQ');
  });

  test('a claim without data is refused before the first write, and let through on demand', async () => {
    const refused = await pra('restore', 'run', shop, ...into(target.plane));
    expect(refused).toMatchObject({exitCode: 3, stderr: expect.stringContaining('RESTORE_REFUSED')});
    expect(await readObject(target.cluster, CORE_TYPES.Namespace, {name: 'shop'})).toBeUndefined();
    const {exitCode, document} = await restored(shop, ...into(target.plane));
    expect({exitCode, result: document.result, failures: document.failures}).toEqual({
      exitCode: 0,
      result: 'complete',
      failures: [],
    });
    for (const {expected, restored: back, skipped, failed} of document.kinds)
      expect(expected).toBe(back + skipped + failed);
  });

  test('again it changes nothing, and both say so', async () => {
    const before = await versionsIn(target.cluster, 'shop');
    const seen = await previewed(shop, ...into(target.plane), '--exit-code');
    expect(seen).toMatchObject({exitCode: 0, document: {counts: {create: 0, update: 0, leave: 0}}});
    const {document} = await restored(
      shop,
      ...into(target.plane),
      '--confirm',
      'test',
      '--existing',
      'update',
    );
    expect(document.skips.map(({ref}) => ref)).toEqual(['PersistentVolume pv-1']);
    expect(await versionsIn(target.cluster, 'shop')).toEqual(before);
  });

  test('a target that is not empty wants its name typed', async () => {
    const none = await pra('restore', 'run', shop, ...into(target.plane), ...QUICK);
    expect(none).toMatchObject({exitCode: 2, stderr: expect.stringContaining('--confirm test')});
    const wrong = await pra('restore', 'run', shop, ...into(target.plane), ...QUICK, '--confirm', 'prod');
    expect(wrong).toMatchObject({exitCode: 2, stderr: expect.stringContaining('not empty')});
  });

  test('objects that differ are left, updated or pruned, as the preview says before', async () => {
    const {cluster, plane} = target;
    await patchObject(
      cluster,
      CORE_TYPES.ConfigMap,
      {name: 'web', namespace: 'shop'},
      {data: {a: 'altered'}},
    );
    await createObject(cluster, CORE_TYPES.ConfigMap, configMap('extra', {x: '1'}));
    await createObject(cluster, CORE_TYPES.ConfigMap, configMap('extra', {x: '1'}, 'default'));
    const left = await previewed(shop, ...into(plane));
    const web = (document: z.infer<typeof preview>) =>
      document.objects?.find(({kind, name}) => kind === 'ConfigMap' && name === 'web');
    expect(web(left.document)).toMatchObject({
      action: 'leave',
      fields: [{path: 'data.a', before: 'altered', after: '1'}],
    });
    expect((await restored(shop, ...into(plane), '--confirm', 'test')).document.skips).toContainEqual({
      ref: 'ConfigMap shop/web',
      reason: 'is in the target already, and differs',
    });
    const flags = [...into(plane), '--existing', 'ConfigMap=prune', '--confirm', 'test'];
    const {document: shown} = await previewed(shop, ...into(plane), '--existing', 'ConfigMap=prune');
    expect(web(shown)?.action).toBe('update');
    expect(shown.objects?.filter(({action}) => action === 'delete').map(({name}) => name)).toEqual(['extra']);
    const {document} = await restored(shop, ...flags);
    expect(document.deleted).toEqual(['ConfigMap shop/extra']);
    const names = await listNames(cluster, CORE_TYPES.ConfigMap);
    expect(names.has('shop/extra')).toBe(false);
    expect(names.has('default/extra')).toBe(true);
    expect((await readObject(cluster, CORE_TYPES.ConfigMap, {name: 'web', namespace: 'shop'}))?.data).toEqual(
      {a: '1', b: '2'},
    );
  });

  test('a field that cannot be changed in place is found by the preview, and recreated on demand', async () => {
    const {cluster, plane} = target;
    const web = {name: 'web', namespace: 'shop'};
    await deleteObject(cluster, CORE_TYPES.ConfigMap, web);
    await createObject(cluster, CORE_TYPES.ConfigMap, {...configMap('web', {a: '2'}), immutable: true});
    const {exitCode, document} = await previewed(
      shop,
      ...into(plane),
      '--name',
      'ConfigMap/web',
      '--existing',
      'update',
    );
    expect(exitCode).toBe(3);
    expect(document.objects?.find(({name}) => name === 'web')).toMatchObject({
      action: 'refused',
      reason: expect.stringContaining('--existing ConfigMap=recreate'),
    });
    const recreated = await restored(
      ...[
        shop,
        ...into(plane),
        '--name',
        'ConfigMap/web',
        '--existing',
        'ConfigMap=recreate',
        '--confirm',
        'test',
      ],
    );
    expect(recreated.document.result).toBe('complete');
    expect((await readObject(cluster, CORE_TYPES.ConfigMap, web))?.data).toEqual({a: '1', b: '2'});
  });

  test('a namespace comes back under another name beside the first, with what names it', async () => {
    const {cluster, plane} = target;
    const args = [shop, ...into(plane), '-n', 'shop', '--map-namespace', 'shop=copy', '--mode', 'drill'];
    const {exitCode, document} = await restored(...args, '--confirm', 'test', '--despite-findings');
    expect(document.failures.filter(({reason}) => !reason.includes('not started'))).toEqual([
      {ref: 'autoscaling/HorizontalPodAutoscaler copy/web', reason: expect.stringContaining('not reached')},
    ]);
    expect(exitCode).toBe(3); // nothing gets healthy without controllers
    expect((await readObject(cluster, CORE_TYPES.ConfigMap, {name: 'web', namespace: 'copy'}))?.data).toEqual(
      {a: '1', b: '2'},
    );
    const bindings = await listNames(cluster, typeOf('rbac.authorization.k8s.io/v1', 'ClusterRoleBinding'));
    expect(bindings.has('/cart-operator')).toBe(true);
    expect(bindings.has('/cart-operator-copy')).toBe(true);
  });
});

/** Waits until so many objects are there. @throws when the restore ends before */
async function untilThere(cluster: Cluster, run: ReturnType<typeof startPra>, count: number): Promise<void> {
  const ended = run.then(({stderr}) => {
    throw new Error(`the restore ended before it could be stopped: ${stderr}`);
  });
  const there = async () => {
    while ((await listNames(cluster, CORE_TYPES.ConfigMap, {namespace: 'many'})).size < count)
      await sleep(10);
  };
  await Promise.race([there(), ended]);
}

describe('broken off', () => {
  let target: Awaited<ReturnType<typeof startTarget>>;
  beforeAll(async () => {
    target = await startTarget();
  });
  afterAll(() => target.cluster.close());
  const present = () =>
    listNames(target.cluster, CORE_TYPES.ConfigMap, {namespace: 'many'}).then(
      names => names.size,
      () => 0,
    );

  test('by SIGKILL at any moment it goes on where it was, without duplicates, to the same state', async () => {
    const args = ['restore', 'run', many, ...into(target.plane), ...QUICK];
    let before = 0;
    for (let kills = 0; kills < 3; kills += 1) {
      const run = startPra(
        kills === 0 ? args : ['restore', 'run', '--resume', 'latest', ...QUICK],
        environment(),
      );
      await untilThere(target.cluster, run, before + 300);
      run.kill('SIGKILL');
      await run;
      before = await present();
      expect(before).toBeLessThan(MANY);
      const listed = await pra('restore', 'list', '--json');
      expect(listed.stdout).toContain('"state": "interrupted"');
    }
    const {exitCode, document} = await restored('--resume', 'latest');
    expect({exitCode, result: document.result}).toEqual({exitCode: 0, result: 'complete'});
    expect(document.kinds.find(({kind}) => kind === 'ConfigMap')).toMatchObject({
      expected: MANY,
      restored: MANY,
      failed: 0,
    });
    expect(await present()).toBe(MANY);
    expect((await pra('restore', 'show', 'latest')).stdout).toContain('COMPLETE');
  });

  test('by Ctrl-C it says truthfully what was restored and what was not, and goes on', async () => {
    const {plane, cluster} = await startTarget();
    const run = startPra(['restore', 'run', many, ...into(plane), ...QUICK, '--json'], environment());
    await untilThere(cluster, run, 300);
    run.kill('SIGINT');
    const ended = await run;
    expect(ended, ended.stderr).toMatchObject({exitCode: 130});
    const document = result.parse(JSON.parse(ended.stdout));
    expect(document.result).toBe('interrupted');
    const counted = document.kinds.find(({kind}) => kind === 'ConfigMap');
    const there = (await listNames(cluster, CORE_TYPES.ConfigMap, {namespace: 'many'})).size;
    expect(counted?.expected).toBe(MANY);
    expect((counted?.restored ?? 0) + (counted?.failed ?? 0)).toBe(MANY);
    // Requests under way when it was stopped came to their end, and were counted.
    expect(there).toBe(counted?.restored);
    const resumed = await restored('--resume', document.id);
    expect(resumed.document.result).toBe('complete');
    expect((await listNames(cluster, CORE_TYPES.ConfigMap, {namespace: 'many'})).size).toBe(MANY);
    await cluster.close();
  });
});

test('a user with what restore rbac prints, and nothing else, restores all of it', async () => {
  const {plane, cluster} = await startTarget();
  try {
    const printed = await pra('restore', 'rbac', shop, '--existing', 'recreate', '--user', 'restorer');
    expect(printed.exitCode, printed.stderr).toBe(0);
    const list = z
      .object({
        items: z.array(
          z.looseObject({
            apiVersion: z.string(),
            kind: z.string(),
            metadata: z.looseObject({name: z.string()}),
          }),
        ),
      })
      .parse(JSON.parse(printed.stdout));
    expect(list.items.map(({kind}) => kind)).toEqual(['ClusterRole', 'ClusterRoleBinding']);
    expect(printed.stdout).not.toContain('"*"');
    for (const object of list.items)
      await createObject(cluster, typeOf(object.apiVersion, object.kind), JSON.parse(JSON.stringify(object)));
    const kubeconfig = await plane.kubeconfigOf('restorer');
    const to = ['--to-kubeconfig', kubeconfig, '--existing', 'recreate', '--confirm', 'test'];
    const stranger = await pra(
      'restore',
      'run',
      shop,
      '--to-kubeconfig',
      await plane.kubeconfigOf('stranger'),
      ...QUICK,
    );
    expect(stranger.exitCode).not.toBe(0);
    const {exitCode, document, stderr} = await restored(shop, ...to);
    expect(document.failures, stderr).toEqual([]);
    expect(exitCode).toBe(0);
    await patchObject(cluster, CORE_TYPES.ConfigMap, {name: 'web', namespace: 'shop'}, {data: {a: 'other'}});
    const again = await restored(shop, ...to);
    expect(again.document.failures, again.stderr).toEqual([]);
    const live = await readObject(cluster, CORE_TYPES.ConfigMap, {name: 'web', namespace: 'shop'});
    expect(live?.data).toEqual({a: '1', b: '2'});
  } finally {
    await cluster.close();
  }
});

test('a pack that is missing or altered is found before the first write', async () => {
  const {plane, cluster} = await startTarget();
  const packs = join(dir, 'repository', 'packs');
  const files = (await readdir(packs, {recursive: true, withFileTypes: true})).filter(file => file.isFile());
  expect(files.length).toBeGreaterThan(0);
  const saved = new Map<string, Buffer>();
  const {readFile} = await import('node:fs/promises');
  for (const file of files) {
    const path = join(file.parentPath, file.name);
    saved.set(path, await readFile(path));
    await unlink(path);
    const altered = Buffer.from(saved.get(path) ?? '');
    const middle = Math.floor(altered.length / 2);
    altered[middle] = (altered[middle] ?? 0) ^ 1;
    await writeFile(path, altered);
  }
  try {
    const {exitCode, stderr} = await pra('restore', 'run', many, ...into(plane), ...QUICK);
    expect(exitCode).toBe(1);
    expect(stderr).toContain('REPOSITORY_CORRUPT');
    expect(await readObject(cluster, CORE_TYPES.Namespace, {name: 'many'})).toBeUndefined();
  } finally {
    for (const [path, body] of saved) {
      await unlink(path).catch(() => undefined);
      await writeFile(path, body);
    }
    await cluster.close();
  }
});
