import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import {PraError} from '../../errors.ts';
import {mapPool} from '../../std/pool.ts';
import {type Attributes, abortBy, md5, type Target} from './write.ts';

const AT_ONCE = 4;
const CLEAN_UP_MS = 30_000;

export interface PartedUpload {
  target: Target;
  body: Uint8Array;
  attributes: Attributes;
  condition: {IfNoneMatch?: string};
  partBytes: number;
  signal?: AbortSignal | undefined;
}

/**
 * Uploads in parts. The condition is that of the last request, which makes an object of the parts. When something fails,
 * the parts are removed before the error is told, since a bucket keeps and bills them unseen.
 *
 * Not by `Upload` of @aws-sdk/lib-storage: stopped by a signal, it neither ends the requests that are under way nor waits
 * for the removal of the parts, and it cannot send a digest with each part.
 */
export async function uploadInParts(client: S3Client, upload: PartedUpload): Promise<void> {
  const {target, attributes, signal} = upload;
  const {UploadId} = await client.send(
    new CreateMultipartUploadCommand({...target, ...attributes}),
    abortBy(signal),
  );
  if (UploadId === undefined)
    throw new PraError('STORE_FAILED', `${target.Key} could not be written in parts: the store gave no id`);
  try {
    const parts = await sendParts(client, upload, UploadId);
    await client.send(
      new CompleteMultipartUploadCommand({
        ...target,
        ...upload.condition,
        UploadId,
        MultipartUpload: {Parts: parts},
      }),
      abortBy(signal),
    );
  } catch (error) {
    // A signal that stopped the upload must not stop this too; a store that is down must not hold it up for long.
    await client
      .send(new AbortMultipartUploadCommand({...target, UploadId}), abortBy(AbortSignal.timeout(CLEAN_UP_MS)))
      .catch(() => undefined);
    throw error;
  }
}

async function sendParts(client: S3Client, upload: PartedUpload, UploadId: string): Promise<CompletedPart[]> {
  const {target, body, partBytes, signal} = upload;
  const failed = new AbortController();
  const either = AbortSignal.any([failed.signal, ...(signal === undefined ? [] : [signal])]);
  const numbers = Array.from({length: Math.ceil(body.length / partBytes)}, (_, index) => index + 1);
  let cause: unknown;
  // All have ended when it does: a part that arrives after the removal would stay.
  return mapPool(numbers, AT_ONCE, async (PartNumber): Promise<CompletedPart> => {
    const Body = body.subarray((PartNumber - 1) * partBytes, PartNumber * partBytes);
    const part = {...target, UploadId, PartNumber, Body, ContentLength: Body.length, ContentMD5: md5(Body)};
    const {ETag} = await client.send(new UploadPartCommand(part), abortBy(either)).catch((error: unknown) => {
      cause ??= error;
      failed.abort();
      throw cause;
    });
    if (ETag !== undefined) return {PartNumber, ETag};
    throw new PraError('STORE_FAILED', `part ${PartNumber} of ${target.Key} was not confirmed`);
  });
}
