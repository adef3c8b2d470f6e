import {type ApiError, type Cluster, isApiError} from './client.ts';
import {apiVersionOf, type KubeObject, type ResourceType} from './object.ts';
import {collectionPath} from './resource-map.ts';

export interface ListOptions {
  namespace?: string | undefined;
  labelSelector?: string | undefined;
  fieldSelector?: string | undefined;
  /** Objects per request. Pages of 2000 are the fastest measured; 0 asks for all at once. */
  pageSize?: number;
  signal?: AbortSignal | undefined;
  /** Told where the list stands. */
  onResourceVersion?: (resourceVersion: string) => void;
}

export interface ListPage {
  objects: KubeObject[];
  /** Of the whole list: all pages show the state at this one moment. */
  resourceVersion: string;
  /** The list began anew: what came before of this kind is to be dropped. */
  restarted: boolean;
}

interface ListAnswer {
  metadata?: {resourceVersion?: string; continue?: string};
  items: KubeObject[] | null;
}

const PAGE_SIZE = 2000;
/** A list that expires so often cannot be read at the pace of its reader. */
const MAX_RESTARTS = 5;

/**
 * Lists objects of a kind page by page, so that memory holds one page. When the server has forgotten the state that
 * the pages come from (410), the list begins anew, and the next page says so.
 * @throws ApiError, also 410 after the fifth restart
 */
export async function* listObjects(
  cluster: Cluster,
  type: ResourceType,
  options: ListOptions = {},
): AsyncGenerator<ListPage> {
  let token: string | undefined;
  let restarts = 0;
  let restarted = false;
  do {
    let answer: ListAnswer;
    try {
      answer = await requestPage(cluster, type, options, token);
    } catch (error) {
      if (!token || !isExpired(error) || restarts >= MAX_RESTARTS) throw error;
      restarts += 1;
      restarted = true;
      token = undefined;
      continue;
    }
    const objects = withType(answer.items ?? [], type);
    token = answer.metadata?.continue || undefined;
    yield {objects, resourceVersion: answer.metadata?.resourceVersion ?? '', restarted};
    restarted = false;
  } while (token !== undefined || restarted);
}

/** All objects of a kind at once, for kinds that are known to be few. */
export async function listAll(
  cluster: Cluster,
  type: ResourceType,
  options: ListOptions = {},
): Promise<KubeObject[]> {
  let all: KubeObject[] = [];
  for await (const page of listObjects(cluster, type, options)) {
    all = page.restarted ? page.objects : all.concat(page.objects);
    options.onResourceVersion?.(page.resourceVersion);
  }
  return all;
}

function requestPage(
  cluster: Cluster,
  type: ResourceType,
  options: ListOptions,
  token: string | undefined,
): Promise<ListAnswer> {
  const {namespace, labelSelector, fieldSelector, signal} = options;
  return cluster.request('GET', collectionPath(type, namespace), {
    query: {limit: options.pageSize ?? PAGE_SIZE, continue: token, labelSelector, fieldSelector},
    action: `list ${type.plural}${type.group ? `.${type.group}` : ''}${namespace ? ` in ${namespace}` : ''}`,
    signal,
  });
}

function isExpired(error: unknown): error is ApiError {
  return isApiError(error, 410);
}

/** Items of a list come without apiVersion and kind, except from some aggregated servers. */
function withType(items: KubeObject[], type: ResourceType): KubeObject[] {
  const apiVersion = apiVersionOf(type);
  for (const item of items) {
    item.apiVersion ??= apiVersion;
    item.kind ??= type.kind;
  }
  return items;
}
