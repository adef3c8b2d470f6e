import type {Cluster} from '../cluster/client.ts';
import type {KubeObject, ResourceType} from '../cluster/object.ts';
import {MemoryStore} from '../repository/memory.ts';
import {type EntryPair, ObjectReader} from '../repository/object-set.ts';
import {ObjectSetWriter} from '../repository/object-set-writer.ts';
import type {Repository} from '../repository/repository.ts';
import type {SnapshotRoot} from '../repository/snapshot-root.ts';
import {diffJson, type FieldChange} from '../std/json-diff.ts';
import {mapAhead} from '../std/pool.ts';
import {canonicalObject} from './canonical.ts';
import {captureObjects} from './capture.ts';
import {redactSecret} from './redact.ts';
import type {SnapshotSelect} from './select.ts';

/** Pairs of objects that are read at the same time: they lie in different files, and a store answers several at once. */
const AHEAD = 16;

/** Anything with objects that can be compared: a snapshot, or a live cluster as it was captured a moment ago. */
export type Comparable = Pick<SnapshotRoot, 'id' | 'trees'>;

export interface ObjectDiff {
  type: ResourceType;
  namespace: string;
  name: string;
  change: 'added' | 'removed' | 'changed';
  /** For what was changed. Values of Secrets are never among it. */
  fields: FieldChange[];
}

export interface DiffFilter {
  namespaces?: readonly string[] | undefined;
  kinds?: readonly string[] | undefined;
  names?: readonly string[] | undefined;
}

/**
 * What changed from one snapshot to another. Reads the objects that have another digest, and no others; shards that both
 * share are not even opened.
 * @throws PraError REPOSITORY_CORRUPT, STORE_*
 */
export async function* diffSnapshots(
  repository: Repository,
  before: Comparable,
  after: Comparable,
  options: DiffFilter & {
    /** Only which objects, by the index alone: one whose fields only stand in another order counts too. */
    withoutFields?: boolean | undefined;
    signal?: AbortSignal | undefined;
  } = {},
): AsyncGenerator<ObjectDiff> {
  const [old, now] = await Promise.all(
    [before, after].map(root => ObjectReader.open(repository, root, options.signal)),
  );
  if (!old || !now) return;
  const pairs = differences(old, now, options);
  const look = async (found: Difference) => {
    const diff = options.withoutFields ? changeOf(found.pair) : await diffOne(old, now, found.pair);
    return diff && {type: found.type, namespace: found.namespace, name: found.name, ...diff};
  };
  for await (const diff of mapAhead(pairs, options.withoutFields ? 1 : AHEAD, look)) if (diff) yield diff;
}

interface Difference extends Pick<ObjectDiff, 'type' | 'namespace' | 'name'> {
  pair: EntryPair;
}

/** Objects with another digest, by kind, namespace and name. */
async function* differences(
  old: ObjectReader,
  now: ObjectReader,
  options: DiffFilter,
): AsyncGenerator<Difference> {
  const keys = new Map([...old.shards(), ...now.shards()].map(shard => [shard.key, shard]));
  for (const {key, type, namespace} of [...keys.values()].sort((a, b) => (a.key < b.key ? -1 : 1))) {
    if (old.identity(key) === now.identity(key)) continue;
    if (options.kinds && !options.kinds.includes(type.kind)) continue;
    if (options.namespaces && !options.namespaces.includes(namespace)) continue;
    for (const pair of await old.differences(now, type, namespace)) {
      const name = (pair.after ?? pair.before)?.name ?? '';
      if (options.names && !options.names.includes(name)) continue;
      yield {type, namespace, name, pair};
    }
  }
}

function changeOf({before, after}: {[side in keyof EntryPair]: EntryPair[side] | undefined}): {
  change: ObjectDiff['change'];
  fields: FieldChange[];
} {
  return {change: !before ? 'added' : !after ? 'removed' : 'changed', fields: []};
}

async function diffOne(
  old: ObjectReader,
  now: ObjectReader,
  {before, after}: EntryPair,
): Promise<Pick<ObjectDiff, 'change' | 'fields'> | undefined> {
  if (!before || !after) return changeOf({before, after});
  const objects = await Promise.all([old.object(before), now.object(after)]);
  const [left, right] = objects.map(({object}) => canonicalObject(object));
  if (!left || !right) return undefined;
  const fields = diffObjects(left, right);
  // Another server may write the same fields in another order.
  return fields.length === 0 ? undefined : {change: 'changed', fields};
}

/** What differs between two objects; values of a Secret are told by their sizes alone. */
export function diffObjects(before: KubeObject, after: KubeObject): FieldChange[] {
  const changes = diffJson(before, after);
  if (before.kind !== 'Secret' || changes.length === 0) return changes;
  const hidden = diffJson(redactSecret(before), redactSecret(after));
  const shown = new Set(hidden.map(({path}) => JSON.stringify(path)));
  const same = changes
    .filter(({path}) => !shown.has(JSON.stringify(path)))
    .map(({path}) => ({path, before: '<redacted>', after: '<redacted, another value>'}));
  return [...hidden, ...same];
}

/**
 * Captures a cluster as a snapshot would, and keeps in memory what is new of it.
 * @returns what it can be compared by, in the repository that is returned with it
 */
export async function captureLive(options: {
  repository: Repository;
  parent: SnapshotRoot;
  cluster: Cluster;
  select: SnapshotSelect;
  signal: AbortSignal;
}): Promise<{repository: Repository; live: Comparable}> {
  const {parent, cluster, select, signal} = options;
  const repository = options.repository.over(new MemoryStore(options.repository.store));
  const writer = new ObjectSetWriter(repository, {parent, signal});
  const opened = writer.open().then(known => ({writer, known: known?.memory}));
  await captureObjects({cluster, select, opened, signal});
  const {trees} = await writer.finish();
  return {repository, live: {id: 'live', trees}};
}
