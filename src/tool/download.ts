import {createHash} from 'node:crypto';
import {createReadStream, createWriteStream} from 'node:fs';
import {chmod, mkdir, mkdtemp, rename, rm} from 'node:fs/promises';
import {basename, dirname, join} from 'node:path';
import {Readable} from 'node:stream';
import {pipeline} from 'node:stream/promises';
import {EnvHttpProxyAgent, fetch} from 'undici';
import {messageOf} from '../errors.ts';
import {runProcess} from '../std/process.ts';
import {withDeadline} from '../std/wait.ts';
import type {ToolRelease} from './catalogue.ts';
import type {ResolveOptions} from './resolve.ts';

const CONNECT_TIMEOUT_MS = 3000;
const CHECKSUM_TIMEOUT_MS = 15_000;
const DOWNLOAD_TIMEOUT_MS = 10 * 60_000;

/** Hosts that did not answer this process: eight programs must not each wait for the same firewall. */
const unreachable = new Set<string>();

/**
 * Downloads an official release and checks it against its published SHA-256.
 * @returns false when there is no way to it (no network, a firewall, no such release, PRA_OFFLINE): building is tried
 * next. A file with a wrong checksum is thrown away and counts as no way to it.
 */
export async function downloadTool(
  release: ToolRelease,
  out: string,
  options: ResolveOptions = {},
): Promise<boolean> {
  const url = forThisMachine(release.url);
  const {host} = new URL(url);
  if (process.env.PRA_OFFLINE || unreachable.has(host)) return false;
  await mkdir(dirname(out), {recursive: true, mode: 0o700});
  const work = await mkdtemp(`${out}.partial-`);
  const dispatcher = new EnvHttpProxyAgent({connect: {timeout: CONNECT_TIMEOUT_MS}});
  try {
    const wanted = await publishedChecksum(release, basename(url), dispatcher, options);
    options.onProgress?.(`downloading ${url}`);
    const response = await fetch(url, {
      dispatcher,
      signal: withDeadline(DOWNLOAD_TIMEOUT_MS, options.signal),
    });
    if (!response.ok || !response.body) throw new Error(`the answer was ${response.status}`);
    const file = join(work, 'release');
    await pipeline(Readable.fromWeb(response.body), createWriteStream(file));
    if ((await sha256Of(file)) !== wanted) throw new Error('its checksum is wrong, so it is not used');
    const program = release.member ? await unpack(file, work, forThisMachine(release.member)) : file;
    await chmod(program, 0o755);
    await rename(program, out);
    return true;
  } catch (error) {
    options.signal?.throwIfAborted();
    if (isNetworkError(error)) unreachable.add(host);
    options.onProgress?.(`${url} cannot be used: ${reasonOf(error)}`);
    return false;
  } finally {
    await rm(work, {recursive: true, force: true});
    await dispatcher.destroy();
  }
}

const forThisMachine = (text: string) =>
  text.replaceAll('{arch}', process.arch === 'arm64' ? 'arm64' : 'amd64');

async function publishedChecksum(
  release: ToolRelease,
  fileName: string,
  dispatcher: EnvHttpProxyAgent,
  {signal}: ResolveOptions,
): Promise<string> {
  const url = forThisMachine(release.sha256Url);
  const response = await fetch(url, {dispatcher, signal: withDeadline(CHECKSUM_TIMEOUT_MS, signal)});
  if (!response.ok) throw new Error(`the answer for its checksum was ${response.status}`);
  const lines = (await response.text()).trim().split('\n');
  const line = lines.length === 1 ? lines[0] : lines.find(text => text.trimEnd().endsWith(fileName));
  const checksum = /^[0-9a-f]{64}\b/.exec(line?.trim() ?? '')?.[0];
  if (!checksum) throw new Error('no checksum of it is published');
  return checksum;
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk);
  return hash.digest('hex');
}

async function unpack(archive: string, work: string, member: string): Promise<string> {
  await runProcess('tar', ['-xzf', archive, '-C', work, member], {timeoutMs: 60_000});
  return join(work, member);
}

/** fetch wraps what happened on the way; what the server answered is an error of ours. */
const isNetworkError = (error: unknown) => error instanceof TypeError || error instanceof DOMException;

const reasonOf = (error: unknown) =>
  error instanceof Error && error.cause !== undefined ? messageOf(error.cause) : messageOf(error);
