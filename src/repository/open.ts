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
  caFile?: string | undefined;
  /** How long a server may be silent before a request to it is given up and tried again; 20 s by default. */
  silenceMs?: number | undefined;
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
      const {FileStore} = await import('./file.ts');
      return new FileStore(dir);
    }
  }
  if (parsed?.protocol === 's3:' && parsed.hostname !== '') {
    // Loaded only when it is needed: the SDK costs more to load than most commands take.
    const {S3Store} = await import('./s3.ts');
    return new S3Store(parsed.hostname, decodeURIComponent(parsed.pathname.slice(1)), options);
  }
  throw new PraError('USAGE', `${url} is not the URL of a repository`, {
    next: ['use file:///folder or s3://bucket/prefix'],
  });
}
