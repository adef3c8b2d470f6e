import {GetObjectRetentionCommand, type S3Client} from '@aws-sdk/client-s3';
import {PraError} from '../../errors.ts';
import {type Attributes, abortBy, type Target} from './write.ts';

/** Stores round times to seconds, some to less. */
const ROUNDING_MS = 60_000;

/**
 * Reads the retention of an object back that was written with one: a store that does not know Object Lock takes the headers
 * and forgets them, and the backups would be as easy to delete as before.
 * @throws PraError STORE_FAILED when the object is not locked as it was asked for
 */
export async function checkRetention(
  client: S3Client,
  target: Target,
  asked: Attributes,
  options: {url: string; signal?: AbortSignal | undefined},
): Promise<void> {
  const {Retention} = await client
    .send(new GetObjectRetentionCommand(target), abortBy(options.signal))
    .catch((error: unknown) => {
      const name = error instanceof Error ? error.name : '';
      if (!['NoSuchObjectLockConfiguration', 'InvalidRequest', 'NotImplemented'].includes(name)) throw error;
      return {Retention: undefined};
    });
  const until = Retention?.RetainUntilDate?.getTime() ?? 0;
  const wanted = asked.ObjectLockRetainUntilDate?.getTime() ?? 0;
  if (Retention?.Mode === asked.ObjectLockMode && until >= wanted - ROUNDING_MS) return;
  const found =
    Retention?.Mode === undefined
      ? 'no lock at all'
      : `${Retention.Mode} until ${new Date(until).toISOString()}`;
  throw new PraError(
    'STORE_FAILED',
    `${target.Key} in ${options.url} was not locked as spec.repository.lock says`,
    {
      why: `it has ${found}`,
      next: ['use a bucket with Object Lock, or leave spec.repository.lock out'],
    },
  );
}
