import {type Cluster, isApiError} from './client.ts';
import {type KubeObject, objectRef, type ResourceType} from './object.ts';
import {collectionPath, nameRef, type ObjectName, objectPath} from './resource-map.ts';

/** Owner of the fields that pra writes by server-side apply, as other tools see it. */
export const FIELD_MANAGER = 'pra';

export interface WriteOptions {
  /** The server checks and answers as if it wrote, and writes nothing. */
  dryRun?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

const dryRunOf = (options: WriteOptions) => (options.dryRun ? 'All' : undefined);

/**
 * Creates an object; nothing is read before.
 * @returns the object as the server stored it
 * @throws ApiError, 409 `AlreadyExists` when there is one of that name
 */
export function createObject(
  cluster: Cluster,
  type: ResourceType,
  object: KubeObject,
  options: WriteOptions = {},
): Promise<KubeObject> {
  return cluster.request('POST', collectionPath(type, object.metadata.namespace), {
    query: {dryRun: dryRunOf(options), fieldManager: FIELD_MANAGER},
    body: object,
    action: `create ${objectRef(object)}`,
    signal: options.signal,
  });
}

/**
 * Creates an object of JSON that is sent as it is; what the server answers is not looked at.
 * @throws ApiError, 409 `AlreadyExists` when there is one of that name
 */
export async function createFromBytes(
  cluster: Cluster,
  type: ResourceType,
  name: ObjectName,
  bytes: Buffer,
  options: WriteOptions = {},
): Promise<void> {
  await cluster.requestBytes('POST', collectionPath(type, name.namespace), {
    query: {dryRun: dryRunOf(options), fieldManager: FIELD_MANAGER},
    body: bytes,
    signal: options.signal,
  });
}

export interface ApplyOptions extends WriteOptions {
  /** Takes over fields that other managers own; without it such a field is a 409 conflict. Default true. */
  force?: boolean | undefined;
}

/** Creates an object or brings it to the given state by server-side apply. */
export function applyObject(
  cluster: Cluster,
  type: ResourceType,
  object: KubeObject,
  options: ApplyOptions = {},
): Promise<KubeObject> {
  return cluster.request('PATCH', objectPath(type, object.metadata), {
    query: {dryRun: dryRunOf(options), fieldManager: FIELD_MANAGER, force: options.force ?? true},
    body: object,
    contentType: 'application/apply-patch+yaml',
    action: `apply ${objectRef(object)}`,
    signal: options.signal,
  });
}

/** Changes single fields by a JSON merge patch (RFC 7396); null removes a field. */
export function patchObject(
  cluster: Cluster,
  type: ResourceType,
  name: ObjectName,
  patch: Record<string, unknown>,
  options: WriteOptions = {},
): Promise<KubeObject> {
  return cluster.request('PATCH', objectPath(type, name), {
    query: {dryRun: dryRunOf(options), fieldManager: FIELD_MANAGER},
    body: patch,
    contentType: 'application/merge-patch+json',
    action: `change ${nameRef(type, name)}`,
    signal: options.signal,
  });
}

/** Reads one object; undefined when there is none, or when the server does not know its kind. */
export async function readObject(
  cluster: Cluster,
  type: ResourceType,
  name: ObjectName,
  options: {signal?: AbortSignal | undefined} = {},
): Promise<KubeObject | undefined> {
  const path = objectPath(type, name);
  try {
    return await cluster.request<KubeObject>('GET', path, {
      action: `read ${nameRef(type, name)}`,
      ...options,
    });
  } catch (error) {
    if (isApiError(error, 404)) return undefined;
    throw error;
  }
}

export interface DeleteOptions extends WriteOptions {
  /** What becomes of the objects that it owns. Default `Background`. */
  propagation?: 'Background' | 'Foreground' | 'Orphan' | undefined;
  /** Only the object with this UID; another one of the name is a 409. */
  uid?: string | undefined;
}

/** Asks the server to delete an object, and does not wait for finalizers. False when there was none. */
export async function deleteObject(
  cluster: Cluster,
  type: ResourceType,
  name: ObjectName,
  options: DeleteOptions = {},
): Promise<boolean> {
  const body = {
    apiVersion: 'v1',
    kind: 'DeleteOptions',
    propagationPolicy: options.propagation ?? 'Background',
    ...(options.uid === undefined ? {} : {preconditions: {uid: options.uid}}),
    ...(options.dryRun ? {dryRun: ['All']} : {}),
  };
  try {
    await cluster.request('DELETE', objectPath(type, name), {
      body,
      action: `delete ${nameRef(type, name)}`,
      signal: options.signal,
    });
    return true;
  } catch (error) {
    if (isApiError(error, 404)) return false;
    throw error;
  }
}
