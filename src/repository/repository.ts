import {randomBytes, timingSafeEqual} from 'node:crypto';
import {z} from 'zod';
import {messageOf, PraError} from '../errors.ts';
import {type OpenKeyOptions, openDataKey} from './key/open.ts';
import {type FirstKeys, firstWrappersOf, noSecret, wrappersOf} from './key/secrets.ts';
import {slotKey} from './key/slot.ts';
import {makeSlot} from './key/wrapper.ts';
import {fingerprintOf, newDataKey, subkey} from './key.ts';
import type {Store} from './store.ts';

const FORMAT = 1;
const ROOT = 'pra.json';

const rootSchema = z.object({format: z.int(), id: z.string(), createdAt: z.iso.datetime()});

type RepositoryFile = z.infer<typeof rootSchema>;

export interface InitOptions extends FirstKeys {
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
  /** Of the data key, for a plan that accepts no other. */
  readonly fingerprint: string;
  private readonly resticKey: Buffer;
  private readonly dataKey: Buffer;

  constructor(id: string, store: Store, dataKey: Buffer) {
    this.dataKey = dataKey;
    this.id = id;
    this.store = store;
    this.packKey = subkey(dataKey, 'packs');
    this.treeKey = subkey(dataKey, 'trees');
    this.digestKey = subkey(dataKey, 'digests');
    this.macKey = subkey(dataKey, 'snapshots');
    this.rootKey = subkey(dataKey, 'roots');
    this.fingerprint = fingerprintOf(dataKey);
    this.resticKey = subkey(dataKey, 'volumes');
  }

  /** The same repository in another store, such as one that lies over its own. */
  over(store: Store): Repository {
    return new Repository(this.id, store, this.dataKey);
  }

  /** Password of the restic repository that keeps the volumes. */
  volumePassword(): string {
    return this.resticKey.toString('base64url');
  }
}

/**
 * Makes a new repository, with a key slot for each of the secrets and recipients.
 * @throws PraError REPOSITORY_EXISTS when there is one, REPOSITORY_KEY_MISSING when nobody could open it, USAGE for what is
 * not a recipient, REPOSITORY_KMS_FAILED, STORE_*.
 */
export async function initRepository(store: Store, options: InitOptions): Promise<Repository> {
  const {signal} = options;
  const wrappers = firstWrappersOf(options);
  if (wrappers.length === 0) throw noSecret('no key was given for a new repository');
  if (await store.has(ROOT, {signal})) throw exists(store);
  const dataKey = newDataKey();
  const id = randomBytes(16).toString('hex');
  // All are made before the first is written: a wrong recipient leaves nothing.
  const slots = await Promise.all(
    wrappers.map(wrapper => makeSlot(wrapper, dataKey, {repositoryId: id, signal})),
  );
  try {
    for (const slot of slots) await store.put(slotKey(slot.id), encode(slot), {ifAbsent: true, signal});
    // Last, and only one writer can win: a repository exists when its root does.
    const root: RepositoryFile = {format: FORMAT, id, createdAt: new Date().toISOString()};
    await store.put(ROOT, encode(root), {ifAbsent: true, signal});
  } catch (error) {
    const conflict = error instanceof PraError && error.code === 'STORE_CONFLICT';
    // Without an answer the root may be there all the same, and then these slots are the only way in.
    if (conflict || !(await store.has(ROOT).catch(() => true)))
      for (const slot of slots) await store.delete(slotKey(slot.id)).catch(() => undefined);
    if (conflict) throw exists(store);
    throw error;
  }
  return new Repository(id, store, dataKey);
}

/**
 * Opens a repository with any of its key slots that the secrets fit.
 * @throws PraError REPOSITORY_ABSENT, REPOSITORY_FORMAT, REPOSITORY_KEY_MISSING, REPOSITORY_WRONG_KEY, REPOSITORY_CORRUPT,
 * REPOSITORY_KMS_FAILED, STORE_*.
 */
export async function openRepository(store: Store, options: OpenKeyOptions): Promise<Repository> {
  const {id} = await readRepositoryFile(store, options.signal);
  const {dataKey} = await openDataKey(store, id, options);
  return new Repository(id, store, dataKey);
}

/**
 * What says that there is a repository.
 * @throws PraError REPOSITORY_ABSENT, REPOSITORY_FORMAT, REPOSITORY_CORRUPT, STORE_*.
 */
export async function readRepositoryFile(
  store: Store,
  signal: AbortSignal | undefined,
): Promise<RepositoryFile> {
  const root = await readJson(store, ROOT, rootSchema, signal).catch((error: unknown) => {
    if (!(error instanceof PraError) || error.code !== 'STORE_MISSING') throw error;
    throw new PraError('REPOSITORY_ABSENT', `there is no repository at ${store.url}`, {
      next: ['check spec.repository.url; pra repository init or pra snapshot create makes a repository'],
      cause: error,
    });
  });
  if (root.format <= FORMAT) return root;
  throw new PraError(
    'REPOSITORY_FORMAT',
    `the repository at ${store.url} has format ${root.format}, and this pra reads up to ${FORMAT}`,
    {next: ['update pra']},
  );
}

/**
 * Opens a repository, or makes it where there is none: not when none of the secrets could open it the next time, nor when
 * a key is expected that a new one would not have.
 */
export async function openOrInitRepository(
  store: Store,
  options: OpenKeyOptions & InitOptions,
): Promise<{repository: Repository; created: boolean}> {
  try {
    return {repository: await openRepository(store, options), created: false};
  } catch (error) {
    if (!(error instanceof PraError) || error.code !== 'REPOSITORY_ABSENT') throw error;
    if (error.cause instanceof Error && error.cause.name === 'NoSuchBucket') throw error;
    if (options.fingerprint !== undefined) throw error;
    if (wrappersOf(options).length === 0)
      throw noSecret(`no key was given for a new repository at ${store.url}`);
    return {repository: await initRepository(store, options), created: true};
  }
}

/** Roots name every volume and baseline, and are the longest. */
const MAX_JSON_BYTES = 32 * 1024 * 1024;

/** @throws PraError REPOSITORY_CORRUPT that names the key when it is not what the schema says. */
export async function readJson<T>(
  store: Store,
  key: string,
  schema: z.ZodType<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  // One byte more than it may have, so that what is too long is seen: a file is read before it is trusted.
  const bytes = await store.get(key, {signal, range: {offset: 0, length: MAX_JSON_BYTES + 1}});
  try {
    if (bytes.length > MAX_JSON_BYTES) throw new Error('it is longer than any that pra writes');
    return schema.parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
  } catch (error) {
    throw new PraError('REPOSITORY_CORRUPT', `${key} in ${store.url} is damaged`, {
      why: error instanceof z.ZodError ? 'it does not have the form that it should' : messageOf(error),
      next: [`bring ${key} back from a copy of the repository`],
      cause: error,
    });
  }
}

/**
 * Whether a code fits what it should be of. What is nested so deep that no code of it can be made is no work of ours.
 * @param codeOf makes the code
 */
export function isGenuine(code: string, codeOf: () => string): boolean {
  try {
    return timingSafeEqual(Buffer.from(code), Buffer.from(codeOf()));
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

export const encode = (value: unknown): Buffer => Buffer.from(`${JSON.stringify(value, undefined, 2)}\n`);

const exists = (store: Store) =>
  new PraError('REPOSITORY_EXISTS', `there is already a repository at ${store.url}`);
