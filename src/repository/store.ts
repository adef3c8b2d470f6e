import {PraError} from '../errors.ts';

export interface StoreOptions {
  signal?: AbortSignal | undefined;
}

export interface StoredFile {
  key: string;
  size: number;
  modified: Date;
}

/**
 * Where a repository keeps its objects. Keys are `/`-separated relative paths of letters, digits, dots, dashes and
 * underscores. Every implementation passes test/repository/store.contract.test.ts. The contract:
 * - `put` is atomic: another reader sees the whole object or none, also when the writer is killed. With `ifAbsent`, of
 *   several writers of one key exactly one succeeds and the others get STORE_CONFLICT.
 * - after `put` has ended, `get`, `has` and `list` see the object.
 * - `get` of a key that is not there is STORE_MISSING; a range beyond the end gives what there is.
 * - `list` gives each key that starts with the prefix once, in code-point order.
 * - `delete` of a key that is not there is no error.
 * - when the signal aborts, it ends soon with the PraError that the signal was aborted with, or else with INTERRUPTED.
 * - every other error is a PraError that names the key, and comes within a bounded time.
 */
export interface Store {
  readonly url: string;
  put(key: string, body: Uint8Array, options?: StoreOptions & {ifAbsent?: boolean}): Promise<void>;
  get(key: string, options?: StoreOptions & {range?: {offset: number; length: number}}): Promise<Uint8Array>;
  has(key: string, options?: StoreOptions): Promise<boolean>;
  list(prefix: string, options?: StoreOptions): AsyncGenerator<StoredFile>;
  delete(key: string, options?: StoreOptions): Promise<void>;
  /** Files of writers that were killed, older than this; where a store has such. `delete` takes their keys. */
  partials?(olderThanMs: number): AsyncGenerator<StoredFile>;
}

const KEY = /^[A-Za-z0-9_][A-Za-z0-9._-]*(\/[A-Za-z0-9_][A-Za-z0-9._-]*)*$/;

/** Whether a key can be one of a repository; others that lie in a store are somebody else's. */
export const isKey = (key: string) => KEY.test(key) && key.length <= 512;

/** @throws PraError STORE_FAILED for a key that could leave the repository; keys also come from what a repository holds. */
export function checkKey(key: string): string {
  if (isKey(key)) return key;
  throw new PraError('STORE_FAILED', `"${key.slice(0, 100)}" is not a key of a repository`);
}

export const missingKey = (key: string, url: string, cause?: unknown) =>
  new PraError('STORE_MISSING', `${key} is not in ${url}`, {
    next: ['check spec.repository.url; if it is right, use another snapshot: pra snapshot list'],
    cause,
  });
export const conflictingKey = (key: string, url: string, cause?: unknown) =>
  new PraError('STORE_CONFLICT', `${key} is already in ${url}`, {
    next: ['run it again when the other run has ended'],
    cause,
  });

/** Whoever aborts says why; a signal that only ends is an interruption too. */
export function throwIfStopped(signal: AbortSignal | undefined, about: string): void {
  if (!signal?.aborted) return;
  if (signal.reason instanceof PraError) throw signal.reason;
  throw new PraError('INTERRUPTED', `${about}: stopped`, {cause: signal.reason});
}
