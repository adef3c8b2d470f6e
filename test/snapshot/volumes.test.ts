import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {createObject, deleteObject} from '../../src/cluster/apply.ts';
import {type Cluster, connectCluster} from '../../src/cluster/client.ts';
import {CORE_TYPES} from '../../src/cluster/core-types.ts';
import type {KubeObject} from '../../src/cluster/object.ts';
import {objectPath} from '../../src/cluster/resource-map.ts';
import {PraError} from '../../src/errors.ts';
import type {SnapshotEvent} from '../../src/snapshot/event.ts';
import {findHookPods, type HookRule} from '../../src/snapshot/hook-pods.ts';
import {compileSelect} from '../../src/snapshot/select.ts';
import type {VolumeRule} from '../../src/snapshot/volume-rule.ts';
import {planVolumes} from '../../src/snapshot/volumes.ts';
import {type ControlPlane, startControlPlane} from '../bed/control-plane.ts';
import {kubeObject, workload} from '../restore/objects.ts';

let plane: ControlPlane;
let cluster: Cluster;
const {signal} = new AbortController();
const dump = {command: ['pg_dump'], restore: ['psql']};
const commands = {command: dump.command, restoreCommand: dump.restore};

const rule = (
  select: VolumeRule['select'],
  method: VolumeRule['method'] = 'dump',
  namespaces = ['shop'],
): VolumeRule => ({select, method, namespaces, dump});
const planAll = (rules: VolumeRule[], namespaces = ['shop']) =>
  planVolumes({cluster, rules, selection: compileSelect({namespaces, clusterScoped: 'none'}), signal});
const plan = async (rules: VolumeRule[], namespaces?: string[]) => (await planAll(rules, namespaces)).dumps;

const claim = (name: string, labels = {}) =>
  kubeObject('v1', 'PersistentVolumeClaim', name, {
    metadata: {labels},
    spec: {accessModes: ['ReadWriteOnce'], resources: {requests: {storage: '1Gi'}}},
  });

async function createPod(
  name: string,
  app: string,
  claimName: string,
  owner: KubeObject | undefined,
  ready: boolean,
): Promise<void> {
  const pod = kubeObject('v1', 'Pod', name, {
    metadata: {labels: {app}},
    spec: {
      containers: [{name: 'main', image: 'localhost/x'}],
      volumes: [{name: 'v', persistentVolumeClaim: {claimName}}],
    },
  });
  if (owner) {
    const {apiVersion, kind, metadata} = owner;
    pod.metadata.ownerReferences = [
      {apiVersion, kind, name: metadata.name, uid: metadata.uid ?? '', controller: true},
    ];
  }
  await createObject(cluster, CORE_TYPES.Pod, pod);
  const status = {phase: 'Running', conditions: [{type: 'Ready', status: ready ? 'True' : 'False'}]};
  await cluster.request('PATCH', `${objectPath(CORE_TYPES.Pod, {name, namespace: 'shop'})}/status`, {
    contentType: 'application/merge-patch+json',
    body: {status},
  });
}

beforeAll(async () => {
  plane = await startControlPlane();
  cluster = await connectCluster({kubeconfig: plane.kubeconfig});
  for (const name of ['shop', 'empty'])
    await createObject(cluster, CORE_TYPES.Namespace, kubeObject('v1', 'Namespace', name));
  const set = await createObject(
    cluster,
    CORE_TYPES.StatefulSet,
    workload('StatefulSet', 'db', {}, {serviceName: 'db'}),
  );
  const deployment = await createObject(cluster, CORE_TYPES.Deployment, workload('Deployment', 'files'));
  const owned = workload('ReplicaSet', 'files-abc');
  owned.metadata.ownerReferences = [
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      name: 'files',
      uid: deployment.metadata.uid ?? '',
      controller: true,
    },
  ];
  const replicaSet = await createObject(cluster, CORE_TYPES.ReplicaSet, owned);
  for (const object of [
    claim('data-db-0'),
    claim('data-db-1'),
    claim('uploads'),
    claim('cache', {kind: 'cache'}),
  ]) {
    await createObject(cluster, CORE_TYPES.PersistentVolumeClaim, object);
  }
  await createPod('db-0', 'db', 'data-db-0', set, false);
  await createPod('db-1', 'db', 'data-db-1', set, true);
  await createPod('files-abc-x', 'files', 'uploads', replicaSet, true);
});
afterAll(async () => {
  await cluster?.close();
  await plane?.stop();
});

const waived = [rule('kind=cache', 'none')];

describe('planVolumes', () => {
  test('asks one ready pod of each workload, for the claims of all its pods', async () => {
    const targets = await plan([rule({app: 'db'}), rule('app=files'), ...waived]);
    expect(targets).toEqual([
      {
        namespace: 'shop',
        workload: 'StatefulSet/db',
        pod: 'db-1',
        container: 'main',
        pvcs: ['data-db-0', 'data-db-1'],
        ...commands,
      },
      {
        namespace: 'shop',
        workload: 'Deployment/files',
        pod: 'files-abc-x',
        container: 'main',
        pvcs: ['uploads'],
        ...commands,
      },
    ]);
  });

  test('turns a preset into commands that stand for themselves', async () => {
    const preset: VolumeRule = {...rule({app: 'db'}), dump: {preset: 'redis', passwordEnv: 'CACHE_PASSWORD'}};
    const [target] = await plan([preset, rule('app=files'), ...waived]);
    expect(target?.command).toEqual(['sh', '-c', expect.stringContaining('--rdb -')]);
    expect(target?.restoreCommand).toEqual(['sh', '-c', expect.stringContaining('first CACHE_PASSWORD')]);
  });

  test('names every claim that no rule saves', async () => {
    await expect(plan([rule({app: 'db'})])).rejects.toThrow(
      /PersistentVolumeClaim shop\/cache, PersistentVolumeClaim shop\/uploads/,
    );
    await expect(plan([])).rejects.toMatchObject({code: 'PLAN_UNPROTECTED_VOLUME'});
  });

  test('lets the first rule that fits count', async () => {
    const targets = await plan([rule('app in (db,files)', 'none'), rule({app: 'db'}, 'none'), ...waived]);
    expect(targets).toEqual([]);
  });

  test('fails when a rule finds no running pod', async () => {
    const error = await plan([rule({app: 'nothing'}), rule('app', 'none'), ...waived]).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(PraError);
    expect(error).toMatchObject({
      code: 'VOLUME_DUMP_FAILED',
      message: expect.stringContaining('app=nothing'),
    });
  });

  test('asks for nothing where there is nothing', async () => {
    expect(await plan([], ['empty'])).toEqual([]);
  });

  test('a claim whose rule is a dump, and that no dump holds, is refused by name', async () => {
    await createObject(cluster, CORE_TYPES.PersistentVolumeClaim, claim('left-over', {app: 'db'}));
    await setPhase('left-over', 'Bound');
    try {
      const refused = plan([rule({app: 'db'}), rule('app=files'), ...waived]);
      await expect(refused).rejects.toMatchObject({
        code: 'VOLUME_DUMP_FAILED',
        message: 'no dump holds the data of PersistentVolumeClaim shop/left-over',
      });
    } finally {
      await deleteObject(cluster, CORE_TYPES.PersistentVolumeClaim, {name: 'left-over', namespace: 'shop'});
    }
  });

  test('claims of a set that has fewer replicas now are in its dump', async () => {
    await createObject(cluster, CORE_TYPES.PersistentVolumeClaim, claim('data-db-2', {app: 'db'}));
    await setPhase('data-db-2', 'Bound');
    try {
      const [target] = await plan([rule({app: 'db'}), rule('app=files'), ...waived]);
      expect(target?.pvcs).toEqual(['data-db-0', 'data-db-1', 'data-db-2']);
    } finally {
      await deleteObject(cluster, CORE_TYPES.PersistentVolumeClaim, {name: 'data-db-2', namespace: 'shop'});
    }
  });

  test('claims of one pod can have rules of their own, by class, size and name of what mounts them', async () => {
    const both = kubeObject('v1', 'Pod', 'both', {
      metadata: {labels: {app: 'both'}},
      spec: {
        nodeName: 'node-7',
        securityContext: {runAsUser: 1000, fsGroup: 2000},
        containers: [
          {
            name: 'main',
            image: 'localhost/x',
            volumeMounts: ['fast', 'slow'].map(name => ({name, mountPath: `/${name}`})),
          },
        ],
        volumes: ['fast', 'slow'].map(name => ({name, persistentVolumeClaim: {claimName: `both-${name}`}})),
      },
    });
    await createObject(cluster, CORE_TYPES.Pod, both);
    const podPath = `${objectPath(CORE_TYPES.Pod, {name: 'both', namespace: 'shop'})}/status`;
    const merge = 'application/merge-patch+json';
    await cluster.request('PATCH', podPath, {contentType: merge, body: {status: {phase: 'Running'}}});
    for (const [name, size] of [
      ['fast', '1Gi'],
      ['slow', '80Gi'],
    ] as const) {
      const object = claim(`both-${name}`);
      object.spec = {...object.spec, storageClassName: name, resources: {requests: {storage: size}}};
      await createObject(cluster, CORE_TYPES.PersistentVolumeClaim, object);
      await setPhase(`both-${name}`, 'Bound');
    }
    const rules: VolumeRule[] = [
      {storageClasses: ['fas*'], size: {max: '2Gi'}, method: 'filesystem'},
      rule({app: 'both'}),
      rule('app in (db,files)'),
      ...waived,
    ];
    const {claims, dumps} = await planAll(rules);
    expect(claims).toMatchObject([
      {
        method: 'filesystem',
        object: {metadata: {name: 'both-fast'}},
        workload: 'Pod/both',
        node: 'node-7',
        user: {kind: 'user', uid: 1000, groups: [2000]},
      },
    ]);
    // The pod is asked for the claim that is left, though the first rule fits another of its claims.
    expect(dumps.find(({workload: of}) => of === 'Pod/both')?.pvcs).toContain('both-slow');
    await expect(
      planAll(rules.filter(one => one.select !== undefined && !('app' in Object(one.select)))),
    ).rejects.toThrow(/both-slow/);
  });
});

async function setPhase(name: string, phase: string): Promise<void> {
  const path = `${objectPath(CORE_TYPES.PersistentVolumeClaim, {name, namespace: 'shop'})}/status`;
  await cluster.request('PATCH', path, {
    contentType: 'application/merge-patch+json',
    body: {status: {phase}},
  });
}

describe('findHookPods', () => {
  const hook = (select: HookRule['select'], more: Partial<HookRule> = {}): HookRule => ({
    name: 'freeze',
    select,
    pre: ['freeze'],
    timeout: 1000,
    onError: 'fail',
    ...more,
  });
  const find = (rules: HookRule[], namespaces = ['shop'], events: SnapshotEvent[] = []) =>
    findHookPods({
      cluster,
      rules,
      selection: compileSelect({namespaces, clusterScoped: 'none'}),
      signal,
      onEvent: event => events.push(event),
    });

  test('finds all pods that run, hook by hook, and the first container', async () => {
    const last = hook({app: 'db'}, {container: 'side'});
    const pods = await find([hook('app=files'), last], ['shop', 'empty']);
    expect(pods).toMatchObject([
      {namespace: 'shop', pod: 'files-abc-x', container: 'main'},
      {hook: last, namespace: 'shop', pod: 'db-0', container: 'side'},
      {hook: last, namespace: 'shop', pod: 'db-1', container: 'side'},
    ]);
  });

  test('looks nowhere but in the namespaces of the selection', async () => {
    await expect(find([hook('app=db')], ['empt*'])).rejects.toMatchObject({
      code: 'HOOK_FAILED',
      message: 'hook freeze finds no running pod with app=db',
    });
  });

  test('leaves pods out that do not run, and warns when the hook may fail', async () => {
    await createObject(cluster, CORE_TYPES.Pod, {
      ...kubeObject('v1', 'Pod', 'waiting', {spec: {containers: [{name: 'main', image: 'localhost/x'}]}}),
      metadata: {name: 'waiting', namespace: 'shop', labels: {app: 'waiting'}},
    });
    const events: SnapshotEvent[] = [];
    expect(await find([hook('app=waiting', {onError: 'continue'})], ['shop'], events)).toEqual([]);
    expect(events).toMatchObject([
      {type: 'warning', message: expect.stringContaining('freeze'), why: '1 pods have them, none is running'},
    ]);
  });
});
