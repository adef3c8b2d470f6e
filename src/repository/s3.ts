import {readFileSync} from 'node:fs';
import {Agent} from 'node:https';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import {messageOf, PraError, systemCodeOf} from '../errors.ts';
import {sleep} from '../std/wait.ts';
import type {OpenStoreOptions} from './open.ts';
import {
  checkKey,
  conflictingKey,
  missingKey,
  type Store,
  type StoredFile,
  type StoreOptions,
  throwIfStopped,
} from './store.ts';

const MAX_ATTEMPTS = 5;
const SILENCE_MS = 20_000;
const CONNECT_MS = 10_000;

/** A repository in a bucket. Write-once keys are kept by the server, with `If-None-Match`. */
export class S3Store implements Store {
  readonly url: string;
  private readonly client: S3Client;
  private readonly bucket: string;
  private readonly prefix: string;

  constructor(bucket: string, prefix: string, options: OpenStoreOptions) {
    this.bucket = bucket;
    this.prefix = prefix === '' ? '' : `${prefix.replace(/\/$/, '')}/`;
    this.url = `s3://${bucket}/${prefix}`.replace(/\/$/, '');
    const endpoint = options.endpoint ?? process.env.AWS_ENDPOINT_URL_S3 ?? process.env.AWS_ENDPOINT_URL;
    this.client = new S3Client({
      maxAttempts: MAX_ATTEMPTS,
      region: options.region ?? process.env.AWS_REGION ?? process.env.AWS_DEFAULT_REGION ?? 'us-east-1',
      forcePathStyle: options.pathStyle ?? endpoint !== undefined,
      ...(endpoint === undefined ? {} : {endpoint}),
      ...(options.profile === undefined ? {} : {profile: options.profile}),
      // Without them a server that accepts a connection and then says nothing is waited for without end.
      requestHandler: {
        connectionTimeout: CONNECT_MS,
        socketTimeout: options.silenceMs ?? SILENCE_MS,
        ...(options.caFile === undefined ? {} : {httpsAgent: trusting(options.caFile)}),
      },
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
    });
  }

  async put(key: string, body: Uint8Array, options: StoreOptions & {ifAbsent?: boolean} = {}): Promise<void> {
    const command = new PutObjectCommand({
      ...this.at(key),
      Body: body,
      ContentLength: body.length,
      ...(options.ifAbsent ? {IfNoneMatch: '*'} : {}),
    });
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.client.send(command, abort(options));
        return;
      } catch (error) {
        // It says only that another request was under way, not that there is an object now.
        if (isRace(error) && attempt < MAX_ATTEMPTS) {
          await sleep(50 * 2 ** attempt, options.signal).catch(() => undefined);
          continue;
        }
        if (!options.ifAbsent || statusOf(error) !== 412) throw this.failure('written', key, error, options);
        // The answer to the first attempt may have been lost, and then the object that is in the way is this one.
        const again = attempt > 1 || (error instanceof S3ServiceException && error.$metadata.attempts !== 1);
        if (again && Buffer.from(body).equals(await this.get(key, options))) return;
        throw conflictingKey(key, this.url, error);
      }
    }
  }

  async get(
    key: string,
    options: StoreOptions & {range?: {offset: number; length: number}} = {},
  ): Promise<Uint8Array> {
    const {range} = options;
    if (range?.length === 0 && (await this.has(key, options))) return new Uint8Array();
    const Range = range && `bytes=${range.offset}-${range.offset + range.length - 1}`;
    try {
      const answer = await this.client.send(
        new GetObjectCommand({...this.at(key), ...(Range === undefined ? {} : {Range})}),
        abort(options),
      );
      return (await answer.Body?.transformToByteArray()) ?? new Uint8Array();
    } catch (error) {
      if (statusOf(error) === 416) return new Uint8Array();
      if (isMissing(error)) throw missingKey(key, this.url, error);
      throw this.failure('read', key, error, options);
    }
  }

  async has(key: string, options: StoreOptions = {}): Promise<boolean> {
    try {
      await this.client.send(new HeadObjectCommand(this.at(key)), abort(options));
      return true;
    } catch (error) {
      if (statusOf(error) === 404) return false;
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
      const page = await this.client.send(command, abort(options)).catch((error: unknown) => {
        throw this.failure('listed', prefix, error, options);
      });
      for (const item of page.Contents ?? []) {
        // Consoles make empty objects that stand for folders.
        if (item.Key === undefined || item.Key.endsWith('/')) continue;
        yield {
          key: item.Key.slice(this.prefix.length),
          size: item.Size ?? 0,
          modified: item.LastModified ?? new Date(0),
        };
      }
      token = page.IsTruncated ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  async delete(key: string, options: StoreOptions = {}): Promise<void> {
    try {
      await this.client.send(new DeleteObjectCommand(this.at(key)), abort(options));
    } catch (error) {
      if (!isMissing(error)) throw this.failure('deleted', key, error, options);
    }
  }

  private at(key: string): {Bucket: string; Key: string} {
    return {Bucket: this.bucket, Key: `${this.prefix}${checkKey(key)}`};
  }

  private failure(what: string, key: string, error: unknown, options: StoreOptions): PraError {
    if (error instanceof PraError) return error;
    const about = `${key || 'the repository'} could not be ${what} in ${this.url}`;
    const name = error instanceof Error ? error.name : '';
    const status = statusOf(error);
    throwIfStopped(options.signal, about);
    if (name === 'CredentialsProviderError') {
      return new PraError('STORE_CREDENTIALS_MISSING', `${about}: no credentials`, {
        next: ['set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or spec.repository.credentials.profile'],
        cause: error,
      });
    }
    if (name === 'NoSuchBucket')
      return new PraError('REPOSITORY_ABSENT', `${about}: there is no bucket ${this.bucket}`, {
        next: ['make the bucket, or mend spec.repository.url'],
        cause: error,
      });
    if (status === 401 || status === 403)
      return new PraError('STORE_DENIED', `${about}: the store refused it (${name})`, {
        next: ['check the credentials and the policy of the bucket'],
        cause: error,
      });
    if (status === undefined)
      return new PraError('STORE_UNREACHABLE', `${about}: the store does not answer`, {
        why: reasonOf(error),
        next: ['check spec.repository.endpoint and the network'],
        cause: error,
      });
    return new PraError('STORE_FAILED', `${about}: the store answered ${status} ${name}`, {
      next: ['run it again; if it stays so, look into the log of the store'],
      cause: error,
    });
  }
}

const abort = (options: StoreOptions) => (options.signal === undefined ? {} : {abortSignal: options.signal});
const statusOf = (error: unknown) =>
  error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
const isMissing = (error: unknown) =>
  statusOf(error) === 404 && error instanceof Error && error.name !== 'NoSuchBucket';

const isRace = (error: unknown) =>
  statusOf(error) === 409 &&
  error instanceof Error &&
  ['ConditionalRequestConflict', 'OperationAborted'].includes(error.name);

function trusting(caFile: string): Agent {
  try {
    return new Agent({ca: readFileSync(caFile), keepAlive: true});
  } catch (error) {
    throw new PraError('USAGE', `the certificates in ${caFile} cannot be read`, {
      why: messageOf(error),
      next: ['mend spec.repository.caFile'],
      cause: error,
    });
  }
}

function reasonOf(error: unknown): string {
  return systemCodeOf(error) || messageOf(error);
}
