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
import {PraError} from '../errors.ts';
import type {OpenStoreOptions} from './open.ts';
import {
  checkKey,
  conflictingKey,
  missingKey,
  type Store,
  type StoredFile,
  type StoreOptions,
} from './store.ts';

const MAX_ATTEMPTS = 5;

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
      ...(options.caFile === undefined
        ? {}
        : {requestHandler: {httpsAgent: new Agent({ca: readFileSync(options.caFile), keepAlive: true})}}),
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
    try {
      await this.client.send(command, abort(options));
    } catch (error) {
      const status = statusOf(error);
      if (options.ifAbsent && (status === 412 || status === 409)) throw conflictingKey(key, this.url, error);
      throw this.failure('written', key, error);
    }
  }

  async get(
    key: string,
    options: StoreOptions & {range?: {offset: number; length: number}} = {},
  ): Promise<Uint8Array> {
    const {range} = options;
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
      throw this.failure('read', key, error);
    }
  }

  async has(key: string, options: StoreOptions = {}): Promise<boolean> {
    try {
      await this.client.send(new HeadObjectCommand(this.at(key)), abort(options));
      return true;
    } catch (error) {
      if (statusOf(error) === 404) return false;
      throw this.failure('read', key, error);
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
        throw this.failure('listed', prefix, error);
      });
      for (const item of page.Contents ?? []) {
        if (item.Key === undefined) continue;
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
      if (!isMissing(error)) throw this.failure('deleted', key, error);
    }
  }

  private at(key: string): {Bucket: string; Key: string} {
    return {Bucket: this.bucket, Key: `${this.prefix}${checkKey(key)}`};
  }

  private failure(what: string, key: string, error: unknown): PraError {
    if (error instanceof PraError) return error;
    const about = `${key || 'the repository'} could not be ${what} in ${this.url}`;
    const name = error instanceof Error ? error.name : '';
    const status = statusOf(error);
    if (name === 'CredentialsProviderError') {
      return new PraError('STORE_CREDENTIALS_MISSING', `${about}: no credentials`, {
        next: ['set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or spec.repository.credentials.profile'],
        cause: error,
      });
    }
    if (name === 'AbortError') return new PraError('INTERRUPTED', `${about}: stopped`, {cause: error});
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
    return new PraError('STORE_FAILED', `${about}: the store answered ${status} ${name}`, {cause: error});
  }
}

const abort = (options: StoreOptions) => (options.signal === undefined ? {} : {abortSignal: options.signal});
const statusOf = (error: unknown) =>
  error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
const isMissing = (error: unknown) =>
  statusOf(error) === 404 && error instanceof Error && error.name !== 'NoSuchBucket';

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return code || (error instanceof Error ? error.message : String(error));
}
