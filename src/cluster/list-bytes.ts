import type {ByteBuffers} from '../std/byte-buffers.ts';
import {at, numberAt, stringAt} from '../std/json-at.ts';
import {JsonReader} from '../std/json-reader.ts';
import {type ApiError, type Cluster, isApiError} from './client.ts';
import type {ResourceType} from './object.ts';
import {collectionPath} from './resource-map.ts';

/** One page of a list, in the bytes in which it came. */
export interface BytesPage {
  bytes: Uint8Array<ArrayBuffer>;
  /** Of the whole list: all pages show the state at this one moment. */
  resourceVersion: string;
  /** About how many bytes follow on more pages, as far as the server says; 0 for the last one. */
  remaining: number;
  /** The list began anew: what came before of this kind is to be dropped. */
  restarted: boolean;
}

interface ListOptions {
  namespace?: string | undefined;
  /** Where memory for pages is taken from; the reader gives it back. */
  buffers?: ByteBuffers | undefined;
  signal?: AbortSignal | undefined;
}

const FIRST_PAGE = 500;
const MAX_PAGE = 2500;
/** Pages are made so long that they have about this size: memory is bounded however large objects are. */
const PAGE_BYTES = 3 * 1024 * 1024;
/** A list that expires so often cannot be read at the pace of its reader. */
const MAX_RESTARTS = 5;

/**
 * Lists a kind page by page without parsing it. The next page is asked for while the reader works on one; but the second
 * only when the reader wants it, so that all kinds can be begun before the first is gone on with. When the server
 * has forgotten the state that the pages come from (410), the list begins anew, and the next page says so.
 * @throws ApiError, also 410 after the fifth restart
 */
export async function* listBytes(
  cluster: Cluster,
  type: ResourceType,
  options: ListOptions = {},
): AsyncGenerator<BytesPage> {
  let limit = FIRST_PAGE;
  let restarts = 0;
  let restarted = false;
  let isFirst = true;
  let next: Promise<Uint8Array<ArrayBuffer>> | undefined = requestPage(
    cluster,
    type,
    options,
    limit,
    undefined,
  );
  while (next) {
    let bytes: Uint8Array<ArrayBuffer>;
    try {
      bytes = await next;
    } catch (error) {
      if (!isExpired(error) || restarts >= MAX_RESTARTS) throw error;
      restarts += 1;
      restarted = true;
      next = requestPage(cluster, type, options, limit, undefined);
      continue;
    }
    const {resourceVersion, token, objectsLeft} = listMetadata(
      Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length),
    );
    const remaining = token === undefined ? 0 : Math.ceil((objectsLeft * bytes.length) / limit);
    limit = nextLimit(limit, bytes.length);
    const page = {bytes, resourceVersion, remaining, restarted};
    if (isFirst) yield page;
    next = token === undefined ? undefined : requestPage(cluster, type, options, limit, token);
    // Whoever stops reading leaves it; its failure is then nobody's.
    next?.catch(() => undefined);
    if (!isFirst) yield page;
    isFirst = false;
    restarted = false;
  }
}

function nextLimit(limit: number, bytes: number): number {
  return Math.max(20, Math.min(MAX_PAGE, limit * 4, Math.floor((limit * PAGE_BYTES) / Math.max(1, bytes))));
}

function requestPage(
  cluster: Cluster,
  type: ResourceType,
  {namespace, buffers, signal}: ListOptions,
  limit: number,
  token: string | undefined,
): Promise<Uint8Array<ArrayBuffer>> {
  return cluster.requestBytes('GET', collectionPath(type, namespace), {
    query: {limit, continue: token},
    bulk: true,
    buffers,
    action: `list ${type.plural}${type.group ? `.${type.group}` : ''}${namespace ? ` in ${namespace}` : ''}`,
    signal,
  });
}

const isExpired = (error: unknown): error is ApiError => isApiError(error, 410);

/** How much of the end of an answer is looked at for its metadata. */
const TAIL_BYTES = 8192;

interface ListMetadata {
  resourceVersion: string;
  token: string | undefined;
  /** After this page; at least 1 where there are more, which is all that a server has to say. */
  objectsLeft: number;
}

/** What a list says of itself: before its items for kinds that are built in, behind them for others. */
function listMetadata(bytes: Buffer): ListMetadata {
  const metadata = metadataBefore(bytes) ?? metadataBehind(bytes) ?? metadataAnywhere(bytes);
  const token = stringAt(metadata, 'continue') || undefined;
  return {
    resourceVersion: stringAt(metadata, 'resourceVersion') ?? '',
    token,
    objectsLeft: Math.max(1, numberAt(metadata, 'remainingItemCount') ?? 1),
  };
}

const ITEMS = Buffer.from('"items"');
const METADATA = Buffer.from('"metadata"');

function metadataBefore(bytes: Buffer): unknown {
  const reader = new JsonReader(bytes);
  reader.object();
  while (reader.member() && !reader.isKey(ITEMS)) {
    const {at: start} = reader;
    const found = reader.isKey(METADATA);
    reader.skip();
    if (found) return JSON.parse(bytes.toString('utf8', start, reader.at));
  }
  return undefined;
}

/** The end of a list is an object that lacks its beginning: `],"kind":"WidgetList","metadata":{…}}`. */
function metadataBehind(bytes: Buffer): unknown {
  const tail = bytes.toString('latin1', Math.max(0, bytes.length - TAIL_BYTES));
  const begin = tail.lastIndexOf('],"kind":"');
  if (begin < 0) return undefined;
  try {
    const end: unknown = JSON.parse(`{${tail.slice(begin + 2)}`);
    return stringAt(end, 'kind')?.endsWith('List') ? at(end, 'metadata') : undefined;
  } catch {
    return undefined;
  }
}

function metadataAnywhere(bytes: Buffer): unknown {
  const reader = new JsonReader(bytes);
  reader.object();
  while (reader.member()) {
    const {at: start} = reader;
    const found = reader.isKey(METADATA);
    reader.skip();
    if (found) return JSON.parse(bytes.toString('utf8', start, reader.at));
  }
  return undefined;
}
