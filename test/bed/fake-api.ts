import {mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import type {IncomingMessage, ServerResponse} from 'node:http';
import {createServer} from 'node:https';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {json} from 'node:stream/consumers';
import {WebSocketServer} from 'ws';
import {type Cluster, connectCluster} from '../../src/cluster/client.ts';
import type {KubeObject, ResourceType} from '../../src/cluster/object.ts';
import {objectPath} from '../../src/cluster/resource-map.ts';
import {isJsonObject} from '../../src/std/json-at.ts';
import {createAuthority, embedded} from './certificates.ts';

/**
 * An API server that stores objects and does nothing with them: for what a real cluster does not do on demand, such as refusing
 * the second of two patches. It knows neither validation nor garbage collection, and a command that is run in a pod goes on
 * without end.
 */
export interface FakeApi {
  cluster: Cluster;
  put(type: ResourceType, object: KubeObject): void;
  get(type: ResourceType, name: {name: string; namespace?: string}): KubeObject | undefined;
  remove(type: ResourceType, name: {name: string; namespace?: string}): void;
  /** `METHOD path` of each change that was asked for. */
  changes: string[];
  /** Called before each request with `METHOD path`; a number refuses it with this status. */
  before: (line: string) => number | undefined;
  /** Called with what was created, which may get a status by it. */
  created: (object: KubeObject) => void;
  stop(): Promise<void>;
}

export async function startFakeApi(): Promise<FakeApi> {
  const objects = new Map<string, KubeObject>();
  let versions = 0;
  const dir = await mkdtemp(join(tmpdir(), 'pra-api-'));
  const authority = await createAuthority(dir);
  const files = await authority.issue({
    name: 'api',
    commonName: 'api',
    subjectAltNames: ['IP:127.0.0.1'],
  });
  const tls = {cert: await readFile(files.cert), key: await readFile(files.key)};
  const server = createServer(tls, (request, response) => void answer(request, response));
  const sockets = new WebSocketServer({server});
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the API has no port');
  const kubeconfig = join(dir, 'kubeconfig');
  await writeFile(
    kubeconfig,
    configOf(`https://127.0.0.1:${address.port}`, await embedded(authority.caFile)),
    {mode: 0o600},
  );
  const cluster = await connectCluster({kubeconfig});

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const {method = '', url = '/'} = request;
    const {pathname, searchParams} = new URL(url, 'http://fake');
    const line = `${method} ${pathname}`;
    const body = method === 'GET' ? undefined : await json(request).catch(() => undefined);
    if (method !== 'GET') api.changes.push(line);
    const refused = api.before(line);
    const found = objects.get(pathname);
    if (refused !== undefined) send(response, refused, {kind: 'Status', message: `${line} is refused`});
    else if (method === 'POST' && isJsonObject(body)) send(response, 201, create(pathname, body));
    else if (method === 'GET' && COLLECTION.test(pathname))
      send(response, 200, listOf(pathname, searchParams.get('fieldSelector')));
    else if (!found) send(response, 404, {kind: 'Status', message: `${pathname} not found`});
    else if (method === 'DELETE') {
      objects.delete(pathname);
      send(response, 200, {kind: 'Status', status: 'Success'});
    } else {
      if (method === 'PATCH') objects.set(pathname, merged(found, body));
      send(response, 200, objects.get(pathname));
    }
  }

  function create(path: string, body: object): KubeObject {
    versions += 1;
    const {metadata, ...rest} = JSON.parse(JSON.stringify(body));
    const object: KubeObject = {...rest, metadata: {...metadata, uid: `uid-${versions}`}};
    api.created(object);
    objects.set(`${path}/${object.metadata.name}`, object);
    return object;
  }

  const listOf = (path: string, fields: string | null) => ({
    kind: 'List',
    metadata: {},
    items: [...objects]
      .filter(([key]) => key.startsWith(`${path}/`))
      .map(([, object]) => object)
      .filter(
        ({metadata}) => !fields?.startsWith('metadata.name=') || fields === `metadata.name=${metadata.name}`,
      ),
  });

  const api: FakeApi = {
    cluster,
    put: (type, object) => void objects.set(objectPath(type, object.metadata), object),
    get: (type, name) => objects.get(objectPath(type, name)),
    remove: (type, name) => void objects.delete(objectPath(type, name)),
    changes: [],
    before: () => undefined,
    created: () => undefined,
    stop: async () => {
      await cluster.close();
      for (const socket of sockets.clients) socket.terminate();
      sockets.close();
      server.closeAllConnections();
      await new Promise(resolve => server.close(resolve));
      await rm(dir, {recursive: true, force: true});
    },
  };
  return api;
}

const COLLECTION = /^\/(api|apis\/[^/]+)\/v1\/(namespaces\/[^/]+\/)?[^/]+$/;

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, {'content-type': 'application/json'});
  response.end(JSON.stringify(body));
}

/** A JSON merge patch (RFC 7396). */
function merged<T extends object>(value: T, patch: unknown): T {
  if (!isJsonObject(patch)) return value;
  const result = {...value};
  for (const [key, next] of Object.entries(patch)) {
    const before = Reflect.get(result, key);
    if (next === null) Reflect.deleteProperty(result, key);
    else
      Reflect.set(result, key, isJsonObject(next) ? merged(isJsonObject(before) ? before : {}, next) : next);
  }
  return result;
}

const configOf = (server: string, ca: string) =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{name: 'fake', cluster: {server, 'certificate-authority-data': ca}}],
    users: [{name: 'fake', user: {token: 'fake'}}],
    contexts: [{name: 'fake', context: {cluster: 'fake', user: 'fake'}}],
    'current-context': 'fake',
  });
