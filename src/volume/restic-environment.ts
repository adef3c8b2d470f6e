import type {OpenStoreOptions} from '../repository/open.ts';
import type {Repository} from '../repository/repository.ts';
import {credentialSource} from '../repository/s3/credentials.ts';
import {endpointOf, regionOf} from '../repository/s3/endpoint.ts';

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
  const endpoint = endpointOf(store) ?? 'https://s3.amazonaws.com';
  // restic alone knows neither SSO nor assumed roles, nor variables of other names.
  const credentials = await credentialSource(store);
  return async () => {
    const {accessKeyId, secretAccessKey, sessionToken} = await credentials();
    return {
      ...password,
      RESTIC_REPOSITORY: `s3:${endpoint.replace(/\/$/, '')}/${url.slice('s3://'.length)}/volumes`,
      AWS_DEFAULT_REGION: regionOf(store),
      AWS_PROFILE: undefined,
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      AWS_SESSION_TOKEN: sessionToken,
    };
  };
}
