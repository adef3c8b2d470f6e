import {type ChildProcess, spawn} from 'node:child_process';
import {createHash} from 'node:crypto';
import {PassThrough, type Readable, Transform} from 'node:stream';
import {pipeline} from 'node:stream/promises';
import {z} from 'zod';
import {messageOf, PraError} from '../errors.ts';
import type {OpenStoreOptions} from '../repository/open.ts';
import type {Repository} from '../repository/repository.ts';
import {type ProcessResult, runProcess} from '../std/process.ts';
import {resolveTool} from '../tool/resolve.ts';

const STDERR_BYTES = 16 * 1024;
const QUICK_TIMEOUT_MS = 120_000;

const summarySchema = z.object({message_type: z.literal('summary'), snapshot_id: z.string()});

export interface SavedStream {
  snapshotId: string;
  bytes: number;
  sha256: string;
}

/** restic, which keeps the bytes of volumes: deduplicated, compressed, encrypted, in `<repository>/volumes`. */
export interface Restic {
  /** Saves a stream as one file. When the stream fails, nothing is saved. @throws PraError RESTIC_FAILED */
  backup(
    stream: Readable,
    options: {filename: string; tags: readonly string[]; signal: AbortSignal},
  ): Promise<SavedStream>;
  /** Reads one file back; `done` rejects when it did not come whole. */
  restore(options: {snapshotId: string; filename: string; signal: AbortSignal}): {
    stream: Readable;
    done: Promise<{bytes: number; sha256: string}>;
  };
}

/** Opens the restic repository that belongs to a repository of pra, and makes it where there is none. */
export async function openRestic(options: {
  repository: Repository;
  store?: OpenStoreOptions | undefined;
  signal: AbortSignal;
}): Promise<Restic> {
  const {path} = await resolveTool('restic', {signal: options.signal});
  const env = environment(options.repository, options.store ?? {});
  const args = ['--no-cache', ...(options.store?.caFile ? ['--cacert', options.store.caFile] : [])];
  const quick = (more: string[], okCodes: number[] = []): Promise<ProcessResult> =>
    runProcess(path, [...args, ...more], {
      env,
      timeoutMs: QUICK_TIMEOUT_MS,
      signal: options.signal,
      okCodes,
    }).catch((error: unknown) => {
      throw new PraError('RESTIC_FAILED', `restic ${more[0]} failed`, {
        why: error instanceof PraError ? error.why : messageOf(error),
        cause: error,
      });
    });
  const there = await quick(['cat', 'config', '--quiet'], [1, 10]);
  if (there.exitCode !== 0) {
    if (/wrong password/i.test(there.stderr))
      throw new PraError('REPOSITORY_WRONG_KEY', 'the volumes were saved with another key', {
        why: there.stderr.trim(),
      });
    await quick(['init']);
  }
  return {
    backup: (stream, request) => backup({path, args, env}, stream, request),
    restore: request => restore({path, args, env}, request),
  };
}

interface Program {
  path: string;
  args: readonly string[];
  env: Record<string, string>;
}

async function backup(
  program: Program,
  stream: Readable,
  options: {filename: string; tags: readonly string[]; signal: AbortSignal},
): Promise<SavedStream> {
  const tags = options.tags.flatMap(tag => ['--tag', tag]);
  const args = [
    ...program.args,
    'backup',
    '--json',
    '--host',
    'pra',
    '--stdin',
    '--stdin-filename',
    options.filename,
    ...tags,
  ];
  const child = spawn(program.path, args, {
    env: {...process.env, ...program.env},
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const ended = endOf(child);
  const printed = collect(child.stdout);
  const errors = collect(child.stderr);
  const meter = new Meter();
  try {
    // Without `end`: restic takes the end of its input for the end of the data, so it may see it only when all went well.
    await pipeline(stream, meter, child.stdin, {end: false, signal: options.signal});
  } catch (error) {
    // restic saves a snapshot when its input ends, so it must be gone before that.
    child.kill('SIGKILL');
    await ended;
    if (error instanceof PraError) throw error;
    options.signal.throwIfAborted();
    const told = errors().trim();
    throw new PraError('RESTIC_FAILED', 'the data could not be saved', {
      why: told || messageOf(error),
      cause: error,
    });
  }
  child.stdin.end();
  const exitCode = await ended;
  if (exitCode !== 0)
    throw new PraError('RESTIC_FAILED', `restic backup failed with exit code ${exitCode}`, {
      why: errors().trim(),
    });
  return {snapshotId: snapshotIdOf(printed()), ...meter.result()};
}

function restore(
  program: Program,
  options: {snapshotId: string; filename: string; signal: AbortSignal},
): {stream: Readable; done: Promise<{bytes: number; sha256: string}>} {
  const args = [...program.args, 'dump', options.snapshotId, `/${options.filename}`];
  const child = spawn(program.path, args, {
    env: {...process.env, ...program.env},
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = endOf(child);
  const errors = collect(child.stderr);
  const meter = new Meter();
  const stream = new PassThrough();
  const flow = async () => {
    try {
      // The reader must not see an end before restic has said that it was one.
      await pipeline(child.stdout, meter, stream, {end: false, signal: options.signal});
      const exitCode = await ended;
      if (exitCode !== 0)
        throw new PraError('RESTIC_FAILED', `restic dump failed with exit code ${exitCode}`, {
          why: errors().trim(),
        });
      stream.end();
      return meter.result();
    } catch (error) {
      child.kill('SIGKILL');
      stream.destroy(error instanceof Error ? error : new Error(messageOf(error)));
      throw error;
    }
  };
  const done = flow();
  done.catch(() => undefined); // the caller awaits it after the stream
  return {stream, done};
}

/** Counts and hashes what goes through. */
class Meter extends Transform {
  private bytes = 0;
  private readonly hash = createHash('sha256');

  override _transform(
    chunk: Buffer,
    _encoding: BufferEncoding,
    done: (error: null, chunk: Buffer) => void,
  ): void {
    this.bytes += chunk.length;
    this.hash.update(chunk);
    done(null, chunk);
  }

  result(): {bytes: number; sha256: string} {
    return {bytes: this.bytes, sha256: this.hash.copy().digest('hex')};
  }
}

function endOf(child: ChildProcess): Promise<number> {
  const {promise, resolve} = Promise.withResolvers<number>();
  child.once('error', () => resolve(-1));
  child.once('close', code => resolve(code ?? -1));
  return promise;
}

/** The last part of what a stream says. */
function collect(stream: Readable): () => string {
  let text = '';
  stream.on('data', (chunk: Buffer) => {
    text = (text + chunk.toString('utf8')).slice(-STDERR_BYTES);
  });
  return () => text;
}

function snapshotIdOf(output: string): string {
  const lines = output.trim().split('\n').reverse();
  for (const line of lines) {
    const parsed = summarySchema.safeParse(JSON.parse(line));
    if (parsed.success) return parsed.data.snapshot_id;
  }
  throw new PraError('RESTIC_FAILED', 'restic did not say what it saved');
}

/** The password goes by the environment of the child alone: arguments can be read by every process of the machine. */
function environment(repository: Repository, store: OpenStoreOptions): Record<string, string> {
  const {url} = repository.store;
  const password = {RESTIC_PASSWORD: repository.volumePassword(), RESTIC_PROGRESS_FPS: '1'};
  if (url.startsWith('file://'))
    return {...password, RESTIC_REPOSITORY: `${url.slice('file://'.length)}/volumes`};
  const endpoint =
    store.endpoint ??
    process.env.AWS_ENDPOINT_URL_S3 ??
    process.env.AWS_ENDPOINT_URL ??
    'https://s3.amazonaws.com';
  return {
    ...password,
    RESTIC_REPOSITORY: `s3:${endpoint.replace(/\/$/, '')}/${url.slice('s3://'.length)}/volumes`,
    ...(store.region === undefined ? {} : {AWS_DEFAULT_REGION: store.region}),
    ...(store.profile === undefined ? {} : {AWS_PROFILE: store.profile}),
  };
}
