import type {OpenStoreOptions} from '../repository/open.ts';
import type {Repository} from '../repository/repository.ts';
import {credentialSource, type StoreCredentials} from '../repository/s3/credentials.ts';
import {endpointOf, regionOf} from '../repository/s3/endpoint.ts';
import {serveCredentials} from './credential-server.ts';

export type Environment = Record<string, string | undefined>;

/**
 * What restic needs to know, by its environment alone: arguments can be read by every process of the machine. Ask for it
 * anew for every start of restic, because credentials end.
 */
export async function resticEnvironment(
  repository: Repository,
  store: OpenStoreOptions,
): Promise<() => Promise<Environment>> {
  const {url} = repository.store;
  const password = {RESTIC_PASSWORD: repository.volumePassword(), RESTIC_PROGRESS_FPS: '1'};
  if (url.startsWith('file://')) {
    const env = {...password, RESTIC_REPOSITORY: `${url.slice('file://'.length)}/volumes`};
    return async () => env;
  }
  // restic alone knows neither SSO nor assumed roles, nor variables of other names.
  const credentials = await credentialSource(store);
  const {expiration} = await credentials();
  const server = expiration === undefined ? undefined : await serveCredentials(credentials);
  return async () => ({
    ...password,
    ...placeOf(repository, store),
    ...NO_OTHER_SOURCE,
    ...(server ? fromServer(server) : fromVariables(await credentials())),
  });
}

/** What restic elsewhere, with no other source of credentials, needs to know of a bucket. */
export function s3Environment(
  repository: Repository,
  store: OpenStoreOptions,
  credentials: StoreCredentials,
): Record<string, string> {
  const {sessionToken} = credentials;
  return {
    ...placeOf(repository, store),
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    ...(sessionToken === undefined ? {} : {AWS_SESSION_TOKEN: sessionToken}),
  };
}

function placeOf(repository: Repository, store: OpenStoreOptions): Record<string, string> {
  const endpoint = endpointOf(store) ?? 'https://s3.amazonaws.com';
  const path = repository.store.url.slice('s3://'.length);
  return {
    RESTIC_REPOSITORY: `s3:${endpoint.replace(/\/$/, '')}/${path}/volumes`,
    AWS_DEFAULT_REGION: regionOf(store),
  };
}

/** Sources of credentials of the user's that restic would take before, or instead of, those that it is given. */
const NO_OTHER_SOURCE: Environment = {
  AWS_PROFILE: undefined,
  AWS_ACCESS_KEY_ID: undefined,
  AWS_SECRET_ACCESS_KEY: undefined,
  AWS_SESSION_TOKEN: undefined,
  AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
  AWS_WEB_IDENTITY_TOKEN_FILE: undefined,
  AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: undefined,
};

const fromVariables = (credentials: StoreCredentials): Environment => ({
  AWS_ACCESS_KEY_ID: credentials.accessKeyId,
  AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  AWS_SESSION_TOKEN: credentials.sessionToken,
});

const fromServer = ({url, token}: {url: string; token: string}): Environment => ({
  AWS_CONTAINER_CREDENTIALS_FULL_URI: url,
  AWS_CONTAINER_AUTHORIZATION_TOKEN: token,
});
