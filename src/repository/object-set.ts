import type {KubeObject, ResourceType} from '../cluster/object.ts';
import {PraError} from '../errors.ts';
import {FrameCache} from './frame-cache.ts';
import {packKey} from './pack.ts';
import type {Repository} from './repository.ts';
import {type ShardSummary, SnapshotIndex} from './snapshot-index.ts';
import type {SnapshotRoot} from './snapshot-root.ts';
import {storedObjectSchema} from './stored-object.ts';
import {type Health, type Shard, shardKey} from './tree.ts';

/** What is read of a root. */
type Root = Pick<SnapshotRoot, 'id' | 'trees'>;

export interface StoredObject {
  type: ResourceType;
  object: KubeObject;
  health?: Health | undefined;
  /** As it is kept: numbers that JavaScript would round are whole in it. */
  bytes: Buffer;
}

/** What the index has of an object. */
export interface ObjectEntry {
  type: ResourceType;
  namespace: string;
  name: string;
  /** Equal when nothing of the object changed between two snapshots of one repository. */
  digest: string;
  health?: Health | undefined;
}

/** What a snapshot holds, without its objects: kinds, namespaces and counts. */
export async function readIndex(
  repository: Repository,
  root: Root,
  options: {signal?: AbortSignal | undefined} = {},
): Promise<ShardSummary[]> {
  return (await SnapshotIndex.open(repository, root, options.signal)).shards();
}

export interface ObjectFilter {
  types?: readonly Pick<ResourceType, 'group' | 'kind'>[] | undefined;
  kinds?: readonly string[] | undefined;
  namespaces?: readonly string[] | undefined;
  names?: readonly string[] | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Entries of the objects of a snapshot, shard by shard; no object is read.
 * @throws PraError REPOSITORY_CORRUPT that names what is damaged.
 */
export async function* readEntries(
  repository: Repository,
  root: Root,
  filter: ObjectFilter = {},
): AsyncGenerator<ObjectEntry> {
  for await (const {shard, index} of select(repository, root, filter)) yield entryOf(shard, index);
}

/** @throws PraError OBJECT_NOT_FOUND, REPOSITORY_CORRUPT. */
export async function readEntryObject(
  repository: Repository,
  root: Root,
  entry: Pick<ObjectEntry, 'type' | 'namespace' | 'name'>,
  options: {signal?: AbortSignal | undefined} = {},
): Promise<StoredObject> {
  return (await ObjectReader.open(repository, root, options.signal)).object(entry);
}

/**
 * The objects of a snapshot, shard by shard.
 * @throws PraError REPOSITORY_CORRUPT that names what is damaged.
 */
export async function* readObjects(
  repository: Repository,
  root: Root,
  filter: ObjectFilter = {},
): AsyncGenerator<StoredObject> {
  const frames = new FrameCache(repository, filter.signal);
  for await (const {shard, index} of select(repository, root, filter))
    yield readAt(frames, root, shard, index);
}

/** An object that differs in two snapshots; one side is absent when it was added or removed. */
export interface EntryPair {
  before?: ObjectEntry;
  after?: ObjectEntry;
}

/** Reads entries and objects of one snapshot, in any order. */
export class ObjectReader {
  private readonly root: Root;
  private readonly index: SnapshotIndex;
  private readonly frames: FrameCache;
  private readonly signal: AbortSignal | undefined;
  /** The shard that was read last: objects are mostly asked for one after another. */
  private last: {key: string; shard: Promise<Shard>} | undefined;

  private constructor(
    repository: Repository,
    root: Root,
    index: SnapshotIndex,
    signal: AbortSignal | undefined,
  ) {
    this.root = root;
    this.index = index;
    this.frames = new FrameCache(repository, signal);
    this.signal = signal;
  }

  static async open(repository: Repository, root: Root, signal?: AbortSignal): Promise<ObjectReader> {
    return new ObjectReader(repository, root, await SnapshotIndex.open(repository, root, signal), signal);
  }

  private shard(type: ResourceType, namespace: string): Promise<Shard> {
    const key = shardKey(type, namespace);
    if (this.last?.key !== key) this.last = {key, shard: this.index.read(type, namespace, this.signal)};
    return this.last.shard;
  }

  shards(): ShardSummary[] {
    return this.index.shards();
  }

  /** Equal in two snapshots only when they have the same objects in a shard. */
  identity(key: string): string {
    return this.index.identity(key);
  }

  /** What differs in a shard from this snapshot to another: entries of both sides, by name. */
  async differences(later: ObjectReader, type: ResourceType, namespace: string): Promise<EntryPair[]> {
    const [before, after] = await Promise.all([this.shard(type, namespace), later.shard(type, namespace)]);
    const pairs: EntryPair[] = [];
    let i = 0;
    let j = 0;
    while (i < before.names.length || j < after.names.length) {
      const [old, now] = [before.names[i], after.names[j]];
      if (now === undefined || (old !== undefined && old < now)) pairs.push({before: entryOf(before, i++)});
      else if (old === undefined || now < old) pairs.push({after: entryOf(after, j++)});
      else {
        const same =
          before.digests[2 * i] === after.digests[2 * j] &&
          before.digests[2 * i + 1] === after.digests[2 * j + 1];
        if (!same) pairs.push({before: entryOf(before, i), after: entryOf(after, j)});
        i += 1;
        j += 1;
      }
    }
    return pairs;
  }

  /** @throws PraError OBJECT_NOT_FOUND, REPOSITORY_CORRUPT. */
  async object(entry: Pick<ObjectEntry, 'type' | 'namespace' | 'name'>): Promise<StoredObject> {
    const {shard, at} = await this.find(entry);
    return readAt(this.frames, this.root, shard, at);
  }

  /**
   * The JSON of an object that was read before and so is known to be one.
   * @throws PraError OBJECT_NOT_FOUND, REPOSITORY_CORRUPT.
   */
  async bytes(entry: Pick<ObjectEntry, 'type' | 'namespace' | 'name'>): Promise<Buffer> {
    const {shard, at} = await this.find(entry);
    return bytesAt(this.frames, shard, at);
  }

  private async find({type, namespace, name}: Pick<ObjectEntry, 'type' | 'namespace' | 'name'>) {
    const shard = await this.shard(type, namespace);
    const at = placeOf(shard.names, name);
    if (at === undefined)
      throw new PraError(
        'OBJECT_NOT_FOUND',
        `${type.kind} ${namespace}/${name} is not in snapshot ${this.root.id}`,
      );
    return {shard, at};
  }
}

/** Where a name is in a sorted list. */
function placeOf(names: readonly string[], name: string): number | undefined {
  let [low, high] = [0, names.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((names[middle] ?? '') < name) low = middle + 1;
    else high = middle;
  }
  return names[low] === name ? low : undefined;
}

async function* select(
  repository: Repository,
  root: Root,
  filter: ObjectFilter,
): AsyncGenerator<{shard: Shard; index: number}> {
  const fits = (list: readonly string[] | undefined, value: string) =>
    list === undefined || list.includes(value);
  const snapshot = await SnapshotIndex.open(repository, root, filter.signal);
  for (const {type, namespace} of snapshot.shards()) {
    const ofType = filter.types?.some(({group, kind}) => group === type.group && kind === type.kind) ?? true;
    if (!ofType || !fits(filter.kinds, type.kind) || !fits(filter.namespaces, namespace)) continue;
    const shard = await snapshot.read(type, namespace, filter.signal);
    for (const [index, name] of shard.names.entries()) if (fits(filter.names, name)) yield {shard, index};
  }
}

async function bytesAt(frames: FrameCache, shard: Shard, index: number): Promise<Buffer> {
  const [frame, offset = 0, length = 0] = [shard.frames[index], shard.offsets[index], shard.lengths[index]];
  if (!frame) throw new PraError('BUG', `${shard.names[index]} lies nowhere`);
  return (await frames.read(frame)).subarray(offset, offset + length);
}

async function readAt(frames: FrameCache, root: Root, shard: Shard, index: number): Promise<StoredObject> {
  const entry = entryOf(shard, index);
  const body = await bytesAt(frames, shard, index);
  const object = parse(body);
  if (
    !object ||
    object.metadata.name !== entry.name ||
    (object.metadata.namespace ?? '') !== entry.namespace
  ) {
    throw new PraError(
      'REPOSITORY_CORRUPT',
      `${entry.type.kind} ${entry.namespace}/${entry.name} of snapshot ${root.id} is damaged`,
      {
        why: `${packKey(shard.frames[index]?.pack ?? '')} holds something else where it should lie`,
        next: ['use another snapshot: pra snapshot list'],
      },
    );
  }
  return {type: entry.type, object, bytes: body, health: entry.health};
}

function parse(body: Buffer): KubeObject | undefined {
  try {
    return storedObjectSchema.safeParse(JSON.parse(body.toString('utf8'))).data;
  } catch {
    return undefined;
  }
}

function entryOf(shard: Shard, index: number): ObjectEntry {
  const hex = (half: number | undefined) => (half ?? 0).toString(16).padStart(8, '0');
  const health = shard.health[index];
  return {
    type: shard.type,
    namespace: shard.namespace,
    name: shard.names[index] ?? '',
    digest: hex(shard.digests[2 * index]) + hex(shard.digests[2 * index + 1]),
    ...(health === undefined ? {} : {health}),
  };
}
