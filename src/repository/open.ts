import {isAbsolute, normalize} from 'node:path';
import {fileURLToPath} from 'node:url';
import {PraError} from '../errors.ts';
import type {Store} from './store.ts';

export interface OpenStoreOptions {
  /** S3 endpoint; AWS_ENDPOINT_URL_S3 or AWS itself by default. */
  endpoint?: string | undefined;
  region?: string | undefined;
  /** Bucket in the path; the default with an endpoint of one's own. */
  pathStyle?: boolean | undefined;
  profile?: string | undefined;
  /** Prefix of the variables that hold the credentials: `DR` for `DR_ACCESS_KEY_ID`. */
  credentialsEnv?: string | undefined;
  caFile?: string | undefined;
  /** Of packs and trees; what is small and read at every start stays in the class of the bucket. */
  storageClass?: string | undefined;
  /** Encryption by the server, beside that of pra. */
  sse?: {algorithm: 'AES256' | 'aws:kms'; kmsKeyId?: string | undefined} | undefined;
  /** Object Lock of everything but locks. */
  lock?: {mode: 'governance' | 'compliance'; days: number} | undefined;
  /** How long a server may be silent before a request to it is given up and tried again; 20 s by default. */
  silenceMs?: number | undefined;
  /** Larger objects are written in parts of this size; 64 MiB by default, 5 MiB at least. */
  partBytes?: number | undefined;
}

/**
 * Opens the store behind a URL: `file:///folder` or `s3://bucket/prefix`. It does not contact it.
 * @throws PraError USAGE for any other URL.
 */
export async function openStore(url: string, options: OpenStoreOptions = {}): Promise<Store> {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed?.protocol === 'file:' && parsed.host === '') {
    const dir = normalize(fileURLToPath(parsed)).replace(/\/$/, '');
    if (isAbsolute(dir) && dir !== '') {
      if (options.lock)
        throw new PraError('USAGE', `${url} is a folder, which has no Object Lock`, {
          next: ['use a bucket, or leave spec.repository.lock out'],
        });
      const {FileStore} = await import('./file.ts');
      return new FileStore(dir);
    }
  }
  const at = bucketOf(url);
  if (at) {
    // Loaded only when it is needed: the SDK costs more to load than most commands take.
    const {S3Store} = await import('./s3.ts');
    return new S3Store(at.bucket, at.prefix, options);
  }
  throw new PraError('USAGE', `${url} is not the URL of a repository`, {
    next: ['use file:///folder or s3://bucket/prefix'],
  });
}

/** The bucket and prefix of an `s3://` URL; undefined for any other. */
export function bucketOf(url: string): {bucket: string; prefix: string} | undefined {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed?.protocol !== 's3:' || parsed.hostname === '') return undefined;
  return {bucket: parsed.hostname, prefix: decodeURIComponent(parsed.pathname.slice(1)).replace(/\/$/, '')};
}
