import type {KubeObject, ResourceType} from '../cluster/object.ts';
import {PraError} from '../errors.ts';
import {canonicalJson, sha256} from '../std/json.ts';
import {PackWriter, packKey, readFrame} from './pack.ts';
import type {Repository} from './repository.ts';
import type {SnapshotRoot} from './snapshot-root.ts';
import {storedObjectSchema} from './stored-object.ts';
import {
  contentDigest,
  readRootTree,
  readShard,
  type Shard,
  type ShardReference,
  type TreeEntry,
  writeTree,
} from './tree.ts';

export interface ObjectRecord {
  type: ResourceType;
  /** In canonical form. */
  object: KubeObject;
  health?: {state: string; replicas?: number} | undefined;
}

export interface StoredObject extends ObjectRecord {
  /** SHA-256 of the canonical form. */
  digest: string;
}

export interface ObjectSetSummary {
  tree: string;
  counts: {objects: number; kinds: number; namespaces: number};
  namespaces: string[];
  /** raw: canonical JSON of all objects; written: what this snapshot added to the store. */
  bytes: {raw: number; stored: number; written: number};
}

interface OpenShard {
  type: ResourceType;
  namespace: string;
  /** What the parent snapshot had here, by name. */
  known: Promise<{reference: ShardReference; entries: Map<string, TreeEntry>} | undefined>;
  entries: {entry: Omit<TreeEntry, 'l'>; location: Promise<TreeEntry['l']>}[];
}

const shardName = (type: ResourceType, namespace: string) => `${type.group}/${type.kind}/${namespace}`;

/** Writes the objects of a snapshot. What its parent has already is not written again: neither objects nor whole shards. */
export class ObjectSetWriter {
  private readonly repository: Repository;
  private readonly signal: AbortSignal | undefined;
  private readonly packs: PackWriter;
  private readonly parent: Promise<Map<string, ShardReference>>;
  private readonly shards = new Map<string, OpenShard>();
  private rawBytes = 0;
  private readonly finishers: (() => void)[] = [];

  constructor(
    repository: Repository,
    options: {parent?: SnapshotRoot | undefined; signal?: AbortSignal | undefined} = {},
  ) {
    this.repository = repository;
    this.signal = options.signal;
    this.packs = new PackWriter(repository, options.signal);
    this.parent = this.readParent(options.parent);
    this.parent.catch(() => undefined); // rejects again where it is awaited
  }

  async add(record: ObjectRecord): Promise<void> {
    const body = Buffer.from(canonicalJson(record.object));
    this.rawBytes += body.length;
    const shard = this.shardOf(record);
    const known = (await shard.known)?.entries.get(record.object.metadata.name);
    const digest = sha256(body);
    const entry = {
      n: record.object.metadata.name,
      d: digest,
      ...(record.health === undefined ? {} : {h: record.health}),
    };
    if (known?.d === digest) {
      shard.entries.push({entry, location: Promise.resolve(known.l)});
      return;
    }
    const location = await this.packs.add(body);
    const {promise, resolve} = Promise.withResolvers<TreeEntry['l']>();
    this.finishers.push(() =>
      resolve([location.pack, location.frameOffset, location.frameLength, location.offset, location.length]),
    );
    shard.entries.push({entry, location: promise});
  }

  async finish(): Promise<ObjectSetSummary> {
    await this.packs.finish();
    for (const finish of this.finishers) finish();
    const references: ShardReference[] = [];
    let treeBytes = 0;
    for (const name of [...this.shards.keys()].sort()) {
      const shard = this.shards.get(name);
      if (!shard) continue;
      const {reference, bytes} = await this.writeShard(shard);
      references.push(reference);
      treeBytes += bytes;
    }
    const root = await writeTree(this.repository, {shards: references}, this.signal);
    const namespaces = [
      ...new Set(references.map(reference => reference.namespace).filter(namespace => namespace !== '')),
    ].sort();
    const kinds = new Set(references.map(reference => `${reference.type.group}/${reference.type.kind}`));
    const written = this.packs.written + treeBytes + root.bytes;
    return {
      tree: root.name,
      counts: {
        objects: references.reduce((sum, reference) => sum + reference.objects, 0),
        kinds: kinds.size,
        namespaces: namespaces.length,
      },
      namespaces,
      bytes: {raw: this.rawBytes, stored: written, written},
    };
  }

  private async writeShard(shard: OpenShard): Promise<{reference: ShardReference; bytes: number}> {
    const entries = await Promise.all(
      shard.entries.map(async ({entry, location}) => ({...entry, l: await location})),
    );
    entries.sort((a, b) => (a.n < b.n ? -1 : a.n > b.n ? 1 : 0));
    const content = contentDigest(entries);
    const known = await shard.known;
    if (known?.reference.content === content) return {reference: known.reference, bytes: 0};
    const tree: Shard = {type: shard.type, namespace: shard.namespace, entries};
    const {name, bytes} = await writeTree(this.repository, tree, this.signal);
    return {
      reference: {type: shard.type, namespace: shard.namespace, objects: entries.length, tree: name, content},
      bytes,
    };
  }

  private shardOf({type, object}: ObjectRecord): OpenShard {
    const namespace = object.metadata.namespace ?? '';
    const name = shardName(type, namespace);
    let shard = this.shards.get(name);
    if (!shard) {
      shard = {type, namespace, known: this.readKnown(name), entries: []};
      shard.known.catch(() => undefined); // rejects again where it is awaited
      this.shards.set(name, shard);
    }
    return shard;
  }

  private async readParent(parent: SnapshotRoot | undefined): Promise<Map<string, ShardReference>> {
    if (!parent) return new Map();
    const root = await readRootTree(this.repository, parent.tree, this.signal);
    return new Map(root.shards.map(reference => [shardName(reference.type, reference.namespace), reference]));
  }

  private async readKnown(
    name: string,
  ): Promise<{reference: ShardReference; entries: Map<string, TreeEntry>} | undefined> {
    const reference = (await this.parent).get(name);
    if (!reference) return undefined;
    const shard = await readShard(this.repository, reference.tree, this.signal);
    return {reference, entries: new Map(shard.entries.map(entry => [entry.n, entry]))};
  }
}

/** What a snapshot holds, without its objects: kinds, namespaces and counts. */
export async function readIndex(
  repository: Repository,
  root: SnapshotRoot,
  options: {signal?: AbortSignal | undefined} = {},
): Promise<ShardReference[]> {
  return (await readRootTree(repository, root.tree, options.signal)).shards;
}

export interface ObjectFilter {
  kinds?: readonly string[] | undefined;
  namespaces?: readonly string[] | undefined;
  names?: readonly string[] | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * The objects of a snapshot, shard by shard. Each is checked against the digest that the signed tree has of it.
 * @throws PraError REPOSITORY_CORRUPT that names what is damaged.
 */
export async function* readObjects(
  repository: Repository,
  root: SnapshotRoot,
  filter: ObjectFilter = {},
): AsyncGenerator<StoredObject> {
  const fits = (list: readonly string[] | undefined, value: string) =>
    list === undefined || list.includes(value);
  let frame: {id: string; plain: Buffer} | undefined;
  for (const reference of await readIndex(repository, root, filter)) {
    if (!fits(filter.kinds, reference.type.kind) || !fits(filter.namespaces, reference.namespace)) continue;
    const shard = await readShard(repository, reference.tree, filter.signal);
    for (const entry of shard.entries) {
      if (!fits(filter.names, entry.n)) continue;
      const [pack, frameOffset, frameLength, offset, length] = entry.l;
      const id = `${pack}/${frameOffset}`;
      if (frame?.id !== id)
        frame = {id, plain: await readFrame(repository, {pack, frameOffset, frameLength}, filter.signal)};
      const body = frame.plain.subarray(offset, offset + length);
      if (sha256(body) !== entry.d) {
        throw new PraError(
          'REPOSITORY_CORRUPT',
          `${reference.type.kind} ${reference.namespace}/${entry.n} of snapshot ${root.id} is damaged`,
          {
            why: `${packKey(pack)} in ${repository.store.url} holds something else`,
            next: ['use another snapshot: pra snapshot list'],
          },
        );
      }
      const object = storedObjectSchema.parse(JSON.parse(body.toString('utf8')));
      yield {
        type: reference.type,
        object,
        digest: entry.d,
        ...(entry.h === undefined ? {} : {health: healthOf(entry.h)}),
      };
    }
  }
}

const healthOf = (health: NonNullable<TreeEntry['h']>): {state: string; replicas?: number} =>
  health.replicas === undefined ? {state: health.state} : {state: health.state, replicas: health.replicas};
