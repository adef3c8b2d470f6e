import {z} from 'zod';
import {PraError} from '../errors.ts';
import {readObject} from './apply.ts';
import type {Cluster} from './client.ts';
import {CORE_TYPES} from './core-types.ts';

/** What tells one cluster from another, whatever kubeconfigs call it. */
export interface ClusterIdentity {
  /** UID of the kube-system namespace, which lives as long as the cluster. */
  uid: string;
  /** gitVersion of the API server: `v1.34.4`. */
  version: string;
  /** URL of the API server as the kubeconfig has it. */
  server: string;
}

const versionSchema = z.object({gitVersion: z.string()});

/** @throws PraError CLUSTER_REQUEST_FAILED when there is no kube-system namespace, and what requests throw */
export async function readIdentity(
  cluster: Cluster,
  options: {signal?: AbortSignal | undefined} = {},
): Promise<ClusterIdentity> {
  const [version, system] = await Promise.all([
    cluster.request('GET', '/version', {action: 'read the version of the API server', ...options}),
    readObject(cluster, CORE_TYPES.Namespace, {name: 'kube-system'}, options),
  ]);
  const uid = system?.metadata.uid;
  const parsed = versionSchema.safeParse(version);
  if (!uid || !parsed.success) {
    throw new PraError('CLUSTER_REQUEST_FAILED', `${cluster.server} does not identify itself as a cluster`, {
      why: uid ? 'its /version has no gitVersion' : 'it has no kube-system namespace',
    });
  }
  return {uid, version: parsed.data.gitVersion, server: cluster.server};
}
