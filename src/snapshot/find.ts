import closest from 'fastest-levenshtein';
import type {KubeObject, ResourceType} from '../cluster/object.ts';
import {ResourceMap} from '../cluster/resource-map.ts';
import {PraError} from '../errors.ts';
import {
  type ObjectEntry,
  readEntries,
  readEntryObject,
  readIndex,
  type StoredObject,
} from '../repository/object-set.ts';
import type {Repository} from '../repository/repository.ts';
import type {SnapshotRoot} from '../repository/snapshot-root.ts';

export interface FindOptions {
  /** As people write it: `deploy`, `deployments.apps`, `Deployment`. */
  kind: string;
  name?: string | undefined;
  /** All without it. */
  namespace?: string | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Finds objects of a kind in a snapshot, by its index alone.
 * @throws PraError OBJECT_NOT_FOUND, with names that are near; REPOSITORY_CORRUPT, STORE_*
 */
export async function findEntries(
  repository: Repository,
  root: SnapshotRoot,
  options: FindOptions,
): Promise<ObjectEntry[]> {
  const type = await findType(repository, root, options);
  const entries: ObjectEntry[] = [];
  const filter = {
    types: [type],
    namespaces: options.namespace === undefined ? undefined : [options.namespace],
    signal: options.signal,
  };
  for await (const entry of readEntries(repository, root, filter)) entries.push(entry);
  if (options.name === undefined) return entries;
  const found = entries.filter(({name}) => name === options.name);
  if (found.length > 0) return found;
  const near = closest.closest(
    options.name,
    entries.map(({name}) => name),
  );
  throw new PraError(
    'OBJECT_NOT_FOUND',
    `there is no ${type.kind} ${options.name}${options.namespace ? ` in ${options.namespace}` : ''} in snapshot ${root.id}`,
    {
      next: [
        ...(near ? [`perhaps ${near}`] : []),
        `pra snapshot get ${type.plural} --snapshot ${root.id}`,
        `pra snapshot show ${root.id}`,
      ],
    },
  );
}

/**
 * Reads one object.
 * @throws PraError OBJECT_NOT_FOUND; USAGE when several namespaces have one of that name
 */
export async function findObject(
  repository: Repository,
  root: SnapshotRoot,
  options: FindOptions & {name: string},
): Promise<StoredObject> {
  const [entry, ...others] = await findEntries(repository, root, options);
  if (!entry || others.length > 0) {
    const namespaces = [entry, ...others].flatMap(one => (one ? [one.namespace] : []));
    throw new PraError(
      'USAGE',
      `${options.name} is in ${namespaces.length} namespaces: ${namespaces.join(', ')}`,
      {
        next: [`say which: -n ${namespaces[0]}`],
      },
    );
  }
  return readEntryObject(repository, root, entry, {signal: options.signal});
}

async function findType(
  repository: Repository,
  root: SnapshotRoot,
  options: FindOptions,
): Promise<ResourceType> {
  const shards = await readIndex(repository, root, options);
  const map = new ResourceMap([
    ...new Map(shards.map(({type}) => [`${type.group}/${type.kind}`, type])).values(),
  ]);
  const type = map.named(options.kind);
  if (type) return type;
  const known = map.types.flatMap(({kind, plural}) => [kind, plural]);
  const near = closest.closest(options.kind, known);
  throw new PraError('OBJECT_NOT_FOUND', `snapshot ${root.id} has no objects of kind ${options.kind}`, {
    next: [...(near ? [`perhaps ${near}`] : []), `pra snapshot show ${root.id}`],
  });
}

/** For lists: what kubectl would show by `-o name`. */
export const entryName = ({type, name}: ObjectEntry) =>
  `${type.plural}${type.group ? `.${type.group}` : ''}/${name}`;

/** As `kubectl get -o yaml` has several. */
export const listOf = (objects: readonly KubeObject[]) => ({apiVersion: 'v1', kind: 'List', items: objects});
