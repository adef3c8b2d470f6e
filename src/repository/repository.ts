import {randomBytes} from 'node:crypto';
import {z} from 'zod';
import {messageOf, PraError} from '../errors.ts';
import {
  type KeySlot,
  keySlotSchema,
  newDataKey,
  subkey,
  unwrapWithPassphrase,
  wrapWithPassphrase,
} from './key.ts';
import type {Store} from './store.ts';

const FORMAT = 1;
const ROOT = 'pra.json';

const rootSchema = z.object({format: z.int(), id: z.string(), createdAt: z.iso.datetime()});

export interface OpenOptions {
  passphrase: string;
  signal?: AbortSignal | undefined;
}

/** An opened repository: its store and the keys that were derived for each use. */
export class Repository {
  readonly id: string;
  readonly store: Store;
  readonly packKey: Buffer;
  readonly treeKey: Buffer;
  readonly digestKey: Buffer;
  readonly macKey: Buffer;
  readonly rootKey: Buffer;
  private readonly resticKey: Buffer;

  constructor(id: string, store: Store, dataKey: Buffer) {
    this.id = id;
    this.store = store;
    this.packKey = subkey(dataKey, 'packs');
    this.treeKey = subkey(dataKey, 'trees');
    this.digestKey = subkey(dataKey, 'digests');
    this.macKey = subkey(dataKey, 'snapshots');
    this.rootKey = subkey(dataKey, 'roots');
    this.resticKey = subkey(dataKey, 'volumes');
  }

  /** Password of the restic repository that keeps the volumes. */
  volumePassword(): string {
    return this.resticKey.toString('base64url');
  }
}

/**
 * Makes a new repository.
 * @throws PraError REPOSITORY_EXISTS when there is one, STORE_*.
 */
export async function initRepository(store: Store, options: OpenOptions): Promise<Repository> {
  if (await store.has(ROOT, options)) throw exists(store);
  const dataKey = newDataKey();
  const id = randomBytes(16).toString('hex');
  const slot = await wrapWithPassphrase(dataKey, options.passphrase, id);
  await store.put(`keys/${slot.id}.json`, encode(slot), {ifAbsent: true, signal: options.signal});
  try {
    // Last, and only one writer can win: a repository exists when its root does.
    await store.put(ROOT, encode({format: FORMAT, id, createdAt: new Date().toISOString()}), {
      ifAbsent: true,
      signal: options.signal,
    });
  } catch (error) {
    const conflict = error instanceof PraError && error.code === 'STORE_CONFLICT';
    // Without an answer the root may be there all the same, and then this slot is the only way in.
    if (conflict || !(await store.has(ROOT).catch(() => true)))
      await store.delete(`keys/${slot.id}.json`).catch(() => undefined);
    if (conflict) throw exists(store);
    throw error;
  }
  return new Repository(id, store, dataKey);
}

/**
 * Opens a repository with any of its key slots.
 * @throws PraError REPOSITORY_ABSENT, REPOSITORY_FORMAT, REPOSITORY_WRONG_KEY, REPOSITORY_CORRUPT, STORE_*.
 */
export async function openRepository(store: Store, options: OpenOptions): Promise<Repository> {
  const root = await readJson(store, ROOT, rootSchema, options.signal).catch((error: unknown) => {
    if (!(error instanceof PraError) || error.code !== 'STORE_MISSING') throw error;
    throw new PraError('REPOSITORY_ABSENT', `there is no repository at ${store.url}`, {
      next: ['check spec.repository.url; pra snapshot create makes a repository where there is none'],
      cause: error,
    });
  });
  if (root.format > FORMAT) {
    throw new PraError(
      'REPOSITORY_FORMAT',
      `the repository at ${store.url} has format ${root.format}, and this pra reads up to ${FORMAT}`,
      {
        next: ['update pra'],
      },
    );
  }
  let slots = 0;
  for await (const {key} of store.list('keys/', options)) {
    slots += 1;
    const slot: KeySlot = await readJson(store, key, keySlotSchema, options.signal);
    const dataKey = await unwrapWithPassphrase(slot, options.passphrase, root.id);
    if (dataKey) return new Repository(root.id, store, dataKey);
  }
  if (slots === 0)
    throw new PraError('REPOSITORY_CORRUPT', `keys/ in ${store.url} is empty`, {
      why: 'without a key slot nothing in the repository can be opened',
      next: ['bring keys/ back from a copy of the repository'],
    });
  throw new PraError('REPOSITORY_WRONG_KEY', `the passphrase opens none of the keys of ${store.url}`, {
    next: ['check PRA_PASSPHRASE_FILE or PRA_PASSPHRASE'],
  });
}

/** Opens a repository, or makes it where there is none. */
export async function openOrInitRepository(
  store: Store,
  options: OpenOptions,
): Promise<{repository: Repository; created: boolean}> {
  try {
    return {repository: await openRepository(store, options), created: false};
  } catch (error) {
    if (!(error instanceof PraError) || error.code !== 'REPOSITORY_ABSENT') throw error;
    if (error.cause instanceof Error && error.cause.name === 'NoSuchBucket') throw error;
    return {repository: await initRepository(store, options), created: true};
  }
}

/** @throws PraError REPOSITORY_CORRUPT that names the key when it is not what the schema says. */
export async function readJson<T>(
  store: Store,
  key: string,
  schema: z.ZodType<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  const bytes = await store.get(key, {signal});
  try {
    return schema.parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
  } catch (error) {
    throw new PraError('REPOSITORY_CORRUPT', `${key} in ${store.url} is damaged`, {
      why: error instanceof z.ZodError ? 'it does not have the form that it should' : messageOf(error),
      next: [`bring ${key} back from a copy of the repository`],
      cause: error,
    });
  }
}

export const encode = (value: unknown): Buffer => Buffer.from(`${JSON.stringify(value, undefined, 2)}\n`);

const exists = (store: Store) =>
  new PraError('REPOSITORY_EXISTS', `there is already a repository at ${store.url}`);
