import {promisify} from 'node:util';
import {zstdCompress, zstdDecompress} from 'node:zlib';
import {z} from 'zod';
import {PraError} from '../errors.ts';
import {canonicalJson, sha256} from '../std/json.ts';
import {open, seal} from './key.ts';
import type {Repository} from './repository.ts';
import {conflictIsFine} from './write-once.ts';

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);
const MAX_TREE_BYTES = 512 * 1024 * 1024;

const digest = z.string().regex(/^[0-9a-f]{64}$/);

const resourceType = z.object({
  group: z.string(),
  version: z.string(),
  kind: z.string(),
  plural: z.string(),
  namespaced: z.boolean(),
  verbs: z.array(z.string()),
  shortNames: z.array(z.string()),
});

const entrySchema = z.object({
  /** Name of the object. */
  n: z.string(),
  /** Digest of its canonical form. */
  d: digest,
  /** Pack, frame offset, frame length, offset, length. */
  l: z.tuple([digest, z.int(), z.int(), z.int(), z.int()]),
  /** Health at the capture. */
  h: z.object({state: z.string(), replicas: z.number().optional()}).optional(),
});
export type TreeEntry = z.infer<typeof entrySchema>;

/** All objects of one kind in one namespace, sorted by name. */
const shardSchema = z.object({type: resourceType, namespace: z.string(), entries: z.array(entrySchema)});
export type Shard = z.infer<typeof shardSchema>;

const shardReference = z.object({
  type: resourceType,
  namespace: z.string(),
  objects: z.int(),
  tree: digest,
  content: digest,
});
export type ShardReference = z.infer<typeof shardReference>;

/** The top of a snapshot: its shards, sorted by kind and namespace. */
const rootSchema = z.object({shards: z.array(shardReference)});
export type RootTree = z.infer<typeof rootSchema>;

export const treeKey = (name: string) => `trees/${name.slice(0, 2)}/${name}`;

/** What a shard holds, whatever pack it lies in: two snapshots with the same objects have the same. */
export const contentDigest = (entries: readonly TreeEntry[]) =>
  sha256(canonicalJson(entries.map(entry => [entry.n, entry.d, entry.h])));

/** Writes a tree; it is named by the digest of its bytes. */
export async function writeTree(
  repository: Repository,
  tree: Shard | RootTree,
  signal?: AbortSignal,
): Promise<{name: string; bytes: number}> {
  const bytes = seal(repository.treeKey, await compress(Buffer.from(canonicalJson(tree))), 'tree');
  const name = sha256(bytes);
  await conflictIsFine(repository.store.put(treeKey(name), bytes, {ifAbsent: true, signal}));
  return {name, bytes: bytes.length};
}

export const readRootTree = (repository: Repository, name: string, signal?: AbortSignal) =>
  readTree(repository, name, rootSchema, signal);
export const readShard = (repository: Repository, name: string, signal?: AbortSignal) =>
  readTree(repository, name, shardSchema, signal);

async function readTree<T>(
  repository: Repository,
  name: string,
  schema: z.ZodType<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  const key = treeKey(name);
  const damaged = (why: string, cause?: unknown) =>
    new PraError('REPOSITORY_CORRUPT', `${key} in ${repository.store.url} is damaged`, {
      why,
      cause,
      next: ['use another snapshot: pra snapshot list'],
    });
  const bytes = await repository.store.get(key, {signal}).catch((error: unknown) => {
    if (error instanceof PraError && error.code === 'STORE_MISSING') throw damaged('it is missing', error);
    throw error;
  });
  if (sha256(bytes) !== name) throw damaged('its content is not what its name says');
  try {
    const text = await decompress(open(repository.treeKey, bytes, 'tree'), {maxOutputLength: MAX_TREE_BYTES});
    return schema.parse(JSON.parse(text.toString('utf8')));
  } catch (error) {
    throw damaged('it cannot be read', error);
  }
}
