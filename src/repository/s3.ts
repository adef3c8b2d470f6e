import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  type S3Client,
} from '@aws-sdk/client-s3';
import {PraError} from '../errors.ts';
import {sleep} from '../std/wait.ts';
import type {OpenStoreOptions} from './open.ts';
import {createClient, MAX_ATTEMPTS} from './s3/client.ts';
import {attemptsOf, isMissing, isRace, nameOf, statusOf, storeFailure} from './s3/error.ts';
import {checkRetention} from './s3/retention.ts';
import {type Attributes, abortBy, attributesOf, type Target, writeObject} from './s3/write.ts';
import {
  checkKey,
  conflictingKey,
  isKey,
  missingKey,
  type Store,
  type StoredFile,
  type StoreOptions,
} from './store.ts';

const RACE_MS = 100;

/** How often an object is asked for whose answer broke off. */
const BODY_ATTEMPTS = 3;

/** A repository in a bucket. Write-once keys are kept by the server, with `If-None-Match`. */
export class S3Store implements Store {
  readonly url: string;
  private readonly client: S3Client;
  private readonly bucket: string;
  private readonly prefix: string;
  private readonly options: OpenStoreOptions;
  private lockSeen = false;

  constructor(bucket: string, prefix: string, options: OpenStoreOptions) {
    this.bucket = bucket;
    this.prefix = prefix === '' ? '' : `${prefix.replace(/\/$/, '')}/`;
    this.url = `s3://${bucket}/${prefix}`.replace(/\/$/, '');
    this.options = options;
    this.client = createClient(options);
  }

  async put(key: string, body: Uint8Array, options: StoreOptions & {ifAbsent?: boolean} = {}): Promise<void> {
    const target = this.at(key);
    const attributes = attributesOf(key, this.options);
    const {ifAbsent = false, signal} = options;
    const {partBytes} = this.options;
    for (let attempt = 1; ; attempt += 1) {
      try {
        await writeObject(this.client, target, body, {attributes, ifAbsent, partBytes, signal});
        break;
      } catch (error) {
        if (isRace(error) && attempt < MAX_ATTEMPTS) {
          await sleep(Math.random() * RACE_MS * 2 ** attempt, signal).catch(() => undefined);
          continue;
        }
        // Of an upload in parts whose answer was lost, the second request finds no parts any more.
        const lost = nameOf(error) === 'NoSuchUpload';
        if (!lost && (!ifAbsent || statusOf(error) !== 412))
          throw this.failure('written', key, error, options);
        // The answer to the first attempt may have been lost, and then the object that is in the way is this one.
        const again = attempt > 1 || attemptsOf(error) !== 1;
        if (again && (await this.holds(key, body, options))) break;
        throw lost ? this.failure('written', key, error, options) : conflictingKey(key, this.url, error);
      }
    }
    await this.checkLock(key, target, attributes, options);
  }

  async get(
    key: string,
    options: StoreOptions & {range?: {offset: number; length: number}} = {},
  ): Promise<Uint8Array> {
    const {range} = options;
    if (range?.length === 0 && (await this.has(key, options))) return new Uint8Array();
    const Range = range && `bytes=${range.offset}-${range.offset + range.length - 1}`;
    // The SDK asks again until an answer begins; one that breaks off in the middle is for us.
    for (let attempt = 1; ; attempt += 1) {
      const answer = await this.read(key, Range, options);
      try {
        return (await answer?.transformToByteArray()) ?? new Uint8Array();
      } catch (error) {
        if (attempt === BODY_ATTEMPTS || options.signal?.aborted)
          throw this.failure('read', key, error, options);
      }
    }
  }

  private async read(key: string, Range: string | undefined, options: StoreOptions) {
    try {
      const command = new GetObjectCommand({...this.at(key), ...(Range === undefined ? {} : {Range})});
      return (await this.client.send(command, abortBy(options.signal))).Body;
    } catch (error) {
      if (statusOf(error) === 416) return undefined;
      if (isMissing(error) || (await this.isHidden(key, error, options)))
        throw missingKey(key, this.url, error);
      throw this.failure('read', key, error, options);
    }
  }

  async has(key: string, options: StoreOptions = {}): Promise<boolean> {
    try {
      await this.client.send(new HeadObjectCommand(this.at(key)), abortBy(options.signal));
      return true;
    } catch (error) {
      if (statusOf(error) === 404 || (await this.isHidden(key, error, options))) return false;
      throw this.failure('read', key, error, options);
    }
  }

  async *list(prefix: string, options: StoreOptions = {}): AsyncGenerator<StoredFile> {
    let token: string | undefined;
    do {
      const command = new ListObjectsV2Command({
        Bucket: this.bucket,
        Prefix: `${this.prefix}${prefix}`,
        ...(token === undefined ? {} : {ContinuationToken: token}),
      });
      const page = await this.client.send(command, abortBy(options.signal)).catch((error: unknown) => {
        throw this.failure('listed', prefix, error, options);
      });
      for (const item of page.Contents ?? []) {
        // Consoles make empty objects that stand for folders.
        if (item.Key === undefined || !isKey(item.Key.slice(this.prefix.length))) continue;
        yield {
          key: item.Key.slice(this.prefix.length),
          size: item.Size ?? 0,
          modified: item.LastModified ?? new Date(0),
        };
      }
      const before = token;
      token = page.IsTruncated ? page.NextContinuationToken : undefined;
      // A part of a list must never be taken for the whole: what is not in it would count as not needed.
      if (page.IsTruncated && (token === undefined || token === before))
        throw new PraError(
          'STORE_FAILED',
          `${prefix || 'the repository'} could not be listed in ${this.url}`,
          {
            why: 'the store says that there is more, and not where it begins',
            next: ['use a store that answers ListObjectsV2'],
          },
        );
    } while (token !== undefined);
  }

  async delete(key: string, options: StoreOptions = {}): Promise<void> {
    try {
      await this.client.send(new DeleteObjectCommand(this.at(key)), abortBy(options.signal));
    } catch (error) {
      if (!isMissing(error)) throw this.failure('deleted', key, error, options);
    }
  }

  private at(key: string): Target {
    return {Bucket: this.bucket, Key: `${this.prefix}${checkKey(key)}`};
  }

  private async holds(key: string, body: Uint8Array, options: StoreOptions): Promise<boolean> {
    return Buffer.from(body).equals(await this.get(key, {signal: options.signal}));
  }

  /**
   * Whether a refusal means that there is no such key: AWS answers 403 and not 404 to whoever may list only a prefix, as
   * the policies of `pra repository policy` say.
   */
  private async isHidden(key: string, error: unknown, options: StoreOptions): Promise<boolean> {
    if (statusOf(error) !== 403) return false;
    const {Bucket, Key} = this.at(key);
    const command = new ListObjectsV2Command({Bucket, Prefix: Key, MaxKeys: 1});
    return this.client.send(command, abortBy(options.signal)).then(
      // The key itself sorts before all that begin with it.
      ({Contents}) => Contents?.[0]?.Key !== Key,
      () => false,
    );
  }

  /** Once for each store that is opened: the bucket is the same for all writes. */
  private async checkLock(
    key: string,
    target: Target,
    attributes: Attributes,
    options: StoreOptions,
  ): Promise<void> {
    if (this.lockSeen || attributes.ObjectLockMode === undefined) return;
    try {
      await checkRetention(this.client, target, attributes, {url: this.url, signal: options.signal});
    } catch (error) {
      throw this.failure('checked for its lock', key, error, options);
    }
    this.lockSeen = true;
  }

  private failure(what: string, key: string, error: unknown, options: StoreOptions): PraError {
    const about = `${key || 'the repository'} could not be ${what} in ${this.url}`;
    return storeFailure(error, {about, bucket: this.bucket, signal: options.signal});
  }
}
