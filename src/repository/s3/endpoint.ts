import type {OpenStoreOptions} from '../open.ts';

/** The endpoint that all of pra and restic use; undefined is AWS itself. */
export const endpointOf = (options: OpenStoreOptions): string | undefined =>
  options.endpoint ?? process.env.AWS_ENDPOINT_URL_S3 ?? process.env.AWS_ENDPOINT_URL;

export const regionOf = (options: OpenStoreOptions): string =>
  options.region ?? process.env.AWS_REGION ?? process.env.AWS_DEFAULT_REGION ?? 'us-east-1';

/** Whether it is AWS that answers there: only AWS knows all condition keys of policies. */
export function isAws(options: OpenStoreOptions): boolean {
  const endpoint = endpointOf(options);
  if (endpoint === undefined) return true;
  return URL.canParse(endpoint) && /(^|\.)amazonaws\.com(\.cn)?$/.test(new URL(endpoint).hostname);
}
