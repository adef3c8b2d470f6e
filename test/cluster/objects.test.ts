import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {applyObject, createObject, deleteObject, patchObject, readObject} from '../../src/cluster/apply.ts';
import {type Cluster, connectCluster, isApiError} from '../../src/cluster/client.ts';
import {CORE_TYPES} from '../../src/cluster/core-types.ts';
import {discover, discoverResources} from '../../src/cluster/discover.ts';
import {discoverLegacy} from '../../src/cluster/discover-legacy.ts';
import {judgeHealth} from '../../src/cluster/health.ts';
import {listAll, listObjects} from '../../src/cluster/list.ts';
import type {KubeObject} from '../../src/cluster/object.ts';
import {ResourceMap} from '../../src/cluster/resource-map.ts';
import {PraError} from '../../src/errors.ts';
import {sleep, waitFor} from '../../src/std/wait.ts';
import {type ControlPlane, startControlPlane} from '../bed/control-plane.ts';
import {configMap, namespaceObject} from './objects.ts';

let plane: ControlPlane;
let cluster: Cluster;

beforeAll(async () => {
  plane = await startControlPlane({
    // Old states are forgotten within seconds, so that a list that takes long expires.
    apiServerArgs: ['--etcd-compaction-interval=1s', '--feature-gates=ListFromCacheSnapshot=false'],
  });
  cluster = await connectCluster({kubeconfig: plane.kubeconfig});
});
afterAll(async () => {
  await cluster?.close();
  await plane?.stop();
});

const {ConfigMap, Namespace, CustomResourceDefinition, APIService} = CORE_TYPES;

async function failure(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  );
}

describe('writing', () => {
  beforeAll(() => createObject(cluster, Namespace, namespaceObject('writing')));

  test('create says what is stored, and refuses a second one', async () => {
    const created = await createObject(cluster, ConfigMap, configMap('writing', 'one', {a: '1'}));
    expect(created.metadata.uid).toMatch(/-/);
    const error = await failure(createObject(cluster, ConfigMap, configMap('writing', 'one')));
    expect(isApiError(error, 409)).toBe(true);
    expect(error).toMatchObject({
      reason: 'AlreadyExists',
      message: 'cannot create ConfigMap writing/one: AlreadyExists',
    });
  });

  test('a dry run checks everything and writes nothing', async () => {
    await createObject(cluster, ConfigMap, configMap('writing', 'dry'), {dryRun: true});
    await applyObject(cluster, ConfigMap, configMap('writing', 'dry'), {dryRun: true});
    expect(await readObject(cluster, ConfigMap, {namespace: 'writing', name: 'dry'})).toBeUndefined();
    await createObject(cluster, ConfigMap, configMap('writing', 'dry'));
    const name = {namespace: 'writing', name: 'dry'};
    await patchObject(cluster, ConfigMap, name, {data: {a: '1'}}, {dryRun: true});
    expect(await deleteObject(cluster, ConfigMap, name, {dryRun: true})).toBe(true);
    expect((await readObject(cluster, ConfigMap, name))?.data).toBeUndefined();
    const bad = await failure(
      createObject(cluster, ConfigMap, configMap('writing', 'Not Valid'), {dryRun: true}),
    );
    expect(isApiError(bad, 422)).toBe(true);
  });

  test('apply creates, takes over fields of others only by force, and is owned by pra', async () => {
    const name = {namespace: 'writing', name: 'applied'};
    await applyObject(cluster, ConfigMap, configMap('writing', 'applied', {a: '1'}));
    await cluster.request('PATCH', '/api/v1/namespaces/writing/configmaps/applied', {
      query: {fieldManager: 'gitops', force: true},
      contentType: 'application/apply-patch+yaml',
      body: configMap('writing', 'applied', {a: '2'}),
    });
    const wanted = configMap('writing', 'applied', {a: '3'});
    const conflict = await failure(applyObject(cluster, ConfigMap, wanted, {force: false}));
    expect(isApiError(conflict, 409)).toBe(true);
    expect(conflict).toMatchObject({reason: 'Conflict'});
    const applied = await applyObject(cluster, ConfigMap, wanted);
    expect(applied.data).toEqual({a: '3'});
    const managers = applied.metadata.managedFields;
    expect(managers).toEqual(
      expect.arrayContaining([expect.objectContaining({manager: 'pra', operation: 'Apply'})]),
    );
    await patchObject(cluster, ConfigMap, name, {data: {a: null, b: 'x'}});
    expect((await readObject(cluster, ConfigMap, name))?.data).toEqual({b: 'x'});
  });

  test('delete tells whether there was something', async () => {
    const name = {namespace: 'writing', name: 'gone'};
    await createObject(cluster, ConfigMap, configMap('writing', 'gone'));
    expect(await deleteObject(cluster, ConfigMap, name)).toBe(true);
    expect(await deleteObject(cluster, ConfigMap, name)).toBe(false);
  });
});

describe('listing', () => {
  const total = 57;
  beforeAll(async () => {
    await createObject(cluster, Namespace, namespaceObject('listing'));
    const names = Array.from({length: total}, (_, index) => `cm-${String(index).padStart(3, '0')}`);
    await Promise.all(names.map(name => createObject(cluster, ConfigMap, configMap('listing', name))));
  });

  test('pages together hold every object once, at one moment, with kind and apiVersion', async () => {
    const pages = [];
    for await (const page of listObjects(cluster, ConfigMap, {namespace: 'listing', pageSize: 20}))
      pages.push(page);
    expect(pages.map(page => page.objects.length)).toEqual([20, 20, 17]);
    expect(new Set(pages.map(page => page.resourceVersion)).size).toBe(1);
    const objects = pages.flatMap(page => page.objects);
    expect(new Set(objects.map(object => object.metadata.name)).size).toBe(total);
    expect(objects.every(object => object.kind === 'ConfigMap' && object.apiVersion === 'v1')).toBe(true);
  });

  test('a list whose state the server has forgotten begins anew, and says so', async () => {
    let kept: KubeObject[] = [];
    let restarts = 0;
    let first = true;
    for await (const page of listObjects(cluster, ConfigMap, {namespace: 'listing', pageSize: 20})) {
      if (page.restarted) {
        restarts += 1;
        kept = [];
      }
      kept = kept.concat(page.objects);
      if (first) await untilExpired();
      first = false;
    }
    expect(restarts).toBe(1);
    expect(new Set(kept.map(object => object.metadata.name)).size).toBe(total);
    expect(kept).toHaveLength(total);
  });

  /** Waits until etcd has dropped the current state: it is compacted up to what was current one interval ago. */
  async function untilExpired(): Promise<void> {
    for (let round = 0; round < 6; round += 1) {
      await patchObject(
        cluster,
        Namespace,
        {name: 'listing'},
        {metadata: {annotations: {round: String(round)}}},
      );
      await sleep(700);
    }
  }

  test('selectors are the work of the server', async () => {
    const found = await listAll(cluster, ConfigMap, {
      namespace: 'listing',
      fieldSelector: 'metadata.name=cm-007',
    });
    expect(found.map(object => object.metadata.name)).toEqual(['cm-007']);
  });
});

describe('discovery', () => {
  const definition: KubeObject = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {name: 'widgets.shop.example'},
    spec: {
      group: 'shop.example',
      scope: 'Namespaced',
      names: {kind: 'Widget', plural: 'widgets', singular: 'widget', shortNames: ['wd']},
      versions: [
        {name: 'v1alpha1', served: true, storage: false, schema: {openAPIV3Schema: {type: 'object'}}},
        {name: 'v1', served: true, storage: true, schema: {openAPIV3Schema: {type: 'object'}}},
      ],
    },
  };

  test('the kinds that can be listed, in preferred versions, as the old discovery has them', async () => {
    const types = await discoverResources(cluster);
    const map = new ResourceMap(types);
    expect(map.find('apps/v1', 'Deployment')).toMatchObject({
      plural: 'deployments',
      shortNames: ['deploy'],
      namespaced: true,
    });
    expect(map.find('autoscaling/v1', 'HorizontalPodAutoscaler')).toMatchObject({version: 'v2'});
    expect(map.named('deploy')).toBe(map.named('Deployments.apps'));
    expect(types.some(type => type.plural.includes('/'))).toBe(false);
    expect(types.every(type => type.verbs.includes('list'))).toBe(true);
    expect(await discoverLegacy(cluster)).toEqual(await discover(cluster));
  });

  test('a kind that is defined later is found by the next discovery, in its preferred version', async () => {
    expect(
      new ResourceMap(await discoverResources(cluster)).find('shop.example/v1', 'Widget'),
    ).toBeUndefined();
    await createObject(cluster, CustomResourceDefinition, definition);
    const name = {name: definition.metadata.name};
    await waitFor(
      async () => {
        const found = await readObject(cluster, CustomResourceDefinition, name);
        return found && judgeHealth(found).state === 'healthy' ? true : undefined;
      },
      {waitingFor: 'the CRD', timeoutMs: 20_000},
    );
    // The aggregator publishes each version of a group on its own: for a moment only v1alpha1 may be there.
    const type = await waitFor(
      async () => {
        const found = new ResourceMap(await discoverResources(cluster)).find('shop.example/v1', 'Widget');
        return found?.version === 'v1' ? found : undefined;
      },
      {waitingFor: 'the kind in its preferred version', timeoutMs: 20_000},
    );
    expect(type).toEqual({
      group: 'shop.example',
      version: 'v1',
      kind: 'Widget',
      plural: 'widgets',
      namespaced: true,
      verbs: expect.arrayContaining(['create', 'list', 'watch']),
      shortNames: ['wd'],
    });
  });

  test('a group whose server is gone is an error that names it, in both kinds of discovery', async () => {
    const service: KubeObject = {
      apiVersion: 'apiregistration.k8s.io/v1',
      kind: 'APIService',
      metadata: {name: 'v1.lost.example'},
      spec: {
        group: 'lost.example',
        version: 'v1',
        groupPriorityMinimum: 100,
        versionPriority: 100,
        insecureSkipTLSVerify: true,
        service: {namespace: 'default', name: 'nobody'},
      },
    };
    await createObject(cluster, APIService, service);
    const error = await waitFor(() => failure(discoverResources(cluster)), {
      waitingFor: 'a failure',
      timeoutMs: 20_000,
    });
    if (!(error instanceof PraError)) throw new Error(`not a PraError: ${error}`);
    expect(error.code).toBe('CLUSTER_DISCOVERY_INCOMPLETE');
    expect(error.message).toBe('the API server cannot say what is in lost.example/v1');
    expect(error.why).toContain('nobody');
    const {lost} = await discoverLegacy(cluster);
    expect(lost.map(group => group.groupVersion)).toEqual(['lost.example/v1']);
    const {name} = service.metadata;
    const seen = await readObject(cluster, APIService, {name});
    expect(seen && judgeHealth(seen).state).toBe('degraded');
    await deleteObject(cluster, APIService, {name});
  });
});
