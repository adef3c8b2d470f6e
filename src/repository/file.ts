import {randomBytes} from 'node:crypto';
import {link, mkdir, open, readdir, rename, rm, stat} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import {PraError, systemCodeOf} from '../errors.ts';
import {
  checkKey,
  conflictingKey,
  isKey,
  missingKey,
  type Store,
  type StoredFile,
  type StoreOptions,
  throwIfStopped,
} from './store.ts';

/** Files that are still being written start like this, and are no objects. */
const PARTIAL = '.partial-';
const PARTIAL_NAME = /^\.partial-[\w-]+$/;

/** A repository in a folder, private to its owner. Objects are written beside their place, flushed, and put there whole. */
export class FileStore implements Store {
  readonly url: string;
  private readonly dir: string;

  constructor(dir: string) {
    this.dir = dir;
    this.url = `file://${dir}`;
  }

  async put(key: string, body: Uint8Array, options: StoreOptions & {ifAbsent?: boolean} = {}): Promise<void> {
    const file = this.path(key);
    throwIfStopped(options.signal, `${key} could not be written in ${this.dir}`);
    const partial = join(dirname(file), `${PARTIAL}${process.pid}-${randomBytes(6).toString('hex')}`);
    try {
      const made = await mkdir(dirname(file), {recursive: true, mode: 0o700});
      const handle = await open(partial, 'wx', 0o600);
      try {
        await handle.writeFile(body);
        await handle.sync();
      } finally {
        await handle.close();
      }
      // A hard link fails where a rename would overwrite.
      if (options.ifAbsent) await link(partial, file);
      else await rename(partial, file);
      await this.flushFolders(dirname(file), made);
    } catch (error) {
      if (systemCodeOf(error) === 'EEXIST' && isLink(error)) throw conflictingKey(key, this.url, error);
      throw this.failure('written', key, error);
    } finally {
      await rm(partial, {force: true}).catch(() => undefined);
    }
  }

  async get(
    key: string,
    options: StoreOptions & {range?: {offset: number; length: number}} = {},
  ): Promise<Uint8Array> {
    const file = this.path(key);
    throwIfStopped(options.signal, `${key} could not be read in ${this.dir}`);
    try {
      const handle = await open(file, 'r');
      try {
        if (!(await handle.stat()).isFile()) throw missingKey(key, this.url);
        if (!options.range) return await handle.readFile();
        const {offset, length} = options.range;
        const buffer = Buffer.allocUnsafe(length);
        const {bytesRead} = await handle.read(buffer, 0, length, offset);
        return buffer.subarray(0, bytesRead);
      } finally {
        await handle.close();
      }
    } catch (error) {
      if (isNoFile(error)) throw missingKey(key, this.url, error);
      throw this.failure('read', key, error);
    }
  }

  async has(key: string, options: StoreOptions = {}): Promise<boolean> {
    const file = this.path(key);
    throwIfStopped(options.signal, `${key} could not be read in ${this.dir}`);
    try {
      return (await stat(file)).isFile();
    } catch (error) {
      if (isNoFile(error)) return false;
      throw this.failure('read', key, error);
    }
  }

  async *list(prefix: string, options: StoreOptions = {}): AsyncGenerator<StoredFile> {
    const keys: string[] = [];
    // File servers and desktops leave files of their own, which no name of ours is like.
    await this.collect('', prefix, keys, name => !name.startsWith('.'));
    for (const key of keys.filter(isKey).sort()) {
      throwIfStopped(options.signal, `${prefix || 'the repository'} could not be listed in ${this.dir}`);
      const info = await stat(join(this.dir, key)).catch((error: unknown) => {
        // Deleted since. What is there and cannot be looked at must not be taken for absent.
        if (isNoFile(error)) return undefined;
        throw this.failure('listed', key, error);
      });
      if (info?.isFile()) yield {key, size: info.size, modified: info.mtime};
    }
  }

  async delete(key: string, options: StoreOptions = {}): Promise<void> {
    const name = key.slice(key.lastIndexOf('/') + 1);
    // Keys of `partials` are no keys of objects.
    const file = PARTIAL_NAME.test(name) ? this.partialPath(key, name) : this.path(key);
    throwIfStopped(options.signal, `${key} could not be deleted in ${this.dir}`);
    try {
      await rm(file, {force: true});
    } catch (error) {
      if (isNoFile(error)) return;
      throw this.failure('deleted', key, error);
    }
  }

  async *partials(olderThanMs: number): AsyncGenerator<StoredFile> {
    const keys: string[] = [];
    await this.collect('', '', keys, name => name.startsWith(PARTIAL));
    for (const key of keys.sort()) {
      const info = await stat(join(this.dir, key)).catch(() => undefined);
      // Files of a folder have the time of this machine or its file server; half an hour is more than they differ.
      if (info?.isFile() && Date.now() - info.mtimeMs > olderThanMs)
        yield {key, size: info.size, modified: info.mtime};
    }
  }

  private partialPath(key: string, name: string): string {
    const folder = dirname(key);
    return join(this.dir, folder === '.' ? '' : checkKey(folder), name);
  }

  private path(key: string): string {
    return join(this.dir, checkKey(key));
  }

  private async collect(
    folder: string,
    prefix: string,
    keys: string[],
    fits: (name: string) => boolean,
  ): Promise<void> {
    let entries: {name: string; isDirectory(): boolean}[];
    try {
      entries = await readdir(join(this.dir, folder), {withFileTypes: true});
    } catch (error) {
      if (systemCodeOf(error) === 'ENOENT') return;
      throw this.failure('listed', folder || '.', error);
    }
    for (const entry of entries) {
      const key = folder === '' ? entry.name : `${folder}/${entry.name}`;
      const onTheWay = prefix.startsWith(`${key}/`);
      if (entry.isDirectory() && (onTheWay || key.startsWith(prefix) || prefix.startsWith(key)))
        await this.collect(key, prefix, keys, fits);
      else if (!entry.isDirectory() && key.startsWith(prefix) && fits(entry.name)) keys.push(key);
    }
  }

  /** The name of a file is on the disk only when its folder is, and so are the names of folders that were made for it. */
  private async flushFolders(folder: string, firstMade: string | undefined): Promise<void> {
    const handle = await open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (firstMade !== undefined && folder.startsWith(firstMade))
      await this.flushFolders(dirname(folder), firstMade);
  }

  private failure(what: string, key: string, error: unknown): PraError {
    const code = systemCodeOf(error);
    if (error instanceof PraError) return error;
    if (code === 'ENOSPC' || code === 'EDQUOT') {
      return new PraError('DISK_FULL', `${key} could not be ${what}: the disk of ${this.dir} is full`, {
        next: ['free some space and run it again: what was written before is used again'],
        cause: error,
      });
    }
    if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
      return new PraError(
        'STORE_DENIED',
        `${key} could not be ${what} in ${this.dir}: ${code === 'EROFS' ? 'it is read-only' : 'permission denied'}`,
        {next: ['run as the user that owns the folder, or mend its permissions'], cause: error},
      );
    }
    return new PraError('STORE_FAILED', `${key} could not be ${what} in ${this.dir}`, {
      why: code,
      next: ['check that the folder of spec.repository.url is one, and that its disk works'],
      cause: error,
    });
  }
}

const isLink = (error: unknown) => error instanceof Error && 'syscall' in error && error.syscall === 'link';
/** Also a folder, or a name below a file: neither holds an object. */
const isNoFile = (error: unknown) => ['ENOENT', 'ENOTDIR', 'EISDIR'].includes(systemCodeOf(error) ?? '');
