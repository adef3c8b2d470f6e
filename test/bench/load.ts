import {createObject, readObject} from '../../src/cluster/apply.ts';
import type {Cluster} from '../../src/cluster/client.ts';
import {discoverResources} from '../../src/cluster/discover.ts';
import type {KubeObject} from '../../src/cluster/object.ts';
import {objectPath, ResourceMap} from '../../src/cluster/resource-map.ts';
import {waitFor} from '../../src/std/wait.ts';
import {RECIPES, seeded, WIDGET_CRD} from './mixed-objects.ts';

const PER_NAMESPACE = 500;
/** etcd takes at most 128 operations in one transaction. */
const BATCH = 100;
const NAMESPACE = (number: number) => `team-${String(number).padStart(4, '0')}`;

export interface LoadedSet {
  namespaces: string[];
  objects: number;
}

/**
 * Fills a control plane with mixed objects. One of each kind goes through the API, which sets defaults and managedFields;
 * the others are written into etcd after its example, a hundred times as fast, and are then served like any other.
 */
export async function loadObjects(cluster: Cluster, etcd: string, count: number): Promise<LoadedSet> {
  const random = seeded(7);
  const namespaces = Array.from({length: Math.max(1, Math.ceil(count / PER_NAMESPACE))}, (_, i) =>
    NAMESPACE(i),
  );
  let types = new ResourceMap(await discoverResources(cluster));
  await createObject(cluster, types.of(WIDGET_CRD), WIDGET_CRD);
  await waitFor(
    async () => {
      types = new ResourceMap(await discoverResources(cluster));
      return types.find('shop.example/v1', 'Widget');
    },
    {waitingFor: 'the kind Widget', timeoutMs: 30_000},
  );
  for (const name of namespaces) {
    const namespace = {apiVersion: 'v1', kind: 'Namespace', metadata: {name}};
    await createObject(cluster, types.of(namespace), namespace);
  }
  const examples = new Map<string, KubeObject>();
  for (const {registry, make} of RECIPES) {
    const object = make('example', namespaces[0] ?? '', random);
    const type = types.of(object);
    await createObject(cluster, type, object);
    const stored = await readObject(cluster, type, {name: 'example', namespace: namespaces[0] ?? ''});
    if (!stored) throw new Error(`${registry}: the example is gone`);
    examples.set(registry, stored);
    await cluster.request('DELETE', objectPath(type, {name: 'example', namespace: namespaces[0] ?? ''}));
  }
  let batch: [string, string][] = [];
  let written = 0;
  const writes: Promise<void>[] = [];
  for (let i = 0; written < count; i += 1) {
    const share = i % 100;
    const recipe = recipeOf(share);
    const namespace = namespaces[Math.floor(written / PER_NAMESPACE)] ?? '';
    const name = `${['web', 'api', 'jobs', 'cart', 'mail'][i % 5]}-${String(i).padStart(6, '0')}`;
    const object = recipe.make(name, namespace, random);
    const example = examples.get(recipe.registry);
    batch.push([
      `/registry/${recipe.registry}/${namespace}/${name}`,
      JSON.stringify(likeExample(object, example, i)),
    ]);
    written += 1;
    if (batch.length === BATCH || written === count) {
      writes.push(putBatch(etcd, batch));
      batch = [];
      if (writes.length >= 8) await writes.shift();
    }
  }
  await Promise.all(writes);
  return {namespaces, objects: written};
}

function recipeOf(share: number) {
  let sum = 0;
  for (const recipe of RECIPES) {
    sum += recipe.share;
    if (share < sum) return recipe;
  }
  throw new Error('the shares are less than 100');
}

/** An object as the API server would have stored it: the defaults, times and managed fields of its example. */
function likeExample(object: KubeObject, example: KubeObject | undefined, index: number): KubeObject {
  if (!example) throw new Error('no example');
  const uid = `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`;
  const {resourceVersion: _, ...metadata} = example.metadata;
  const result = merge(example, object);
  return {
    ...(isObject(result) ? result : {}),
    apiVersion: object.apiVersion,
    kind: object.kind,
    metadata: {...metadata, ...object.metadata, uid},
    ...(object.kind === 'Deployment' ? {status: deploymentStatus} : {}),
  };
}

const deploymentStatus = {
  observedGeneration: 1,
  replicas: 2,
  updatedReplicas: 2,
  readyReplicas: 2,
  availableReplicas: 2,
  conditions: [
    {
      type: 'Available',
      status: 'True',
      lastUpdateTime: '2026-11-01T08:00:00Z',
      lastTransitionTime: '2026-11-01T08:00:00Z',
      reason: 'MinimumReplicasAvailable',
      message: 'Deployment has minimum availability.',
    },
  ],
};

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The example's fields, with those of the object over them; `data` is the object's own. */
function merge(example: unknown, own: unknown): unknown {
  if (Array.isArray(example) && Array.isArray(own)) return own.map((item, i) => merge(example[i], item));
  if (!isObject(example) || !isObject(own)) return own === undefined ? example : own;
  const merged: Record<string, unknown> = {...example};
  for (const [key, value] of Object.entries(own))
    merged[key] = ['data', 'labels', 'matchLabels'].includes(key) ? value : merge(example[key], value);
  return merged;
}

async function putBatch(etcd: string, batch: readonly [string, string][]): Promise<void> {
  const encode = (text: string) => Buffer.from(text).toString('base64');
  const success = batch.map(([key, value]) => ({requestPut: {key: encode(key), value: encode(value)}}));
  const response = await fetch(`${etcd}/v3/kv/txn`, {
    method: 'POST',
    body: JSON.stringify({success}),
    signal: AbortSignal.timeout(60_000),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`etcd answered ${response.status}: ${text.slice(0, 200)}`);
}

/** Changes every hundredth object through the API, as users do. */
export async function changeSome(
  cluster: Cluster,
  namespaces: readonly string[],
  count: number,
): Promise<number> {
  const types = new ResourceMap(await discoverResources(cluster));
  const type = types.named('configmaps');
  const deployments = types.named('deployments.apps');
  if (!type || !deployments) throw new Error('kinds are missing');
  const random = seeded(11);
  let changed = 0;
  for (const kind of [type, deployments]) {
    const names: {name: string; namespace: string}[] = [];
    for (const namespace of namespaces) {
      const {items} = await cluster.request<{items: KubeObject[]}>(
        'GET',
        objectPath(kind, {name: '', namespace}).replace(/\/$/, ''),
        {accept: 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1'},
      );
      for (const {metadata} of items) names.push({name: metadata.name, namespace});
    }
    const wanted = Math.ceil(count / 2);
    const chosen = new Set<number>();
    while (chosen.size < Math.min(wanted, names.length)) chosen.add(Math.floor(random() * names.length));
    const queue = [...chosen].map(index => names[index]);
    await Promise.all(
      Array.from({length: 8}, async () => {
        for (let one = queue.pop(); one; one = queue.pop()) {
          await cluster.request('PATCH', objectPath(kind, one), {
            contentType: 'application/merge-patch+json',
            body:
              kind === type
                ? {data: {CHANGED: String(random())}}
                : {
                    spec: {
                      template: {spec: {priorityClassName: null}},
                      replicas: 5 + Math.floor(random() * 20),
                    },
                  },
          });
          changed += 1;
        }
      }),
    );
  }
  return changed;
}
