import {readFileSync} from 'node:fs';
import {Agent} from 'node:https';
import {S3Client} from '@aws-sdk/client-s3';
import {messageOf, PraError} from '../../errors.ts';
import type {OpenStoreOptions} from '../open.ts';
import {variableCredentials} from './credentials.ts';
import {endpointOf, regionOf} from './endpoint.ts';

export const MAX_ATTEMPTS = 5;
const SILENCE_MS = 20_000;
const CONNECT_MS = 10_000;

/**
 * A client of the SDK. Its standard retries wait with full jitter, between nothing and an exponential bound, and give up
 * when too many requests of a process fail, so that a store in trouble is not asked by all at once.
 * @throws PraError USAGE when the CA file cannot be read.
 */
export function createClient(options: OpenStoreOptions): S3Client {
  const endpoint = endpointOf(options);
  const {profile, credentialsEnv, caFile} = options;
  return new S3Client({
    maxAttempts: MAX_ATTEMPTS,
    retryMode: 'standard',
    region: regionOf(options),
    forcePathStyle: options.pathStyle ?? endpoint !== undefined,
    ...(endpoint === undefined ? {} : {endpoint}),
    ...(profile === undefined ? {} : {profile}),
    ...(credentialsEnv === undefined ? {} : {credentials: variableCredentials(credentialsEnv)}),
    // Without them a server that accepts a connection and then says nothing is waited for without end.
    requestHandler: {
      connectionTimeout: CONNECT_MS,
      socketTimeout: options.silenceMs ?? SILENCE_MS,
      ...(caFile === undefined ? {} : {httpsAgent: trusting(caFile)}),
    },
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
}

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
