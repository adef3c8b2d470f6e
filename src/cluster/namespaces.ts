import type {Cluster} from './client.ts';
import {CORE_TYPES} from './core-types.ts';
import {listAll} from './list.ts';

/** Names of all namespaces, those that are being deleted included. */
export async function listNamespaces(
  cluster: Cluster,
  options: {signal?: AbortSignal | undefined} = {},
): Promise<string[]> {
  const namespaces = await listAll(cluster, CORE_TYPES.Namespace, options);
  return namespaces.map(namespace => namespace.metadata.name);
}
