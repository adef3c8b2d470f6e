import {PraError} from '../../errors.ts';
import type {OpenStoreOptions} from '../open.ts';
import {credentialsFailure} from './error.ts';

export interface StoreCredentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
  /** When they end; whoever asks again gets new ones in time. */
  expiration?: Date;
}

/**
 * Credentials of variables with names of the user's own. They are read at every request for them.
 * @throws PraError STORE_CREDENTIALS_MISSING that names the variable
 */
export const variableCredentials = (prefix: string) => async (): Promise<StoreCredentials> => {
  const start = prefix.replace(/_$/, '');
  const required = (name: string): string => {
    const value = process.env[`${start}_${name}`];
    if (value) return value;
    throw new PraError('STORE_CREDENTIALS_MISSING', `the variable ${start}_${name} is not set`, {
      why: `spec.repository.credentials.env is ${prefix}`,
      next: [`set ${start}_ACCESS_KEY_ID and ${start}_SECRET_ACCESS_KEY`],
    });
  };
  const sessionToken = process.env[`${start}_SESSION_TOKEN`];
  return {
    accessKeyId: required('ACCESS_KEY_ID'),
    secretAccessKey: required('SECRET_ACCESS_KEY'),
    ...(sessionToken ? {sessionToken} : {}),
  };
};

/**
 * The source of credentials that the store itself uses: variables, profile, web identity, SSO, an assumed role, the
 * metadata of the machine. For programs that do not know all of them. It renews what is about to end.
 */
export async function credentialSource(options: OpenStoreOptions): Promise<() => Promise<StoreCredentials>> {
  const {createClient} = await import('./client.ts');
  const {config} = createClient(options);
  return async () => {
    try {
      return await config.credentials();
    } catch (error) {
      throw credentialsFailure(error, 'the object store cannot be used') ?? error;
    }
  };
}
