import {createReadStream} from 'node:fs';
import {join} from 'node:path';
import {isApiError} from '../cluster/api-error.ts';
import {applyObject} from '../cluster/apply.ts';
import {type Cluster, connectCluster} from '../cluster/client.ts';
import {CORE_TYPES} from '../cluster/core-types.ts';
import {discoverResources} from '../cluster/discover.ts';
import {execInPod} from '../cluster/exec.ts';
import {ResourceMap} from '../cluster/resource-map.ts';
import {waitHealthy} from '../cluster/wait-healthy.ts';
import {PraError} from '../errors.ts';
import {type ShopImages, shopImages} from '../image/shop.ts';
import {removeLocalCluster} from '../local/down.ts';
import {makeLocalCluster} from '../local/up.ts';
import {waitFor} from '../std/wait.ts';
import {quickstartDir, shopObjects} from './manifests.ts';

/** Name of the source cluster, and of its context. */
export const SOURCE = 'pra-quickstart';
const HEALTHY_TIMEOUT_MS = 180_000;

export interface SourceOptions {
  /** Name of the cluster; that of the quickstart by default. */
  name?: string;
  signal: AbortSignal;
  onProgress: (message: string) => void;
}

export interface Source {
  kubeconfigPath: string;
  images: ShopImages;
}

/**
 * Brings up the cluster that the quickstart recovers: a local one with the sample shop in it, its database filled.
 * @throws PraError LOCAL_CLUSTER_FAILED, WORKLOAD_UNHEALTHY with the reason.
 */
export async function startSource(options: SourceOptions): Promise<Source> {
  const {signal, onProgress} = options;
  const images = await shopImages({signal, onProgress});
  onProgress('bringing up the source cluster');
  const {kubeconfigPath} = await makeLocalCluster({
    name: options.name ?? SOURCE,
    node: 'kubelet',
    isolated: true,
    images: [images.postgres, images.web],
    signal,
    onProgress,
  });
  const cluster = await connectCluster({kubeconfig: kubeconfigPath});
  try {
    onProgress('putting the shop into it');
    await applyShop(cluster, signal);
    await healthy(cluster, 'StatefulSet', 'shop-db', 'db', signal);
    onProgress('filling its database');
    await seed(cluster, signal);
    await healthy(cluster, 'Deployment', 'shop', 'web', signal);
    return {kubeconfigPath, images};
  } finally {
    await cluster.close();
  }
}

/** Removes it. @returns whether it was there */
export const stopSource = () => removeLocalCluster({name: SOURCE});

async function applyShop(cluster: Cluster, signal: AbortSignal): Promise<void> {
  for (const object of await shopObjects()) {
    // A kind that was just defined, and the service account of a namespace that was just made, take a moment.
    await waitFor(
      async () => {
        const type = new ResourceMap(await discoverResources(cluster, {signal})).find(
          object.apiVersion,
          object.kind,
        );
        if (!type) return undefined;
        try {
          return await applyObject(cluster, type, object, {signal});
        } catch (error) {
          if (isApiError(error, 404)) return undefined;
          throw error;
        }
      },
      {
        waitingFor: `the API server to take ${object.kind} ${object.metadata.name}`,
        timeoutMs: 30_000,
        intervalMs: 100,
        signal,
      },
    );
  }
}

async function healthy(
  cluster: Cluster,
  kind: 'StatefulSet' | 'Deployment',
  namespace: string,
  name: string,
  signal: AbortSignal,
): Promise<void> {
  const outcome = await waitHealthy(cluster, [{type: CORE_TYPES[kind], namespace, name}], {
    timeoutMs: HEALTHY_TIMEOUT_MS,
    signal,
  });
  if (outcome.healthy) return;
  throw new PraError(
    'WORKLOAD_UNHEALTHY',
    `the shop did not come up: ${outcome.objects.map(object => `${object.ref} is ${object.state}: ${object.reason}`).join('; ')}`,
  );
}

async function seed(cluster: Cluster, signal: AbortSignal): Promise<void> {
  const command = [
    'psql',
    '-h',
    '/tmp',
    '-U',
    'postgres',
    '-X',
    '-q',
    '-v',
    'ON_ERROR_STOP=1',
    '--single-transaction',
    'shop',
  ];
  const stdin = createReadStream(join(quickstartDir(), 'seed.sql'));
  const {exitCode, stderr} = await execInPod(cluster, {
    namespace: 'shop-db',
    pod: 'db-0',
    container: 'db',
    command,
    stdin,
    signal,
  });
  if (exitCode !== 0)
    throw new PraError('EXEC_FAILED', 'the database of the shop could not be filled', {why: stderr});
}
