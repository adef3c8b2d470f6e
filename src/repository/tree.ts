import {z} from 'zod';
import type {ResourceType} from '../cluster/object.ts';
import {PraError} from '../errors.ts';
import {sha256} from '../std/json.ts';
import {type FramePlace, newFrameId, openFrame, sealFrame} from './frame.ts';
import type {ObjectFrame} from './pack.ts';
import type {Repository} from './repository.ts';
import {conflictIsFine} from './write-once.ts';

/**
 * A tree is one file that says where the objects of a snapshot lie. Its shards (a kind in a namespace) are written
 * together in groups, because a file for each would cost more requests than the objects themselves. The directory at
 * its end is small, and finds the group of a shard.
 */
const MAGIC = Buffer.from('PRATREE1');
/** A group is closed when its text is this long. */
const GROUP_CHARS = 256 * 1024;
/** Groups that are read ahead by who reads all: a store far away answers late, and several at once. */
const AHEAD = 4;

const hexDigest = z.string().regex(/^[0-9a-f]{64}$/);
const frameId = z.string().regex(/^[0-9a-f]{24}$/);

/** How a snapshot root names a tree: the file, and where its directory lies. */
export const treeReferenceSchema = z.object({
  name: hexDigest,
  id: frameId,
  offset: z.int().min(0),
  length: z.int().min(1),
});
export type TreeReference = z.infer<typeof treeReferenceSchema>;

const resourceTypeSchema = z.object({
  group: z.string(),
  version: z.string(),
  kind: z.string(),
  plural: z.string(),
  namespaced: z.boolean(),
  verbs: z.array(z.string()),
  shortNames: z.array(z.string()),
});

const directorySchema = z.object({
  types: z.array(resourceTypeSchema),
  packs: z.array(hexDigest),
  /** Pack, id, offset, length. */
  frames: z.array(z.tuple([z.int(), frameId, z.int(), z.int()])),
  /** States that objects had, and their replicas. */
  health: z.array(z.tuple([z.string()]).rest(z.number())),
  /** Where groups lie in this file: id, offset, length. */
  groups: z.array(z.tuple([frameId, z.int(), z.int()])),
  /** Type, namespace, objects, group and place in it; sorted. */
  shards: z.array(z.tuple([z.int(), z.string(), z.int(), z.int(), z.int()])),
});
export type Directory = z.infer<typeof directorySchema>;

/** Columns are long, and checking each number by a schema of its own takes longer than parsing them. */
const integers = z.custom<number[]>(
  value => Array.isArray(value) && value.every(one => Number.isSafeInteger(one)),
  'not a list of integers',
);
const strings = z.custom<string[]>(
  value => Array.isArray(value) && value.every(one => typeof one === 'string'),
  'not a list of strings',
);

/** Columns, because they compress better than rows and are read faster. */
const shardSchema = z.object({
  n: strings.describe('names, sorted'),
  d: z.string().describe('digests, 8 bytes each'),
  f: integers.describe('frame'),
  o: integers.describe('offset, less the end of the object before'),
  l: integers.describe('length'),
  h: integers.describe('health, -1 for none'),
  x: strings.optional().describe('names that are gone; only in a tree of changes'),
});
type StoredShard = z.infer<typeof shardSchema>;
const groupSchema = z.array(shardSchema);

export interface Health {
  state: string;
  replicas?: number;
}

/** All objects of one kind in one namespace, sorted by name. */
export interface Shard {
  type: ResourceType;
  /** Empty for objects without one. */
  namespace: string;
  names: string[];
  /** High and low half of each digest. */
  digests: number[];
  frames: ObjectFrame[];
  offsets: number[];
  lengths: number[];
  health: (Health | undefined)[];
  /** Names that a tree of changes takes away. */
  removed: string[];
  /** How many objects the shard has in the snapshot; more than names in a tree of changes. */
  objects: number;
}

export const emptyShard = (type: ResourceType, namespace: string): Shard => ({
  type,
  namespace,
  names: [],
  digests: [],
  frames: [],
  offsets: [],
  lengths: [],
  health: [],
  removed: [],
  objects: 0,
});

export const shardKey = (type: Pick<ResourceType, 'group' | 'kind'>, namespace: string) =>
  `${type.group}/${type.kind}/${namespace}`;

export const treeKey = (name: string) => `trees/${name.slice(0, 2)}/${name}`;

/** Gives each different value a number. */
class Numbering<T> {
  readonly values: T[] = [];
  private readonly numbers = new Map<string, number>();

  of(key: string, value: () => T): number {
    let number = this.numbers.get(key);
    if (number === undefined) {
      number = this.values.length;
      this.values.push(value());
      this.numbers.set(key, number);
    }
    return number;
  }
}

/** Writes a tree of shards, in the order in which they are given. */
export class TreeWriter {
  private readonly repository: Repository;
  private readonly types = new Numbering<ResourceType>();
  private readonly packs = new Numbering<string>();
  private readonly frames = new Map<ObjectFrame, number>();
  private readonly health = new Numbering<[string, ...number[]]>();
  private readonly shards: Directory['shards'] = [];
  private readonly groups: Directory['groups'] = [];
  private readonly parts: Buffer[] = [MAGIC];
  private bytes = MAGIC.length;
  private group: string[] = [];
  private groupChars = 0;

  constructor(repository: Repository) {
    this.repository = repository;
  }

  add(shard: Shard): void {
    const type = this.types.of(`${shard.type.group}/${shard.type.kind}`, () => shard.type);
    this.shards.push([type, shard.namespace, shard.objects, this.groups.length, this.group.length]);
    const text = JSON.stringify(this.columnsOf(shard));
    this.group.push(text);
    this.groupChars += text.length;
    if (this.groupChars >= GROUP_CHARS) this.closeGroup();
  }

  /** @returns what a root names the tree by, and the bytes that were written */
  async finish(signal?: AbortSignal): Promise<{tree: TreeReference; bytes: number}> {
    this.closeGroup();
    const directory: Directory = {
      types: this.types.values,
      packs: this.packs.values,
      frames: [...this.frames.keys()].map(({pack, id, offset, length}) => [
        this.packs.of(pack, () => pack),
        id,
        offset,
        length,
      ]),
      health: this.health.values,
      groups: this.groups,
      shards: this.shards,
    };
    const {id, offset, length} = this.append(JSON.stringify(directory));
    const body = Buffer.concat(this.parts);
    const name = sha256(body);
    await conflictIsFine(this.repository.store.put(treeKey(name), body, {ifAbsent: true, signal}));
    return {tree: {name, id, offset, length}, bytes: body.length};
  }

  private columnsOf(shard: Shard): StoredShard {
    const {names, digests, offsets, lengths, removed} = shard;
    const bytes = Buffer.allocUnsafe(digests.length * 4);
    for (let i = 0; i < digests.length; i += 1) bytes.writeUInt32BE(digests[i] ?? 0, i * 4);
    const frames = shard.frames.map(frame => this.frameNumber(frame));
    const steps: number[] = [];
    for (let i = 0, end = 0; i < offsets.length; i += 1) {
      const offset = offsets[i] ?? 0;
      steps.push(offset - end);
      end = offset + (lengths[i] ?? 0);
    }
    return {
      n: names,
      d: bytes.toString('base64'),
      f: frames,
      o: steps,
      l: lengths,
      h: shard.health.map(health => this.healthNumber(health)),
      ...(removed.length === 0 ? {} : {x: removed}),
    };
  }

  private frameNumber(frame: ObjectFrame): number {
    let number = this.frames.get(frame);
    if (number === undefined) {
      number = this.frames.size;
      this.frames.set(frame, number);
      this.packs.of(frame.pack, () => frame.pack);
    }
    return number;
  }

  private healthNumber(health: Health | undefined): number {
    if (!health) return -1;
    const {state, replicas} = health;
    return this.health.of(`${state} ${replicas}`, () =>
      replicas === undefined ? [state] : [state, replicas],
    );
  }

  private closeGroup(): void {
    if (this.group.length === 0) return;
    const {id, offset, length} = this.append(`[${this.group.join(',')}]`);
    this.groups.push([id, offset, length]);
    this.group = [];
    this.groupChars = 0;
  }

  private append(text: string): FramePlace {
    const id = newFrameId();
    const sealed = sealFrame(this.repository.treeKey, id, Buffer.from(text));
    const place = {id, offset: this.bytes, length: sealed.length};
    this.parts.push(sealed);
    this.bytes += sealed.length;
    return place;
  }
}

/** A tree that is read where it is needed. */
export class Tree {
  readonly directory: Directory;
  readonly frames: ObjectFrame[];
  private readonly health: Health[];
  private readonly repository: Repository;
  private readonly reference: TreeReference;
  private readonly groups = new Map<number, Promise<StoredShard[]>>();

  private constructor(repository: Repository, reference: TreeReference, directory: Directory) {
    this.repository = repository;
    this.reference = reference;
    this.directory = directory;
    this.frames = directory.frames.map(([pack, id, offset, length]) => ({
      pack: directory.packs[pack] ?? '',
      id,
      offset,
      length,
    }));
    this.health = directory.health.map(([state, replicas]) =>
      replicas === undefined ? {state} : {state, replicas},
    );
  }

  /** @throws PraError REPOSITORY_CORRUPT that names the file. */
  static async open(repository: Repository, reference: TreeReference, signal?: AbortSignal): Promise<Tree> {
    const directory = await readPart(repository, reference, reference, directorySchema, signal);
    return new Tree(repository, reference, directory);
  }

  get name(): string {
    return this.reference.name;
  }

  /** @param index of `directory.shards` */
  async shard(index: number, signal?: AbortSignal): Promise<Shard> {
    const found = this.directory.shards[index];
    const [typeNumber = -1, namespace = '', objects = 0, group = -1, place = -1] = found ?? [];
    const type = this.directory.types[typeNumber];
    const stored = (await this.group(group, signal))[place];
    if (!type || !stored) throw this.damaged();
    return this.shardOf(type, namespace, objects, stored);
  }

  private group(number: number, signal: AbortSignal | undefined): Promise<StoredShard[]> {
    const isNew = !this.groups.has(number);
    const group = this.startGroup(number, signal);
    if (!group) throw this.damaged();
    // Who reads one group after another will want the next ones, and no longer those before.
    if (isNew && this.groups.has(number - 1)) {
      for (const known of this.groups.keys()) if (known < number - 1) this.groups.delete(known);
      for (let next = number + 1; next <= number + AHEAD; next += 1) this.startGroup(next, signal);
    }
    return group;
  }

  private startGroup(number: number, signal: AbortSignal | undefined): Promise<StoredShard[]> | undefined {
    const known = this.groups.get(number);
    const place = this.directory.groups[number];
    if (known || !place) return known;
    const [id, offset, length] = place;
    const group = readPart(this.repository, this.reference, {id, offset, length}, groupSchema, signal);
    group.catch(() => undefined); // rejects again for who asks for it
    this.groups.set(number, group);
    return group;
  }

  private shardOf(type: ResourceType, namespace: string, objects: number, stored: StoredShard): Shard {
    const bytes = Buffer.from(stored.d, 'base64');
    const shard = emptyShard(type, namespace);
    shard.names = stored.n;
    shard.lengths = stored.l;
    shard.removed = stored.x ?? [];
    shard.objects = objects;
    if (bytes.length !== stored.n.length * 8) throw this.damaged();
    for (let i = 0; i < bytes.length; i += 4) shard.digests.push(bytes.readUInt32BE(i));
    for (let i = 0, end = 0; i < stored.n.length; i += 1) {
      const frame = this.frames[stored.f[i] ?? -1];
      const [step, length, healthNumber] = [stored.o[i], stored.l[i], stored.h[i]];
      if (!frame || step === undefined || length === undefined || healthNumber === undefined)
        throw this.damaged();
      shard.frames.push(frame);
      shard.offsets.push(end + step);
      end += step + length;
      shard.health.push(this.health[healthNumber]);
    }
    return shard;
  }

  private damaged(): PraError {
    return damagedTree(this.repository, this.reference, 'its parts do not fit each other');
  }
}

async function readPart<T>(
  repository: Repository,
  reference: TreeReference,
  place: FramePlace,
  schema: z.ZodType<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  const {id, offset, length} = place;
  const sealed = await repository.store
    .get(treeKey(reference.name), {range: {offset, length}, signal})
    .catch((error: unknown) => {
      if (error instanceof PraError && error.code === 'STORE_MISSING')
        throw damagedTree(repository, reference, 'it is missing', error);
      throw error;
    });
  try {
    const text = await openFrame(repository.treeKey, id, sealed);
    return schema.parse(JSON.parse(text.toString('utf8')));
  } catch (error) {
    throw damagedTree(repository, reference, 'its content was changed or cut off', error);
  }
}

const damagedTree = (repository: Repository, {name}: TreeReference, why: string, cause?: unknown) =>
  new PraError('REPOSITORY_CORRUPT', `${treeKey(name)} in ${repository.store.url} is damaged`, {
    why,
    cause,
    next: ['use another snapshot: pra snapshot list'],
  });
