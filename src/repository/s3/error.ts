import {messageOf, PraError, systemCodeOf} from '../../errors.ts';
import {throwIfStopped} from '../store.ts';

interface Failure {
  /** What was tried and did not come about: `packs/ab could not be written in s3://dr/shop`. */
  about: string;
  bucket: string;
  signal?: AbortSignal | undefined;
}

/** HTTP status of an answer of the store. What STS or SSO answered is not one. */
export function statusOf(error: unknown): number | undefined {
  if (credentialsFailure(error, '')) return undefined;
  const {httpStatusCode} = metadataOf(error);
  return typeof httpStatusCode === 'number' ? httpStatusCode : undefined;
}

/** How often the SDK had asked when it gave up. */
export const attemptsOf = (error: unknown): unknown => metadataOf(error).attempts;

export const nameOf = (error: unknown): string => (error instanceof Error ? error.name : '');

export const isMissing = (error: unknown) => statusOf(error) === 404 && nameOf(error) !== 'NoSuchBucket';

/** It says only that another request was under way, not that there is an object now. */
export const isRace = (error: unknown) =>
  statusOf(error) === 409 && ['ConditionalRequestConflict', 'OperationAborted'].includes(nameOf(error));

/** An error of the SDK as one that a user can act on. */
export function storeFailure(error: unknown, {about, bucket, signal}: Failure): PraError {
  if (error instanceof PraError) return error;
  throwIfStopped(signal, about);
  const credentials = credentialsFailure(error, about);
  if (credentials) return credentials;
  const name = nameOf(error);
  const status = statusOf(error);
  const known = KNOWN.find(({names}) => names.includes(name));
  if (known) return known.make(about, bucket, error);
  if (/object ?lock ?configuration/i.test(messageOf(error))) return withoutLock(about, bucket, error);
  if (status === 401 || status === 403)
    return new PraError('STORE_DENIED', `${about}: the store refused it (${name})`, {
      next: ['check the credentials and the policy of the bucket'],
      cause: error,
    });
  if (status === undefined) return unreachable(error, about);
  return new PraError('STORE_FAILED', `${about}: the store answered ${status} ${name}`, {
    next: ['run it again; if it stays so, look into the log of the store'],
    cause: error,
  });
}

function unreachable(cause: unknown, about: string): PraError {
  const why = systemCodeOf(cause) || messageOf(cause);
  if (/CERT|SIGNATURE/.test(why))
    return new PraError('STORE_UNREACHABLE', `${about}: the certificate of the store is not trusted`, {
      why,
      next: ['name the authority that signed it in spec.repository.caFile'],
      cause,
    });
  return new PraError('STORE_UNREACHABLE', `${about}: the store does not answer`, {
    why,
    next: ['check spec.repository.endpoint and the network'],
    cause,
  });
}

/** Errors whose name says more than their status does. */
const KNOWN: {names: string[]; make(about: string, bucket: string, cause: unknown): PraError}[] = [
  {
    names: ['NoSuchBucket'],
    make: (about, bucket, cause) =>
      new PraError('REPOSITORY_ABSENT', `${about}: there is no bucket ${bucket}`, {
        next: ['make the bucket, or mend spec.repository.url'],
        cause,
      }),
  },
  {
    names: ['ExpiredToken', 'ExpiredTokenException', 'TokenRefreshRequired', 'InvalidToken'],
    make: (about, _bucket, cause) =>
      new PraError('STORE_DENIED', `${about}: the session token is no longer valid`, {
        next: ['get new credentials, or name a source that renews them: a profile, a role, web identity'],
        cause,
      }),
  },
  {
    names: ['InvalidStorageClass'],
    make: (about, _bucket, cause) =>
      new PraError('STORE_FAILED', `${about}: the store does not have this storage class`, {
        next: ['mend spec.repository.storageClass'],
        cause,
      }),
  },
  {
    names: ['PermanentRedirect', 'AuthorizationHeaderMalformed', 'IllegalLocationConstraintException'],
    make: (about, bucket, cause) =>
      new PraError('STORE_FAILED', `${about}: the bucket ${bucket} is in another region`, {
        next: ['set spec.repository.region'],
        cause,
      }),
  },
  {
    names: ['InvalidBucketObjectLockConfiguration', 'ObjectLockConfigurationNotFoundError'],
    make: (about, bucket, cause) => withoutLock(about, bucket, cause),
  },
];

const withoutLock = (about: string, bucket: string, cause: unknown) =>
  new PraError('STORE_FAILED', `${about}: the bucket ${bucket} does not have Object Lock`, {
    next: ['make a bucket with Object Lock, or leave spec.repository.lock out'],
    cause,
  });

/** Names of errors of where credentials come from, in the SDK: the chain, and tokens of SSO. */
const SOURCES = ['CredentialsProviderError', 'TokenProviderError'];

/** An error of getting credentials; undefined for any other. */
export function credentialsFailure(error: unknown, about: string): PraError | undefined {
  if (error instanceof PraError && error.code === 'STORE_CREDENTIALS_MISSING') return error;
  const name = nameOf(error);
  if (!SOURCES.includes(name) && !isOfTokenService(error)) return undefined;
  const message = messageOf(error).split('\n')[0] ?? '';
  const login = /sso|login/i.test(message);
  return new PraError('STORE_CREDENTIALS_MISSING', `${about}: no credentials`, {
    // What a credential_process printed is not shown: nobody knows what it is.
    why: message.startsWith('Command failed') ? 'the credential_process of the profile failed' : message,
    next: [
      ...(login ? ['aws sso login --profile PROFILE'] : []),
      'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or spec.repository.credentials.profile',
    ],
    cause: error,
  });
}

/** Errors of STS and SSO are named like those of S3; the class of their client tells them apart. */
function isOfTokenService(error: unknown): boolean {
  for (let proto: unknown = error; typeof proto === 'object' && proto !== null; ) {
    const {name} = proto.constructor;
    if (/^(STS|SSO|SSOOIDC|Signin)ServiceException$/.test(name)) return true;
    proto = Object.getPrototypeOf(proto);
  }
  return false;
}

function metadataOf(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error) || !('$metadata' in error)) return {};
  const metadata = error.$metadata;
  return typeof metadata === 'object' && metadata !== null ? {...metadata} : {};
}
