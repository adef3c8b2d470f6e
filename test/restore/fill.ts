import {createObject, readObject} from '../../src/cluster/apply.ts';
import type {Cluster} from '../../src/cluster/client.ts';
import {discoverResources} from '../../src/cluster/discover.ts';
import type {KubeObject} from '../../src/cluster/object.ts';
import {objectPath, ResourceMap} from '../../src/cluster/resource-map.ts';
import {waitEstablished} from '../../src/restore/established.ts';
import {MIXED_SET, OWNED_SET} from './mixed-set.ts';

const {signal} = new AbortController();

/** Fills a cluster with the mixed set: owners, states of jobs, and all. */
export async function fill(cluster: Cluster): Promise<void> {
  const [definition, ...objects] = MIXED_SET;
  if (!definition) throw new Error('the mixed set is empty');
  const create = async (object: KubeObject) =>
    createObject(cluster, new ResourceMap(await discoverResources(cluster, {signal})).of(object), object);
  await create(definition);
  await waitEstablished(cluster, [definition], signal);
  const types = new ResourceMap(await discoverResources(cluster, {signal}));
  for (const object of objects) await createObject(cluster, types.of(object), object);
  for (const {object, owner, controller = false} of OWNED_SET) {
    const type = types.of({...owner, metadata: {name: owner.name}});
    const uid = (await readObject(cluster, type, {name: owner.name, namespace: 'shop'}))?.metadata.uid ?? '';
    await createObject(cluster, types.of(object), {
      ...object,
      metadata: {...object.metadata, ownerReferences: [{...owner, uid, controller}]},
    });
  }
  const now = new Date().toISOString().replace(/\.\d+Z/, 'Z');
  const condition = (type: string) => ({type, status: 'True', lastTransitionTime: now, lastProbeTime: now});
  for (const [name, status] of [
    [
      'complete',
      {
        startTime: now,
        completionTime: now,
        succeeded: 1,
        conditions: [condition('SuccessCriteriaMet'), condition('Complete')],
      },
    ],
    ['failed', {startTime: now, failed: 1, conditions: [condition('FailureTarget'), condition('Failed')]}],
  ] as const) {
    const job = types.named('jobs.batch');
    if (!job) throw new Error('no jobs');
    await cluster.request('PATCH', `${objectPath(job, {name, namespace: 'shop'})}/status`, {
      contentType: 'application/merge-patch+json',
      body: {status},
    });
  }
}
