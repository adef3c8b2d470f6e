import type {Cluster} from './client.ts';
import type {ResourceType} from './object.ts';
import {collectionPath} from './resource-map.ts';

/** Only the metadata of objects, for those that are asked for by name. */
const METADATA_ONLY = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';
const PAGE_SIZE = 2000;

interface Answer {
  metadata?: {continue?: string};
  items?: {metadata: {name: string; namespace?: string}}[] | null;
}

/**
 * The names of all objects of a kind, written `namespace/name` (`/name` for cluster-scoped ones), without reading the
 * objects.
 * @throws ApiError, PraError CLUSTER_*
 */
export async function listNames(
  cluster: Cluster,
  type: ResourceType,
  options: {namespace?: string | undefined; signal?: AbortSignal | undefined} = {},
): Promise<Set<string>> {
  const names = new Set<string>();
  let token: string | undefined;
  do {
    const answer: Answer = await cluster.request<Answer>('GET', collectionPath(type, options.namespace), {
      accept: METADATA_ONLY,
      query: {limit: PAGE_SIZE, continue: token},
      action: `list ${type.plural}`,
      signal: options.signal,
    });
    for (const {metadata} of answer.items ?? []) names.add(`${metadata.namespace ?? ''}/${metadata.name}`);
    token = answer.metadata?.continue || undefined;
  } while (token !== undefined);
  return names;
}
