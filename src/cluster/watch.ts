import {PraError} from '../errors.ts';
import {numberAt, stringAt} from '../std/json-at.ts';
import {JsonReader} from '../std/json-reader.ts';
import {ApiError, type Cluster, isApiError} from './client.ts';
import {isLostConnection} from './connection-error.ts';
import type {ResourceType} from './object.ts';
import {collectionPath} from './resource-map.ts';
import {waitRetry} from './retry.ts';

/** A change of one object. */
export interface WatchEvent {
  change: 'written' | 'deleted';
  name: string;
  /** Empty for objects without one. */
  namespace: string;
  /** The object as it came. */
  json: Buffer;
}

export interface WatchOptions {
  namespace?: string | undefined;
  /** Where a list of the kind stood. */
  resourceVersion: string;
  signal: AbortSignal;
  /** Told how far the watch has come, also when nothing changed. */
  onResourceVersion?: ((resourceVersion: string) => void) | undefined;
  /** Told when the server cannot be reached for now; it is tried again until the signal aborts. */
  onTrouble?: ((error: unknown) => void) | undefined;
}

/** The server ends a watch after this time; it is then continued. */
const LIFETIME_S = 300;
/** Bookmarks come about every minute. */
const SILENCE_MS = 180_000;
const RECONNECT_MS = 1_000;
const NEWLINE = 0x0a;
/** No object is larger than what etcd takes, and a line not much. */
const MAX_LINE_BYTES = 64 * 1024 * 1024;

/**
 * Watches a kind from where a list of it stood. A watch that the server or the network ends goes on where it was.
 * @throws ApiError 410 when the server has forgotten what came after: list again; 403; other answers
 */
export async function* watchKind(
  cluster: Cluster,
  type: ResourceType,
  options: WatchOptions,
): AsyncGenerator<WatchEvent> {
  let {resourceVersion} = options;
  for (;;) {
    const began = performance.now();
    try {
      for await (const line of watchOnce(cluster, type, {...options, resourceVersion})) {
        const {kind, object, json} = parseEvent(line);
        if (kind === 'ERROR') throw watchError(cluster, type, object, json);
        const version = stringAt(object, 'metadata', 'resourceVersion');
        if (version !== undefined) {
          resourceVersion = version;
          options.onResourceVersion?.(version);
        }
        if (kind === 'BOOKMARK') continue;
        yield {
          change: kind === 'DELETED' ? 'deleted' : 'written',
          name: stringAt(object, 'metadata', 'name') ?? '',
          namespace: stringAt(object, 'metadata', 'namespace') ?? '',
          json,
        };
      }
    } catch (error) {
      if (options.signal.aborted) return;
      if (!passes(error)) throw error;
      options.onTrouble?.(error);
      await waitRetry(RECONNECT_MS, options.signal).catch(() => undefined);
    }
    if (options.signal.aborted) return;
    // A proxy that ends every watch at once must not be asked hundreds of times a second.
    if (performance.now() - began < RECONNECT_MS)
      await waitRetry(RECONNECT_MS, options.signal).catch(() => undefined);
  }
}

async function* watchOnce(
  cluster: Cluster,
  type: ResourceType,
  options: WatchOptions,
): AsyncGenerator<Buffer> {
  const body = await cluster.stream(collectionPath(type, options.namespace), {
    query: {
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion: options.resourceVersion,
      timeoutSeconds: LIFETIME_S,
    },
    action: `watch ${type.plural}${type.group ? `.${type.group}` : ''}`,
    timeoutMs: SILENCE_MS,
    signal: options.signal,
  });
  let parts: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    let rest = chunk;
    for (let end = rest.indexOf(NEWLINE); end >= 0; end = rest.indexOf(NEWLINE)) {
      yield Buffer.concat([...parts, rest.subarray(0, end)]);
      parts = [];
      bytes = 0;
      rest = rest.subarray(end + 1);
    }
    if (rest.length > 0) parts.push(rest);
    bytes += rest.length;
    if (bytes > MAX_LINE_BYTES) throw new Error('an event of the watch has no end');
  }
}

const TYPE = Buffer.from('"type"');
const OBJECT = Buffer.from('"object"');

function parseEvent(line: Buffer): {kind: string; object: unknown; json: Buffer} {
  let kind = '';
  let json: Buffer = Buffer.alloc(0);
  const reader = new JsonReader(line);
  reader.object();
  while (reader.member()) {
    const {at} = reader;
    const [isType, isObject] = [reader.isKey(TYPE), reader.isKey(OBJECT)];
    reader.skip();
    if (isType) kind = line.toString('utf8', at + 1, reader.at - 1);
    if (isObject) json = line.subarray(at, reader.at);
  }
  return {kind, object: JSON.parse(json.toString('utf8')), json};
}

function watchError(cluster: Cluster, type: ResourceType, object: unknown, json: Buffer): ApiError {
  const answer = {
    status: numberAt(object, 'code') ?? 500,
    body: json.toString('utf8'),
    retryAfterMs: undefined,
  };
  return new ApiError(`watch ${type.plural}`, answer, cluster.context);
}

/** What is over when the server or the network is there again. */
function passes(error: unknown): boolean {
  if (isApiError(error)) return error.status === 429 || error.status >= 500;
  if (error instanceof PraError) return error.code === 'CLUSTER_UNREACHABLE';
  return isLostConnection(error);
}
