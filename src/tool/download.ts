import {createHash} from 'node:crypto';
import {chmod, mkdir, rename, writeFile} from 'node:fs/promises';
import {dirname} from 'node:path';
import {Agent, fetch} from 'undici';
import {withDeadline} from '../std/wait.ts';
import type {ResolveOptions} from './resolve.ts';

const CONNECT_TIMEOUT_MS = 3000;
const DOWNLOAD_TIMEOUT_MS = 5 * 60_000;

/**
 * Downloads an official release and checks it against its published SHA-256.
 * @returns false when there is no way to it (no network, a firewall, PRA_OFFLINE): building is tried next. A file with a
 * wrong checksum is thrown away and counts as no way to it.
 */
export async function downloadTool(
  release: {url: string; sha256Url: string},
  out: string,
  options: ResolveOptions,
): Promise<boolean> {
  if (process.env.PRA_OFFLINE) return false;
  const arch = process.arch === 'arm64' ? 'arm64' : 'amd64';
  const dispatcher = new Agent({connect: {timeout: CONNECT_TIMEOUT_MS}});
  const get = async (url: string) => {
    const response = await fetch(url.replace('{arch}', arch), {
      dispatcher,
      signal: withDeadline(DOWNLOAD_TIMEOUT_MS, options.signal),
    });
    if (!response.ok) throw new Error(`${response.status}`);
    return response;
  };
  try {
    const wanted = (await (await get(release.sha256Url)).text()).trim().split(/\s/, 1)[0];
    options.onProgress?.(`downloading ${release.url.replace('{arch}', arch)}`);
    const body = new Uint8Array(await (await get(release.url)).arrayBuffer());
    if (createHash('sha256').update(body).digest('hex') !== wanted) {
      options.onProgress?.(`${release.url} has a wrong checksum and is not used`);
      return false;
    }
    const partial = `${out}.partial-${process.pid}`;
    await mkdir(dirname(out), {recursive: true, mode: 0o700});
    await writeFile(partial, body);
    await chmod(partial, 0o755);
    await rename(partial, out);
    return true;
  } catch {
    options.signal?.throwIfAborted();
    return false;
  } finally {
    await dispatcher.close();
  }
}
