import type {ResourceType} from '../cluster/object.ts';
import {PraError} from '../errors.ts';
import {DigestSet} from './digest.ts';
import {KNOWN, ObjectPacker, type PackerKeys, type SealedFrame} from './object-packer.ts';
import {type ObjectFrame, PackWriter, packKey} from './pack.ts';
import {readPending, writePending} from './pending.ts';
import type {Repository} from './repository.ts';
import {append, SnapshotIndex} from './snapshot-index.ts';
import type {SnapshotRoot} from './snapshot-root.ts';
import {emptyShard, type Health, type Shard, shardKey, type TreeReference, TreeWriter} from './tree.ts';

/** Changes are written as a tree of their own up to this share of all objects; then all are written anew. */
const MAX_CHANGES = 0.15;

/** Objects that were packed, by column: the form in which threads hand them over. */
export interface PackedObjects {
  names: string[];
  namespaces: string[];
  /** High and low half of each digest. */
  digests: number[];
  /** Number of the frame, or KNOWN. */
  frames: number[];
  offsets: number[];
  lengths: number[];
  health: (Health | undefined)[];
}

export const noObjects = (): PackedObjects => ({
  names: [],
  namespaces: [],
  digests: [],
  frames: [],
  offsets: [],
  lengths: [],
  health: [],
});

export interface ObjectSetSummary {
  trees: TreeReference[];
  counts: {objects: number; kinds: number; namespaces: number};
  namespaces: string[];
  /** raw: all objects as they are kept, before compression; written: what this snapshot added to the store. */
  bytes: {raw: number; stored: number; written: number};
}

/** One who packs objects, in this thread or another; it numbers its frames by itself. */
export class Packing {
  private readonly frames = new Map<number, ObjectFrame>();

  frame(number: number): ObjectFrame {
    let frame = this.frames.get(number);
    if (!frame) {
      frame = {pack: '', id: '', offset: 0, length: 0};
      this.frames.set(number, frame);
    }
    return frame;
  }
}

interface Kind {
  type: ResourceType;
  shards: Map<string, Shard>;
}

/** Stands for the frame of what an earlier snapshot has. */
const KNOWN_FRAME: ObjectFrame = {pack: '', id: '', offset: 0, length: 0};

/** Writes the objects of a snapshot. What its parent has already is not written again. */
export class ObjectSetWriter {
  readonly keys: PackerKeys;
  private readonly repository: Repository;
  private readonly signal: AbortSignal | undefined;
  private readonly parent: SnapshotRoot | undefined;
  private readonly packs: PackWriter;
  private readonly kinds = new Map<string, Kind>();
  private index: SnapshotIndex | undefined;
  /** Shards of the parent, as they were and as the tree of all objects has them. */
  private readonly before = new Map<string, {merged: Shard; base: Shard | undefined}>();
  private readonly emptied = new Map<string, Shard | undefined>();
  private set: DigestSet | undefined;
  /** Shards that are as the parent has them. */
  private readonly same = new Set<Shard>();
  /** What runs without a root have written, by shard. */
  private readonly pending = new Map<string, Shard[]>();
  private readonly run: string | undefined;
  private finishing = false;
  private own: {packer: ObjectPacker; packing: Packing} | undefined;

  constructor(
    repository: Repository,
    options: {
      parent?: SnapshotRoot | undefined;
      /** Id of the snapshot. With it, what was written is used again when this run is killed. */
      run?: string | undefined;
      signal?: AbortSignal | undefined;
    } = {},
  ) {
    this.repository = repository;
    this.signal = options.signal;
    this.parent = options.parent;
    this.run = options.run;
    this.keys = {frames: repository.packKey, digests: repository.digestKey};
    this.packs = new PackWriter(repository, {
      signal: options.signal,
      onPack: frames => this.notePending(frames),
    });
  }

  /**
   * Reads what the parent has. To be called first.
   * @param options.checkPacks looks whether the packs of the parent are there and long enough, since a snapshot that goes on
   * from a parent of which something is lost lacks the same
   * @returns digests that need not be packed; undefined without a parent
   * @throws PraError REPOSITORY_CORRUPT, STORE_*
   */
  async open(options: {checkPacks?: boolean} = {}): Promise<DigestSet | undefined> {
    const all: Shard[] = [];
    if (this.parent) {
      const index = await SnapshotIndex.open(this.repository, this.parent, this.signal);
      for (const {type, namespace} of index.shards()) {
        const both = await index.readBoth(type, namespace, this.signal);
        this.before.set(shardKey(type, namespace), both);
        all.push(both.merged);
      }
      // What comes again where there was nothing is compared with the tree of all objects, as any change is.
      for (const {type, namespace} of index.emptied())
        this.emptied.set(
          shardKey(type, namespace),
          (await index.readBoth(type, namespace, this.signal)).base,
        );
      if (options.checkPacks) await findPacks(this.repository, all, this.signal);
      this.index = index;
    }
    if (this.run !== undefined) all.push(...(await this.openPending()));
    if (all.length === 0) return undefined;
    const set = DigestSet.sized(all.reduce((sum, shard) => sum + shard.names.length, 0));
    for (const {digests} of all)
      for (let i = 0; i < digests.length; i += 2) set.add(digests[i] ?? 0, digests[i + 1] ?? 0);
    this.set = set;
    return set;
  }

  /** Reads what killed runs have left. What of it is damaged is written again. */
  private async openPending(): Promise<Shard[]> {
    const shards: Shard[] = [];
    for (const {tree} of await readPending(this.repository, {signal: this.signal})) {
      try {
        const index = await SnapshotIndex.open(this.repository, {trees: [tree]}, this.signal);
        const own: Shard[] = [];
        for (const {type, namespace} of index.shards())
          own.push(await index.read(type, namespace, this.signal));
        await findPacks(this.repository, own, this.signal);
        for (const shard of own) {
          const key = shardKey(shard.type, shard.namespace);
          this.pending.set(key, [...(this.pending.get(key) ?? []), shard]);
        }
        shards.push(...own);
      } catch (error) {
        if (!(error instanceof PraError) || error.code !== 'REPOSITORY_CORRUPT') throw error;
      }
    }
    return shards;
  }

  /** Notes what lies in a pack, while the snapshot goes on. */
  private async notePending(frames: readonly ObjectFrame[]): Promise<void> {
    if (this.run === undefined || this.finishing) return;
    const wanted = new Set(frames);
    const writer = new TreeWriter(this.repository);
    for (const {shards} of this.kinds.values()) {
      for (const shard of shards.values()) {
        const part = emptyShard(shard.type, shard.namespace);
        for (const [i, frame] of shard.frames.entries()) if (wanted.has(frame)) append(part, shard, i);
        if (part.names.length > 0) writer.add(sortShard(part));
      }
    }
    const {tree} = await writer.finish(this.signal);
    await writePending(this.repository, this.run, tree, {signal: this.signal});
  }

  /**
   * Begins with what the parent has, but for what is to be dropped; what changed is then added. After `open`.
   * @param drops whether an object of the parent is dropped
   */
  continueParent(drops: (type: ResourceType, namespace: string, name: string) => boolean): void {
    for (const {merged} of this.before.values()) {
      const {type, namespace, names} = merged;
      const kept = emptyShard(type, namespace);
      for (const [i, name] of names.entries()) if (!drops(type, namespace, name)) append(kept, merged, i);
      this.kindOf(type).shards.set(namespace, kept);
    }
  }

  /** Takes objects that were packed elsewhere. */
  add(type: ResourceType, objects: PackedObjects, packing: Packing): void {
    const kind = this.kindOf(type);
    for (const [i, name] of objects.names.entries()) {
      const namespace = objects.namespaces[i] ?? '';
      let shard = kind.shards.get(namespace);
      if (!shard) {
        shard = emptyShard(type, namespace);
        kind.shards.set(namespace, shard);
      }
      const frame = objects.frames[i] ?? KNOWN;
      shard.names.push(name);
      shard.digests.push(objects.digests[2 * i] ?? 0, objects.digests[2 * i + 1] ?? 0);
      shard.frames.push(frame === KNOWN ? KNOWN_FRAME : packing.frame(frame));
      shard.offsets.push(objects.offsets[i] ?? 0);
      shard.lengths.push(objects.lengths[i] ?? 0);
      shard.health.push(objects.health[i]);
    }
  }

  /** Packs one object here. */
  async addObject(type: ResourceType, object: StorableObject, health?: Health): Promise<void> {
    await this.addBytes(type, object, Buffer.from(JSON.stringify(object)), health);
  }

  /** Packs one object here, as the bytes that it is to be kept in. */
  async addBytes(
    type: ResourceType,
    {metadata: {name, namespace = ''}}: StorableObject,
    bytes: Buffer,
    health?: Health,
  ): Promise<void> {
    this.own ??= {packer: new ObjectPacker(this.keys, this.set), packing: new Packing()};
    const {packer, packing} = this.own;
    packer.begin().bytes(bytes, 0, bytes.length);
    packer.end();
    const {digest, frame, offset, length} = packer;
    this.add(
      type,
      {
        names: [name],
        namespaces: [namespace],
        digests: [digest.high, digest.low],
        frames: [frame],
        offsets: [offset],
        lengths: [length],
        health: [health],
      },
      packing,
    );
    await this.addFrames(packer.take(), packing);
  }

  async addFrames(frames: readonly SealedFrame[], packing: Packing): Promise<void> {
    for (const {number, id, sealed} of frames) {
      const frame = packing.frame(number);
      frame.id = id;
      await this.packs.add(frame, sealed);
    }
  }

  /** Drops what was added of a kind, in one namespace or in all, because its list begins anew. */
  restart(type: ResourceType, namespace?: string): void {
    const {shards} = this.kindOf(type);
    if (namespace === undefined) shards.clear();
    else shards.delete(namespace);
  }

  /** Told when everything of a kind was added: what the parent has of it is then found while other lists still come. */
  endKind(type: ResourceType): void {
    const {shards} = this.kindOf(type);
    for (const [namespace, shard] of shards) {
      const settled = this.settled(shardKey(type, namespace), shard);
      const merged = this.before.get(shardKey(type, namespace))?.merged;
      // Kept once, when it is the same.
      const kept = merged && isSame(settled, merged) ? merged : settled;
      if (kept === merged) this.same.add(kept);
      shards.set(namespace, kept);
    }
  }

  private settled(key: string, shard: Shard): Shard {
    return located(sortShard(shard), [this.before.get(key)?.merged, ...(this.pending.get(key) ?? [])]);
  }

  /** Waits until everything is in the store. The snapshot exists when its root, which is then to be written, does. */
  async finish(): Promise<ObjectSetSummary> {
    if (this.own) await this.addFrames(this.own.packer.flush(), this.own.packing);
    this.finishing = true;
    await this.packs.finish();
    const shards = this.sortedShards();
    const {trees, bytes} = await this.writeTrees(shards);
    const namespaces = [
      ...new Set(shards.map(({namespace}) => namespace).filter(name => name !== '')),
    ].sort();
    const written = this.packs.written + bytes;
    return {
      trees,
      counts: {
        objects: shards.reduce((sum, {objects}) => sum + objects, 0),
        kinds: new Set(shards.map(({type}) => `${type.group}/${type.kind}`)).size,
        namespaces: namespaces.length,
      },
      namespaces,
      bytes: {
        raw: shards.reduce((sum, {lengths}) => sum + lengths.reduce((a, b) => a + b, 0), 0),
        stored: written,
        written,
      },
    };
  }

  private kindOf(type: ResourceType): Kind {
    const key = `${type.group}/${type.kind}`;
    let kind = this.kinds.get(key);
    if (!kind) {
      kind = {type, shards: new Map()};
      this.kinds.set(key, kind);
    }
    return kind;
  }

  /** All shards by group, kind and namespace, with what is known put where the parent has it. */
  private sortedShards(): Shard[] {
    const shards = new Map<string, Shard>();
    for (const {type, shards: own} of this.kinds.values())
      for (const [namespace, shard] of own) shards.set(shardKey(type, namespace), shard);
    return [...shards.keys()].sort().flatMap(key => {
      const shard = shards.get(key);
      return shard && shard.names.length > 0 ? [this.settled(key, shard)] : [];
    });
  }

  private async writeTrees(shards: readonly Shard[]): Promise<{trees: TreeReference[]; bytes: number}> {
    const {index, parent} = this;
    const [baseTree] = parent?.trees ?? [];
    if (!index || !parent || !baseTree) return this.writeAll(shards);
    if (this.isAsParent(shards)) return {trees: parent.trees, bytes: 0};
    const changes = changesOf(shards, index, key => this.before.get(key)?.base ?? this.emptied.get(key));
    const count = changes.reduce((sum, {names, removed}) => sum + names.length + removed.length, 0);
    const all = shards.reduce((sum, {objects}) => sum + objects, 0);
    if (count > all * MAX_CHANGES) return this.writeAll(shards);
    if (changes.length === 0) return {trees: [baseTree], bytes: 0};
    const {tree, bytes} = await this.writeTree(changes);
    return {trees: [baseTree, tree], bytes};
  }

  private async writeAll(shards: readonly Shard[]): Promise<{trees: TreeReference[]; bytes: number}> {
    const {tree, bytes} = await this.writeTree(shards);
    return {trees: [tree], bytes};
  }

  private writeTree(shards: readonly Shard[]): Promise<{tree: TreeReference; bytes: number}> {
    const writer = new TreeWriter(this.repository);
    for (const shard of shards) writer.add(shard);
    return writer.finish(this.signal);
  }

  private isAsParent(shards: readonly Shard[]): boolean {
    if (shards.length !== this.before.size) return false;
    return shards.every(shard => {
      if (this.same.has(shard)) return true;
      const merged = this.before.get(shardKey(shard.type, shard.namespace))?.merged;
      return merged && isSame(shard, merged);
    });
  }
}

/** What a writer has to know of an object. */
export interface StorableObject {
  metadata: {name: string; namespace?: string};
}

/** Lists come sorted; what does not is sorted here. A name that came twice, as in a list that changed, counts once. */
function sortShard(shard: Shard): Shard {
  const {names} = shard;
  let sorted = true;
  for (let i = 1; i < names.length && sorted; i += 1) sorted = (names[i - 1] ?? '') < (names[i] ?? '');
  if (sorted) {
    shard.objects = names.length;
    return shard;
  }
  const last = new Map(names.map((name, i) => [name, i]));
  const result = emptyShard(shard.type, shard.namespace);
  for (const name of [...last.keys()].sort()) append(result, shard, last.get(name) ?? 0);
  result.objects = result.names.length;
  return result;
}

/** Replaces what is known by where an earlier run has put it. */
function located(shard: Shard, earlier: readonly (Shard | undefined)[]): Shard {
  let missing = shard.frames.includes(KNOWN_FRAME);
  for (const other of earlier) {
    if (!missing || !other) continue;
    missing = false;
    let j = 0;
    for (let i = 0; i < shard.names.length; i += 1) {
      if (shard.frames[i] !== KNOWN_FRAME) continue;
      const name = shard.names[i] ?? '';
      while (j < other.names.length && (other.names[j] ?? '') < name) j += 1;
      const frame = other.frames[j];
      if (frame && other.names[j] === name && sameDigest(shard, i, other, j)) {
        shard.frames[i] = frame;
        shard.offsets[i] = other.offsets[j] ?? 0;
        shard.lengths[i] = other.lengths[j] ?? 0;
      } else missing = true;
    }
  }
  if (!missing) return shard;
  // Two objects with one digest: once in 2^64, and then the snapshot must not be wrong.
  const name = shard.names[shard.frames.indexOf(KNOWN_FRAME)];
  throw new PraError(
    'SNAPSHOT_FAILED',
    `${shard.type.kind} ${shard.namespace}/${name} cannot be told from another`,
    {
      next: ['run it again with --full, which compares with no earlier snapshot'],
    },
  );
}

/** @throws PraError REPOSITORY_CORRUPT that names the first pack which is missing or cut off. */
async function findPacks(
  repository: Repository,
  shards: readonly Shard[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const ends = new Map<string, number>();
  for (const {frames} of shards) {
    let last: ObjectFrame | undefined;
    for (const frame of frames) {
      if (frame === last) continue;
      last = frame;
      ends.set(frame.pack, Math.max(ends.get(frame.pack) ?? 0, frame.offset + frame.length));
    }
  }
  if (ends.size === 0) return;
  const sizes = new Map<string, number>();
  for await (const {key, size} of repository.store.list('packs/', {signal})) sizes.set(key, size);
  for (const [pack, end] of ends) {
    const size = sizes.get(packKey(pack));
    if (size !== undefined && size >= end) continue;
    throw new PraError('REPOSITORY_CORRUPT', `${packKey(pack)} in ${repository.store.url} is damaged`, {
      why: size === undefined ? 'it is missing' : `it is cut off: ${size} bytes of ${end}`,
      next: ['pra repository check tells which snapshots need it'],
    });
  }
}

/** What is not in the tree of all objects as it is now. */
function changesOf(
  shards: readonly Shard[],
  index: SnapshotIndex,
  baseOf: (key: string) => Shard | undefined,
): Shard[] {
  const now = new Set(shards.map(shard => shardKey(shard.type, shard.namespace)));
  const changed = shards.flatMap(shard => {
    const base = baseOf(shardKey(shard.type, shard.namespace));
    const changes = changedIn(shard, base ?? emptyShard(shard.type, shard.namespace));
    return changes.names.length + changes.removed.length > 0 ? [changes] : [];
  });
  const gone = index.baseShards().filter(({type, namespace}) => !now.has(shardKey(type, namespace)));
  return [...changed, ...gone.map(({type, namespace}) => emptyShard(type, namespace))];
}

function changedIn(shard: Shard, base: Shard): Shard {
  const changes = emptyShard(shard.type, shard.namespace);
  changes.objects = shard.objects;
  let j = 0;
  for (let i = 0; i < shard.names.length; i += 1) {
    const name = shard.names[i] ?? '';
    for (; j < base.names.length && (base.names[j] ?? '') < name; j += 1)
      changes.removed.push(base.names[j] ?? '');
    if (base.names[j] !== name) append(changes, shard, i);
    else {
      if (!sameEntry(shard, i, base, j)) append(changes, shard, i);
      j += 1;
    }
  }
  for (; j < base.names.length; j += 1) changes.removed.push(base.names[j] ?? '');
  return changes;
}

function isSame(shard: Shard, merged: Shard): boolean {
  if (shard.names.length !== merged.names.length) return false;
  for (let i = 0; i < shard.names.length; i += 1)
    if (shard.names[i] !== merged.names[i] || !sameEntry(shard, i, merged, i)) return false;
  return true;
}

const sameDigest = (a: Shard, i: number, b: Shard, j: number) =>
  a.digests[2 * i] === b.digests[2 * j] && a.digests[2 * i + 1] === b.digests[2 * j + 1];

function sameEntry(a: Shard, i: number, b: Shard, j: number): boolean {
  const [healthA, healthB] = [a.health[i], b.health[j]];
  return (
    sameDigest(a, i, b, j) &&
    a.offsets[i] === b.offsets[j] &&
    a.frames[i]?.id === b.frames[j]?.id &&
    healthA?.state === healthB?.state &&
    healthA?.replicas === healthB?.replicas
  );
}
