import type {ResourceType} from '../cluster/object.ts';
import {PraError} from '../errors.ts';
import type {Repository} from './repository.ts';
import type {SnapshotRoot} from './snapshot-root.ts';
import {emptyShard, type Shard, shardKey, Tree, treeKey} from './tree.ts';

/** What a snapshot has of one kind in one namespace. */
export interface ShardSummary {
  /** Group, kind and namespace. */
  key: string;
  type: ResourceType;
  /** Empty for cluster-scoped kinds. */
  namespace: string;
  objects: number;
}

interface Place extends ShardSummary {
  base: number | undefined;
  changes: number | undefined;
}

/**
 * Where the objects of a snapshot lie: a tree of all of them, and for most snapshots one of what changed since that. So
 * a snapshot of which little changed writes little, and a reader never needs more than two.
 */
export class SnapshotIndex {
  private readonly base: Tree | undefined;
  private readonly changes: Tree | undefined;
  private readonly places: Map<string, Place>;

  private constructor(base: Tree | undefined, changes: Tree | undefined) {
    this.base = base;
    this.changes = changes;
    this.places = placesOf(base, changes);
  }

  /** @throws PraError REPOSITORY_CORRUPT that names what is damaged. */
  static async open(
    repository: Repository,
    root: Pick<SnapshotRoot, 'trees'>,
    signal?: AbortSignal,
  ): Promise<SnapshotIndex> {
    const trees = await Promise.all(root.trees.map(tree => Tree.open(repository, tree, signal)));
    return new SnapshotIndex(trees[0], trees[1]);
  }

  /** Those with objects, sorted by group, kind and namespace. */
  shards(): ShardSummary[] {
    return [...this.places.values()].filter(({objects}) => objects > 0);
  }

  /** Shards that have no object any more, though the tree of all objects has some. */
  emptied(): ShardSummary[] {
    return [...this.places.values()].filter(({objects}) => objects === 0);
  }

  /** Equal in two snapshots only when they have the same objects in a shard; may differ all the same. */
  identity(key: string): string {
    const {base, changes} = this.places.get(key) ?? {};
    const of = (tree: Tree | undefined, index: number | undefined) =>
      tree && index !== undefined ? `${tree.name}/${index}` : '';
    return `${of(this.base, base)} ${of(this.changes, changes)}`;
  }

  /** Names of the packs that hold the objects. */
  packs(): Set<string> {
    return new Set([...(this.base?.directory.packs ?? []), ...(this.changes?.directory.packs ?? [])]);
  }

  /** The objects of one kind in one namespace; empty when there are none. */
  async read(type: ResourceType, namespace: string, signal?: AbortSignal): Promise<Shard> {
    return (await this.readBoth(type, namespace, signal)).merged;
  }

  /** Also as they are in the tree of all objects, which the next snapshot writes its changes against. */
  async readBoth(
    type: ResourceType,
    namespace: string,
    signal?: AbortSignal,
  ): Promise<{merged: Shard; base: Shard | undefined}> {
    const place = this.places.get(shardKey(type, namespace));
    const [base, changes] = await Promise.all([
      this.readTree(this.base, place?.base, signal),
      this.readTree(this.changes, place?.changes, signal),
    ]);
    const merged = layOver(base ?? emptyShard(type, namespace), changes);
    if (merged.names.length !== (place?.objects ?? 0)) throw this.misfit(`${type.kind} ${namespace}`);
    return {merged, base};
  }

  /** Shards of the tree of all objects, also those that are empty now. */
  baseShards(): ShardSummary[] {
    return summariesOf(this.base);
  }

  private misfit(shard: string): PraError {
    return new PraError('REPOSITORY_CORRUPT', `${treeKey(this.name)} is damaged`, {
      why: `it does not have as many objects of ${shard} as it says`,
      next: ['use another snapshot: pra snapshot list'],
    });
  }

  private get name(): string {
    return (this.changes ?? this.base)?.name ?? '';
  }

  private async readTree(
    tree: Tree | undefined,
    index: number | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Shard | undefined> {
    return tree && index !== undefined ? tree.shard(index, signal) : undefined;
  }
}

function summariesOf(tree: Tree | undefined): ShardSummary[] {
  const {types = [], shards = []} = tree?.directory ?? {};
  return shards.flatMap(([number, namespace, objects]) => {
    const type = types[number];
    return type ? [{key: shardKey(type, namespace), type, namespace, objects}] : [];
  });
}

function placesOf(base: Tree | undefined, changes: Tree | undefined): Map<string, Place> {
  const places = new Map<string, Place>();
  for (const [index, shard] of summariesOf(base).entries())
    places.set(shard.key, {...shard, base: index, changes: undefined});
  for (const [index, shard] of summariesOf(changes).entries()) {
    places.set(shard.key, {...shard, base: places.get(shard.key)?.base, changes: index});
  }
  return new Map([...places].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function layOver(base: Shard, changes: Shard | undefined): Shard {
  if (!changes) return base;
  return changes.objects === 0 ? changes : merge(base, changes);
}

/** Lays changes over a shard. Both are sorted by name. */
function merge(base: Shard, changes: Shard): Shard {
  const merged = emptyShard(changes.type, changes.namespace);
  merged.objects = changes.objects;
  const gone = new Set([...changes.removed, ...changes.names]);
  let next = 0;
  const before = (name: string) => (changes.names[next] ?? '') < name;
  for (const [i, name] of base.names.entries()) {
    if (gone.has(name)) continue;
    while (next < changes.names.length && before(name)) append(merged, changes, next++);
    append(merged, base, i);
  }
  while (next < changes.names.length) append(merged, changes, next++);
  return merged;
}

/** Appends one object of a shard to another. */
export function append(to: Shard, from: Shard, index: number): void {
  const frame = from.frames[index];
  if (!frame) return;
  to.names.push(from.names[index] ?? '');
  to.digests.push(from.digests[2 * index] ?? 0, from.digests[2 * index + 1] ?? 0);
  to.frames.push(frame);
  to.offsets.push(from.offsets[index] ?? 0);
  to.lengths.push(from.lengths[index] ?? 0);
  to.health.push(from.health[index]);
}
