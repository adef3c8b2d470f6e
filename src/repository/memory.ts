import {
  checkKey,
  conflictingKey,
  missingKey,
  type Store,
  type StoredFile,
  type StoreOptions,
} from './store.ts';

/** A store that lasts as long as the process. Over another, it reads what that has and keeps what is written to itself. */
export class MemoryStore implements Store {
  readonly url: string;
  private readonly below: Store | undefined;
  private readonly files = new Map<string, {body: Uint8Array; modified: Date}>();

  constructor(below?: Store) {
    this.below = below;
    this.url = below?.url ?? 'memory:';
  }

  async put(key: string, body: Uint8Array, options: StoreOptions & {ifAbsent?: boolean} = {}): Promise<void> {
    const isBelow = options.ifAbsent && ((await this.below?.has(key, options)) ?? false);
    // With nothing awaited between looking and writing, of two who write at once one is refused.
    if (options.ifAbsent && (isBelow || this.files.has(key))) throw conflictingKey(key, this.url);
    this.files.set(checkKey(key), {body: Uint8Array.from(body), modified: new Date()});
  }

  async get(
    key: string,
    options: StoreOptions & {range?: {offset: number; length: number}} = {},
  ): Promise<Uint8Array> {
    const file = this.files.get(checkKey(key));
    if (!file) {
      if (this.below) return this.below.get(key, options);
      throw missingKey(key, this.url);
    }
    const {offset = 0, length = file.body.length} = options.range ?? {};
    return file.body.subarray(offset, offset + length);
  }

  async has(key: string, options: StoreOptions = {}): Promise<boolean> {
    return this.files.has(checkKey(key)) || ((await this.below?.has(key, options)) ?? false);
  }

  async *list(prefix: string, options: StoreOptions = {}): AsyncGenerator<StoredFile> {
    const found = new Map<string, StoredFile>();
    for await (const file of this.below?.list(prefix, options) ?? []) found.set(file.key, file);
    for (const [key, {body, modified}] of this.files)
      if (key.startsWith(prefix)) found.set(key, {key, size: body.length, modified});
    for (const key of [...found.keys()].sort()) {
      const file = found.get(key);
      if (file) yield file;
    }
  }

  /** What is below stays. */
  async delete(key: string): Promise<void> {
    this.files.delete(checkKey(key));
  }
}
