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
import {sleep} from '../../std/wait.ts';
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
    await removeParts(client, {...target, UploadId});
    throw error;
  }
}

/**
 * Removes an upload, and asks again until the store knows it no more: a part whose request was cut off may still be on its
 * way to the disk and arrive after the first removal.
 * See https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html
 *
 * The signal that stopped the upload does not stop this too; a store that is down does not hold it up for long.
 */
async function removeParts(client: S3Client, upload: Target & {UploadId: string}): Promise<void> {
  const deadline = AbortSignal.timeout(CLEAN_UP_MS);
  for (const pause of [0, 250, 500, 1000, 2000]) {
    await sleep(pause);
    const gone = await client.send(new AbortMultipartUploadCommand(upload), abortBy(deadline)).then(
      () => false,
      () => true,
    );
    if (gone) return;
  }
}

async function sendParts(client: S3Client, upload: PartedUpload, UploadId: string): Promise<CompletedPart[]> {
  const {target, body, partBytes, signal} = upload;
  const numbers = Array.from({length: Math.ceil(body.length / partBytes)}, (_, index) => index + 1);
  // When one fails, those under way are let end, not cut off: what the store has half of arrives after the removal.
  return mapPool(numbers, AT_ONCE, async (PartNumber): Promise<CompletedPart> => {
    const Body = body.subarray((PartNumber - 1) * partBytes, PartNumber * partBytes);
    const part = {...target, UploadId, PartNumber, Body, ContentLength: Body.length, ContentMD5: md5(Body)};
    const {ETag} = await client.send(new UploadPartCommand(part), abortBy(signal));
    if (ETag !== undefined) return {PartNumber, ETag};
    throw new PraError('STORE_FAILED', `part ${PartNumber} of ${target.Key} was not confirmed`);
  });
}
