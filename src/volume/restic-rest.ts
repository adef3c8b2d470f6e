import {createHash} from 'node:crypto';
import type {Readable} from 'node:stream';
import {PraError} from '../errors.ts';
import type {Store} from '../repository/store.ts';

/** One request of restic to its repository, in the protocol of its REST backend, version 2. */
export interface RestRequest {
  method: string;
  /** With its query. */
  path: string;
  /** The header `Range`. */
  range?: string | undefined;
  body: () => Promise<Uint8Array>;
}

export interface RestAnswer {
  status: number;
  headers?: Record<string, string>;
  body?: Uint8Array;
}

/**
 * What may be done: `append` adds and reads, and deletes nothing but locks; `read` writes nothing but locks. Whoever runs
 * restic where others could get at it can so not harm what is there.
 */
export type RestAccess = 'append' | 'read';

const FOLDERS = ['data', 'index', 'keys', 'locks', 'snapshots'];
const NAME = /^[0-9a-f]{64}$/;
const MEDIA_TYPE = 'application/vnd.x.restic.rest.v2';
/** restic's packs are of 16 MiB, and never of more than 128; what is larger is not of restic. */
const MAX_BODY_BYTES = 192 << 20;

/**
 * Serves restic's repository out of the folder `volumes/` of a store, in the layout that restic itself uses there, so that
 * restic on this machine and restic behind this see the same repository. What the store cannot do is status 500 with the
 * reason as text, which restic tries again; `onError` is told, since restic shows no more than the status, and `onAnswer` of
 * all that went well.
 */
export async function answerRestic(
  store: Store,
  request: RestRequest,
  options: {
    access: RestAccess;
    signal?: AbortSignal | undefined;
    onError?: ((error: PraError) => void) | undefined;
    onAnswer?: (() => void) | undefined;
  },
): Promise<RestAnswer> {
  const place = placeOf(request.path);
  if (!place) return {status: 404};
  if (!isAllowed(request.method, place, options.access)) return {status: 403};
  try {
    const found = await answer(store, request, place, options.signal);
    options.onAnswer?.();
    return found;
  } catch (error) {
    if (!(error instanceof PraError)) throw error;
    if (error.code === 'STORE_MISSING') return {status: 404};
    options.onError?.(error);
    return {status: 500, body: Buffer.from(error.message)};
  }
}

/** A file of the repository by its key in the store, or a folder, whose files are listed. */
interface Place {
  folder: string;
  key: string;
  isFolder: boolean;
}

function placeOf(path: string): Place | undefined {
  const parts = path.replace(/\?.*$/, '').split('/').filter(Boolean);
  const [folder = '', name] = parts;
  if (folder === 'config' && name === undefined) return {folder, key: 'volumes/config', isFolder: false};
  if (!FOLDERS.includes(folder) || parts.length > 2) return undefined;
  if (name === undefined) return {folder, key: `volumes/${folder}/`, isFolder: true};
  if (!NAME.test(name)) return undefined;
  const below = folder === 'data' ? `data/${name.slice(0, 2)}` : folder;
  return {folder, key: `volumes/${below}/${name}`, isFolder: false};
}

function isAllowed(method: string, {folder, isFolder}: Place, access: RestAccess): boolean {
  if (method === 'GET' || method === 'HEAD') return true;
  if (isFolder || folder === 'config' || folder === 'keys') return false;
  if (folder === 'locks') return method === 'POST' || method === 'DELETE';
  return access === 'append' && method === 'POST';
}

async function answer(
  store: Store,
  {method, range, body}: RestRequest,
  {key, isFolder}: Place,
  signal: AbortSignal | undefined,
): Promise<RestAnswer> {
  if (isFolder) return method === 'GET' ? list(store, key, signal) : {status: 405};
  switch (method) {
    case 'HEAD': {
      const size = await sizeOf(store, key, signal);
      return size === undefined ? {status: 404} : {status: 200, headers: {'content-length': String(size)}};
    }
    case 'GET':
      return get(store, key, range, signal);
    case 'POST':
      return add(store, key, await body(), signal);
    case 'DELETE':
      await store.delete(key, {signal});
      return {status: 200};
    default:
      return {status: 405};
  }
}

/** Names are digests of contents: what has another name is not of restic, and what is there already is the same. */
async function add(
  store: Store,
  key: string,
  body: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<RestAnswer> {
  const name = key.slice(key.lastIndexOf('/') + 1);
  if (createHash('sha256').update(body).digest('hex') !== name) return {status: 400};
  await store.put(key, body, {ifAbsent: true, signal}).catch((error: unknown) => {
    if (!(error instanceof PraError) || error.code !== 'STORE_CONFLICT') throw error;
  });
  return {status: 200};
}

async function list(store: Store, prefix: string, signal: AbortSignal | undefined): Promise<RestAnswer> {
  const files: {name: string; size: number}[] = [];
  for await (const {key, size} of store.list(prefix, {signal})) {
    const name = key.slice(key.lastIndexOf('/') + 1);
    if (NAME.test(name)) files.push({name, size});
  }
  return {status: 200, headers: {'content-type': MEDIA_TYPE}, body: Buffer.from(JSON.stringify(files))};
}

async function sizeOf(
  store: Store,
  key: string,
  signal: AbortSignal | undefined,
): Promise<number | undefined> {
  for await (const file of store.list(key, {signal})) if (file.key === key) return file.size;
  return undefined;
}

async function get(
  store: Store,
  key: string,
  range: string | undefined,
  signal: AbortSignal | undefined,
): Promise<RestAnswer> {
  const asked = /^bytes=(\d{1,15})-(\d{1,15})?$/.exec(range ?? '');
  if (!asked) return {status: 200, body: await store.get(key, {signal})};
  const offset = Number(asked[1]);
  const length = asked[2] === undefined ? MAX_BODY_BYTES : Number(asked[2]) - offset + 1;
  if (length <= 0 || length > MAX_BODY_BYTES) return {status: 416};
  return {status: 206, body: await store.get(key, {range: {offset, length}, signal})};
}

/** The body of a request, all of it. @throws PraError STORE_FAILED for more than a file of restic may have */
export async function bodyOf(stream: Readable): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    const bytes: Buffer = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk);
    size += bytes.length;
    if (size > MAX_BODY_BYTES)
      throw new PraError('STORE_FAILED', 'restic sent more than a file of it may have');
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}
