import {createHash} from 'node:crypto';
import {
  type CreateMultipartUploadCommandInput,
  PutObjectCommand,
  type PutObjectCommandInput,
  type S3Client,
} from '@aws-sdk/client-s3';
import type {OpenStoreOptions} from '../open.ts';
import {uploadInParts} from './multipart.ts';

const DAY_MS = 86_400_000;
/** Above it, a request that is cut off costs too much to be made again. */
const MULTIPART_BYTES = 64 * 1024 * 1024;

export interface Target {
  Bucket: string;
  Key: string;
}

/** What is asked of the store for one object: class, encryption, retention. */
export type Attributes = Pick<
  PutObjectCommandInput & CreateMultipartUploadCommandInput,
  'StorageClass' | 'ServerSideEncryption' | 'SSEKMSKeyId' | 'ObjectLockMode' | 'ObjectLockRetainUntilDate'
>;

export function attributesOf(key: string, options: OpenStoreOptions, now = Date.now()): Attributes {
  const {storageClass, sse, lock} = options;
  const bulk = key.startsWith('packs/') || key.startsWith('trees/');
  return {
    ...(bulk && isClass(storageClass) ? {StorageClass: storageClass} : {}),
    ...(sse === undefined ? {} : {ServerSideEncryption: sse.algorithm}),
    ...(sse?.kmsKeyId === undefined ? {} : {SSEKMSKeyId: sse.kmsKeyId}),
    // A lock that cannot be given back would stop everybody until it ends.
    ...(lock === undefined || key.startsWith('locks/')
      ? {}
      : {
          ObjectLockMode: lock.mode === 'compliance' ? 'COMPLIANCE' : 'GOVERNANCE',
          ObjectLockRetainUntilDate: new Date(now + lock.days * DAY_MS),
        }),
  };
}

/** Stores have classes that the SDK does not know; it sends them as they are. */
const isClass = (name: string | undefined): name is NonNullable<PutObjectCommandInput['StorageClass']> =>
  name !== undefined;

/** Writes one object, in parts when it is large. It is there whole, or not at all. */
export async function writeObject(
  client: S3Client,
  target: Target,
  body: Uint8Array,
  options: {
    attributes: Attributes;
    ifAbsent: boolean;
    partBytes?: number | undefined;
    signal?: AbortSignal | undefined;
  },
): Promise<void> {
  const partBytes = options.partBytes ?? MULTIPART_BYTES;
  const condition = options.ifAbsent ? {IfNoneMatch: '*'} : {};
  if (body.length > partBytes) {
    const {attributes, signal} = options;
    await uploadInParts(client, {target, body, attributes, condition, partBytes, signal});
    return;
  }
  const command = new PutObjectCommand({
    ...target,
    ...options.attributes,
    ...condition,
    Body: body,
    ContentLength: body.length,
    ContentMD5: md5(body),
  });
  await client.send(command, abortBy(options.signal));
}

/** Buckets with Object Lock insist on it, and every store then notices what the network did to the bytes. */
export const md5 = (body: Uint8Array) => createHash('md5').update(body).digest('base64');

export const abortBy = (signal: AbortSignal | undefined) =>
  signal === undefined ? {} : {abortSignal: signal};
