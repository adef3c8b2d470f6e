import {PraError} from '../errors.ts';
import {sha256} from '../std/json.ts';
import {type Digest, digestOf} from './digest.ts';
import {openFrame} from './frame.ts';
import {readSlots} from './key/read-slots.ts';
import {type ObjectFrame, packKey} from './pack.ts';
import type {Repository} from './repository.ts';
import {SnapshotIndex} from './snapshot-index.ts';
import {readRoot, readRootKeys, type SnapshotRoot} from './snapshot-root.ts';
import {readTagChange} from './tags.ts';
import {treeKey} from './tree.ts';

/** Something that is wrong with a repository. */
export interface CheckFinding {
  key: string;
  why: string;
  /** Snapshots that cannot be restored whole because of it. */
  snapshots: string[];
}

export interface CheckResult {
  snapshots: number;
  packs: number;
  trees: number;
  /** Bytes that were read and compared. */
  readBytes: number;
  /** Files that no snapshot needs. */
  unneeded: {files: number; bytes: number};
  findings: CheckFinding[];
}

export type CheckEvent = {type: 'checked'; what: string; done: number; of: number};

/**
 * Checks that every snapshot can be restored: roots and trees are read whole, packs are there with the size that they
 * should have. With `readData`, every pack is read, compared with its name, opened, and every object in it compared
 * with its digest. Tags and key slots are read too. Goes on after damage, so that all of it is known.
 * @throws PraError STORE_* when the store cannot be used at all
 */
export async function checkRepository(
  repository: Repository,
  options: {
    readData: boolean;
    signal?: AbortSignal | undefined;
    onEvent?: ((event: CheckEvent) => void) | undefined;
  },
): Promise<CheckResult> {
  return new Check(repository, options).run();
}

interface PackUse {
  snapshots: Set<string>;
  frames: Map<string, {frame: ObjectFrame; objects: Map<string, ObjectPlace>}>;
}

interface ObjectPlace {
  what: string;
  offset: number;
  length: number;
  high: number;
  low: number;
}

class Check {
  private readonly repository: Repository;
  private readonly readData: boolean;
  private readonly signal: AbortSignal | undefined;
  private readonly onEvent: ((event: CheckEvent) => void) | undefined;
  private readonly findings = new Map<string, CheckFinding>();
  private readonly packs = new Map<string, PackUse>();
  private readonly trees = new Map<string, Set<string>>();
  private readBytes = 0;

  constructor(repository: Repository, options: Parameters<typeof checkRepository>[1]) {
    this.repository = repository;
    this.readData = options.readData;
    this.signal = options.signal;
    this.onEvent = options.onEvent;
  }

  async run(): Promise<CheckResult> {
    const files = new Map<string, number>();
    for (const prefix of ['packs/', 'trees/'])
      for await (const {key, size} of this.repository.store.list(prefix, {signal: this.signal}))
        files.set(key, size);
    const roots = await this.checkRoots();
    for (const [done, root] of roots.entries()) {
      await this.checkIndex(root);
      this.onEvent?.({type: 'checked', what: 'snapshots', done: done + 1, of: roots.length});
    }
    await this.checkTrees();
    await this.checkPacks(files);
    await this.checkTags();
    await this.checkSlots();
    const needed = new Set([...[...this.packs.keys()].map(packKey), ...[...this.trees.keys()].map(treeKey)]);
    const unneeded = [...files].filter(([key]) => !needed.has(key));
    return {
      snapshots: roots.length,
      packs: this.packs.size,
      trees: this.trees.size,
      readBytes: this.readBytes,
      unneeded: {files: unneeded.length, bytes: unneeded.reduce((sum, [, size]) => sum + size, 0)},
      findings: [...this.findings.values()].sort((a, b) => a.key.localeCompare(b.key)),
    };
  }

  private async checkRoots(): Promise<SnapshotRoot[]> {
    const roots: SnapshotRoot[] = [];
    for await (const key of readRootKeys(this.repository, this.signal)) {
      const root = await this.attempt(key, [key], () => readRoot(this.repository, key, this.signal));
      if (root) roots.push(root);
    }
    return roots;
  }

  private async checkIndex(root: SnapshotRoot): Promise<void> {
    for (const {name} of root.trees) this.trees.set(name, (this.trees.get(name) ?? new Set()).add(root.id));
    const [first] = root.trees;
    await this.attempt(treeKey(first?.name ?? ''), [root.id], async () => {
      const index = await SnapshotIndex.open(this.repository, root, this.signal);
      for (const {type, namespace} of index.shards()) {
        const shard = await index.read(type, namespace, this.signal);
        for (const [i, frame] of shard.frames.entries()) {
          const use = this.useOf(frame.pack);
          use.snapshots.add(root.id);
          const known = use.frames.get(frame.id) ?? {frame, objects: new Map<string, ObjectPlace>()};
          use.frames.set(frame.id, known);
          if (!this.readData) continue;
          const offset = shard.offsets[i] ?? 0;
          known.objects.set(`${offset}`, {
            what: `${type.kind} ${namespace}/${shard.names[i]}`,
            offset,
            length: shard.lengths[i] ?? 0,
            high: shard.digests[2 * i] ?? 0,
            low: shard.digests[2 * i + 1] ?? 0,
          });
        }
      }
    });
  }

  private async checkTags(): Promise<void> {
    for await (const {key} of this.repository.store.list('tags/', {signal: this.signal}))
      await this.attempt(key, [], () => readTagChange(this.repository, key, this.signal));
  }

  /** Whether the keys in them are right is known only to those who can open them. */
  private async checkSlots(): Promise<void> {
    for (const slot of await readSlots(this.repository.store, {signal: this.signal}))
      if (slot.state === 'damaged') this.find(slot.key, slot.why, []);
  }

  private useOf(pack: string): PackUse {
    const use = this.packs.get(pack) ?? {snapshots: new Set(), frames: new Map()};
    this.packs.set(pack, use);
    return use;
  }

  private async checkTrees(): Promise<void> {
    for (const [name, snapshots] of this.trees)
      await this.attempt(treeKey(name), [...snapshots], () => this.readWhole(treeKey(name), name));
  }

  private async checkPacks(files: ReadonlyMap<string, number>): Promise<void> {
    let done = 0;
    for (const [pack, use] of this.packs) {
      const key = packKey(pack);
      const size = files.get(key);
      const end = Math.max(0, ...[...use.frames.values()].map(({frame}) => frame.offset + frame.length));
      if (size === undefined) this.find(key, 'it is missing', [...use.snapshots]);
      else if (size < end) this.find(key, `it is cut off: ${size} bytes of ${end}`, [...use.snapshots]);
      else if (this.readData) await this.attempt(key, [...use.snapshots], () => this.checkPack(pack, use));
      done += 1;
      this.onEvent?.({type: 'checked', what: 'packs', done, of: this.packs.size});
    }
  }

  private async checkPack(pack: string, use: PackUse): Promise<void> {
    const body = await this.readWhole(packKey(pack), pack);
    const {digestKey, packKey: key} = this.repository;
    for (const {frame, objects} of use.frames.values()) {
      const sealed = body.subarray(frame.offset, frame.offset + frame.length);
      const plain = await openFrame(key, frame.id, sealed).catch((cause: unknown) => {
        throw damage(`its frame at ${frame.offset} cannot be opened`, cause);
      });
      const digest: Digest = {high: 0, low: 0};
      for (const {what, offset, length, high, low} of objects.values()) {
        digestOf(Buffer.concat([plain.subarray(offset, offset + length), digestKey]), digest);
        if (digest.high !== high || digest.low !== low) throw damage(`${what} is not what it was`);
      }
    }
  }

  private async readWhole(key: string, name: string): Promise<Buffer> {
    const body = await this.repository.store.get(key, {signal: this.signal});
    this.readBytes += body.length;
    if (sha256(body) !== name) throw damage('its content is not what its name says');
    return Buffer.from(body.buffer, body.byteOffset, body.length);
  }

  /** Goes on after damage; a store that cannot be used ends the check. */
  private async attempt<T>(key: string, snapshots: string[], work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof PraError)) throw error;
      if (error.code === 'STORE_MISSING') this.find(key, 'it is missing', snapshots);
      else if (error.code === 'REPOSITORY_CORRUPT')
        this.find(
          /\b(?:packs|trees|snapshots|tags)\/[\w./-]+/.exec(error.message)?.[0] ?? key,
          error.why ?? error.message,
          snapshots,
        );
      else throw error;
      return undefined;
    }
  }

  private find(key: string, why: string, snapshots: readonly string[]): void {
    const known = this.findings.get(key);
    const all = new Set([...(known?.snapshots ?? []), ...snapshots.map(idOf)]);
    this.findings.set(key, {key, why: known?.why ?? why, snapshots: [...all].sort()});
  }
}

const idOf = (text: string) => text.replace(/^snapshots\/|\.json$/g, '');

const damage = (why: string, cause?: unknown) =>
  new PraError('REPOSITORY_CORRUPT', 'the file is damaged', {why, cause});
