import {type Cluster, isApiError} from '../cluster/client.ts';
import {CORE_TYPES} from '../cluster/core-types.ts';
import {listAll} from '../cluster/list.ts';
import type {KubeObject} from '../cluster/object.ts';
import {PraError} from '../errors.ts';
import {arrayAt, at, stringAt} from '../std/json-at.ts';
import {waitFor} from '../std/wait.ts';

const TIMEOUT_MS = 60_000;

/**
 * Waits until definitions are established with their names accepted and their kinds are served, so that custom
 * resources can be created.
 * @throws PraError RESTORE_FAILED when the names of a definition are taken by another, TIMEOUT after a minute.
 */
export async function waitEstablished(
  cluster: Cluster,
  definitions: readonly KubeObject[],
  signal: AbortSignal,
): Promise<void> {
  const waiting = new Map(definitions.map(definition => [definition.metadata.name, definition]));
  await waitFor(
    async () => {
      for (const live of await listAll(cluster, CORE_TYPES.CustomResourceDefinition, {signal})) {
        if (!waiting.has(live.metadata.name)) continue;
        refuseTakenNames(live);
        if (condition(live, 'Established') === 'True' && condition(live, 'NamesAccepted') === 'True')
          waiting.delete(live.metadata.name);
      }
      return waiting.size === 0 ? true : undefined;
    },
    {
      waitingFor: 'custom resource definitions to be established',
      timeoutMs: TIMEOUT_MS,
      signal,
      lastSeen: () => `not yet: ${[...waiting.keys()].join(', ')}`,
    },
  );
  const unserved = servedPaths(definitions);
  await waitFor(
    async () => {
      for (const [path, wanted] of unserved)
        if (await isServed(cluster, path, wanted, signal)) unserved.delete(path);
      return unserved.size === 0 ? true : undefined;
    },
    {
      waitingFor: 'custom resources to be served',
      timeoutMs: TIMEOUT_MS,
      signal,
      intervalMs: 50,
      lastSeen: () => `not yet: ${[...unserved.keys()].join(', ')}`,
    },
  );
}

const conditionOf = (object: KubeObject, type: string) =>
  arrayAt(object, 'status', 'conditions').find(entry => stringAt(entry, 'type') === type);
const condition = (object: KubeObject, type: string) => stringAt(conditionOf(object, type), 'status');

function refuseTakenNames(definition: KubeObject): void {
  if (condition(definition, 'NamesAccepted') !== 'False') return;
  throw new PraError(
    'RESTORE_FAILED',
    `the names of CustomResourceDefinition ${definition.metadata.name} are taken`,
    {
      why: stringAt(conditionOf(definition, 'NamesAccepted'), 'message'),
    },
  );
}

interface Served {
  /** Must be in discovery. */
  plurals: string[];
  /** Must be listed too: those stored in this version, so that no conversion webhook, which may be down, is asked. */
  stored: string[];
}

/** Discovery paths of the definitions, with what each must serve. */
function servedPaths(definitions: readonly KubeObject[]): Map<string, Served> {
  const paths = new Map<string, Served>();
  for (const definition of definitions) {
    const plural = stringAt(definition, 'spec', 'names', 'plural') ?? '';
    for (const version of arrayAt(definition, 'spec', 'versions')) {
      if (at(version, 'served') !== true) continue;
      const path = `/apis/${stringAt(definition, 'spec', 'group')}/${stringAt(version, 'name')}`;
      const {plurals = [], stored = []} = paths.get(path) ?? {};
      const isStored = at(version, 'storage') === true;
      paths.set(path, {plurals: [...plurals, plural], stored: isStored ? [...stored, plural] : stored});
    }
  }
  return paths;
}

async function isServed(
  cluster: Cluster,
  path: string,
  {plurals, stored}: Served,
  signal: AbortSignal,
): Promise<boolean> {
  const answer = await cluster.request('GET', path, {signal}).catch(error => {
    if (error instanceof PraError && error.code === 'CLUSTER_REQUEST_FAILED') return undefined;
    throw error;
  });
  const served = new Set(arrayAt(answer, 'resources').map(resource => stringAt(resource, 'name')));
  if (!plurals.every(plural => served.has(plural))) return false;
  // Discovery can be ahead of what serves the kind.
  const lists = await Promise.all(
    stored.map(plural =>
      cluster.request('GET', `${path}/${plural}`, {query: {limit: 1}, signal}).then(
        () => true,
        (error: unknown) => {
          // Objects of an older version are converted for the answer, by a webhook that may be down: 500.
          if (isApiError(error)) return error.status === 403 || error.status === 500;
          throw error;
        },
      ),
    ),
  );
  return lists.every(Boolean);
}
