import {type ChildProcess, spawn} from 'node:child_process';
import {createHash} from 'node:crypto';
import {createInterface} from 'node:readline/promises';
import {PassThrough, type Readable, Transform} from 'node:stream';
import {pipeline} from 'node:stream/promises';
import {z} from 'zod';
import {asError, messageOf, PraError} from '../errors.ts';
import type {OpenStoreOptions} from '../repository/open.ts';
import type {Repository} from '../repository/repository.ts';
import type {Store} from '../repository/store.ts';
import {type ProcessResult, runProcess} from '../std/process.ts';
import {resolveTool} from '../tool/resolve.ts';
import {initOnce} from './init-once.ts';
import {type Environment, resticEnvironment} from './restic-environment.ts';
import {CONFIG, watchStall} from './stall.ts';

const STDERR_BYTES = 16 * 1024;
const QUICK_TIMEOUT_MS = 120_000;
const STALL_MS = 120_000;

/** What restic says of a lock that it may not write, at its first attempt and at its last. */
const LOCK_REFUSED = /<lock\/\w+>\)[^\n]*denied|unable to create lock[\s\S]*denied/i;

const summarySchema = z.object({message_type: z.literal('summary'), snapshot_id: z.string()});

export interface SavedStream {
  snapshotId: string;
  bytes: number;
  sha256: string;
}

/** restic, which keeps the bytes of volumes: deduplicated, compressed, encrypted, in `<repository>/volumes`. */
export interface Restic {
  readonly repository: Repository;
  readonly store: OpenStoreOptions;
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
  /** Copies a snapshot out of another repository. @returns the id that it has in this one. @throws PraError RESTIC_FAILED */
  copyFrom(url: string, options: {password: string; snapshotId: string}): Promise<string>;
  /** Everything in a snapshot, in the order of a walk, one by one. @throws PraError RESTIC_FAILED */
  walk(snapshotId: string, signal: AbortSignal): AsyncIterable<StoredNode>;
  /** The files in a snapshot, or in one folder of it. @throws PraError RESTIC_FAILED */
  list(snapshotId: string, path?: string): Promise<StoredNode[]>;
  /** Writes one file, or a folder with all below it, into a folder of this machine. @throws PraError RESTIC_FAILED */
  extract(options: {snapshotId: string; path: string; target: string}): Promise<void>;
}

export interface ResticOptions {
  repository: Repository;
  store?: OpenStoreOptions | undefined;
  /** After how long without a byte the store is asked whether it is still there; 2 min by default. */
  stallMs?: number | undefined;
  signal: AbortSignal;
}

/**
 * Opens the restic repository that belongs to a repository of pra, and makes it where there is none.
 * @throws PraError RESTIC_FAILED, REPOSITORY_WRONG_KEY, STORE_*.
 */
export async function openRestic(options: ResticOptions): Promise<Restic> {
  const {there, program, quick} = await connect(options);
  const {store} = options.repository;
  if (!there) await initOnce({store, init: () => quick(['init']), signal: options.signal});
  else {
    const opened = await quick(['cat', 'config', '--quiet', '--no-lock'], [1, 12]);
    if (opened.exitCode !== 0 && /wrong password/i.test(opened.stderr))
      throw new PraError('REPOSITORY_WRONG_KEY', 'the volumes were saved with another key', {
        why: opened.stderr.trim(),
        next: [`check that volumes/ in ${options.repository.store.url} belongs to this repository`],
      });
    if (opened.exitCode !== 0)
      throw new PraError('RESTIC_FAILED', 'restic cannot open its repository', {why: opened.stderr.trim()});
  }
  return {
    repository: options.repository,
    store: options.store ?? {},
    backup: async (stream, request) => {
      const saved = await backup(program, stream, request);
      return {...saved, snapshotId: await wholeId(quick, saved.snapshotId)};
    },
    restore: request => restore(program, request),
    copyFrom: async (url, {password, snapshotId}) => {
      const from = {RESTIC_REPOSITORY: url, RESTIC_PASSWORD: password};
      const source = await quick(
        ['snapshots', '--json', '--no-lock', snapshotId],
        [],
        QUICK_TIMEOUT_MS,
        from,
      );
      // A copy of a copy keeps the id of the first, and what goes back to where it came from has it itself.
      const first =
        copiesSchema.safeParse(jsonOf(source.stdout)).data?.find(({id}) => id === snapshotId)?.original ??
        snapshotId;
      await quick(['copy', snapshotId], [], COPY_TIMEOUT_MS, {
        RESTIC_FROM_REPOSITORY: url,
        RESTIC_FROM_PASSWORD: password,
      });
      const {stdout} = await quick(['snapshots', '--json', '--no-lock']);
      const copied = copiesSchema
        .safeParse(jsonOf(stdout))
        .data?.find(({id, original}) => id === first || original === first);
      if (!copied)
        throw new PraError('RESTIC_FAILED', `restic does not find its copy of snapshot ${snapshotId}`);
      return copied.id;
    },
    walk: (snapshotId, signal) => walk(program, snapshotId, signal),
    list: async (snapshotId, path) => {
      const args = ['ls', '--json', '--no-lock', snapshotId, ...(path === undefined ? [] : [path])];
      const {stdout} = await quick(args, [], COPY_TIMEOUT_MS);
      return stdout.split('\n').flatMap(line => nodeSchema.safeParse(jsonOf(line)).data ?? []);
    },
    extract: async ({snapshotId, path, target}) => {
      await quick(
        ['restore', '--no-lock', snapshotId, '--include', literal(path), '--target', target],
        [],
        COPY_TIMEOUT_MS,
      );
    },
  };
}

/** Copies and restores take as long as they take; the store is asked for by restic itself. */
const COPY_TIMEOUT_MS = 12 * 3_600_000;
const copiesSchema = z.array(z.object({id: z.string(), original: z.string().optional()}));
const nodeSchema = z.object({
  struct_type: z.literal('node'),
  type: z.string(),
  path: z.string(),
  size: z.number().optional(),
  mode: z.number().optional(),
  uid: z.number().optional(),
  gid: z.number().optional(),
  mtime: z.string().optional(),
});
/** A file or folder in a snapshot of restic. */
export type StoredNode = z.infer<typeof nodeSchema>;

const idsSchema = z.array(z.object({id: z.string().regex(/^[0-9a-f]{64}$/)}));

/** As restic writes a path whose signs are not wildcards. */
const literal = (path: string) => path.replaceAll(/[\\*?[\]]/g, sign => `\\${sign}`);

/** restic before 0.15 tells only the beginning of the id of what it saved. */
async function wholeId(quick: Quick, id: string): Promise<string> {
  if (id.length === 64) return id;
  const {stdout} = await quick(['snapshots', '--json', '--no-lock', id]);
  const found = idsSchema.safeParse(jsonOf(stdout));
  const [only] = found.success ? found.data : [];
  if (!only?.id.startsWith(id))
    throw new PraError('RESTIC_FAILED', `restic does not find the snapshot ${id} that it has just saved`);
  return only.id;
}

type Quick = (
  args: string[],
  okCodes?: number[],
  timeoutMs?: number,
  more?: Record<string, string>,
) => Promise<ProcessResult>;

/** How restic is called, and whether it has a repository there. */
export async function connect(options: ResticOptions): Promise<{
  there: boolean;
  program: Program;
  quick: Quick;
}> {
  // It says what is wrong with a store better than restic does, which tells a missing repository from nothing else.
  const there = await options.repository.store.has(CONFIG, options);
  const {path} = await resolveTool('restic', {signal: options.signal});
  const environment = await resticEnvironment(options.repository, options.store ?? {});
  const args = ['--no-cache', ...(options.store?.caFile ? ['--cacert', options.store.caFile] : [])];
  if (options.store?.pathStyle !== undefined)
    args.push('-o', `s3.bucket-lookup=${options.store.pathStyle ? 'path' : 'dns'}`);
  const quick = async (
    more: string[],
    okCodes: number[] = [],
    timeoutMs = QUICK_TIMEOUT_MS,
    variables: Record<string, string> = {},
  ): Promise<ProcessResult> =>
    runProcess(path, [...args, ...more], {
      env: {...(await environment()), ...variables},
      timeoutMs,
      signal: options.signal,
      okCodes,
    }).catch((error: unknown) => {
      if (error instanceof PraError && error.code === 'INTERRUPTED') throw stopReason(options.signal, error);
      if (more[0] === 'init') throwIfDenied(error, options.repository.store.url);
      throw new PraError('RESTIC_FAILED', `restic ${more[0]} failed`, {
        why: error instanceof PraError ? (error.why ?? error.message) : messageOf(error),
        cause: error,
      });
    });
  const program = {
    path,
    args,
    environment,
    store: options.repository.store,
    stallMs: options.stallMs ?? STALL_MS,
  };
  return {there, program, quick};
}

/** restic asks whether there is a bucket before it makes a repository, which policies of one prefix do not allow. */
function throwIfDenied(error: unknown, url: string): void {
  if (!(error instanceof PraError) || !/access ?denied|forbidden/i.test(error.why ?? '')) return;
  throw new PraError('STORE_DENIED', `these credentials cannot make ${url}/volumes`, {
    why: 'restic, which keeps the volumes, asks once for the whole bucket',
    next: ['take the first snapshot with credentials that may list the whole bucket; later, a writer does'],
    cause: error,
  });
}

interface Program {
  path: string;
  args: readonly string[];
  environment: () => Promise<Environment>;
  store: Store;
  stallMs: number;
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
  const env = {...process.env, ...(await program.environment())};
  const child = spawn(program.path, args, {env, stdio: ['pipe', 'pipe', 'pipe']});
  const ended = endOf(child);
  const printed = collect(child.stdout);
  const errors = collect(child.stderr);
  child.stdin.on('error', () => undefined); // the exit code tells it
  const meter = new Meter();
  const watch = watchProgress(program, child, meter, options.signal);
  try {
    // Without `end`: restic takes the end of its input for the end of the data, so it may see it only when all went well.
    await pipeline(stream, meter, child.stdin, {end: false, signal: watch.signal});
    child.stdin.end();
    const exitCode = await ended;
    watch.signal.throwIfAborted();
    if (exitCode !== 0)
      throw new PraError('RESTIC_FAILED', `restic backup failed with exit code ${exitCode}`, {
        why: errors().trim(),
      });
    return {snapshotId: snapshotIdOf(printed()), ...meter.result()};
  } catch (error) {
    // restic saves a snapshot when its input ends, so it must be gone before that.
    child.kill('SIGKILL');
    await ended;
    if (watch.signal.aborted) throw stopReason(watch.signal, error);
    if (error instanceof PraError) throw error;
    throw new PraError('RESTIC_FAILED', 'the data could not be saved', {
      why: errors().trim() || messageOf(error),
      cause: error,
    });
  } finally {
    watch.stop();
  }
}

function restore(
  program: Program,
  options: {snapshotId: string; filename: string; signal: AbortSignal},
): {stream: Readable; done: Promise<{bytes: number; sha256: string}>} {
  const stream = new PassThrough();
  const flow = async () => {
    try {
      // Who may only read cannot lock. Without a lock, a prune beside it makes a restore fail, and never makes it wrong.
      const result =
        (await dump(program, {...options, stream, locked: true})) ??
        (await dump(program, {...options, stream, locked: false}));
      if (!result) throw new PraError('RESTIC_FAILED', 'restic needs a lock that it may not write');
      stream.end();
      return result;
    } catch (error) {
      stream.destroy(asError(error));
      throw error;
    }
  };
  const done = flow();
  done.catch(() => undefined); // the caller awaits it after the stream
  return {stream, done};
}

/**
 * One run of `restic dump`. It does not end the stream: the reader must not see an end before restic has said that it was one.
 * @returns undefined when it was refused a lock, and has written nothing.
 */
async function dump(
  program: Program,
  run: {snapshotId: string; filename: string; stream: PassThrough; locked: boolean; signal: AbortSignal},
): Promise<{bytes: number; sha256: string} | undefined> {
  const env = {...process.env, ...(await program.environment())};
  const args = [...program.args, ...(run.locked ? [] : ['--no-lock'])];
  const child = spawn(program.path, [...args, 'dump', run.snapshotId, `/${run.filename}`], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = endOf(child);
  const errors = collect(child.stderr);
  // It would try again for a minute.
  child.stderr.on('data', () => void (run.locked && LOCK_REFUSED.test(errors()) && child.kill('SIGKILL')));
  const meter = new Meter();
  const watch = watchProgress(program, child, meter, run.signal);
  try {
    await pipeline(child.stdout, meter, run.stream, {end: false, signal: watch.signal});
    const exitCode = await ended;
    watch.signal.throwIfAborted();
    if (exitCode === 0) return meter.result();
    if (run.locked && meter.bytes === 0 && LOCK_REFUSED.test(errors())) return undefined;
    throw new PraError('RESTIC_FAILED', `restic dump failed with exit code ${exitCode}`, {
      why: errors().trim(),
    });
  } catch (error) {
    child.kill('SIGKILL');
    throw watch.signal.aborted ? stopReason(watch.signal, error) : error;
  } finally {
    watch.stop();
  }
}

async function* walk(program: Program, snapshotId: string, signal: AbortSignal): AsyncGenerator<StoredNode> {
  const env = {...process.env, ...(await program.environment())};
  const child = spawn(program.path, [...program.args, 'ls', '--json', '--no-lock', snapshotId], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = endOf(child);
  const errors = collect(child.stderr);
  const kill = () => void child.kill('SIGKILL');
  signal.addEventListener('abort', kill, {once: true});
  try {
    for await (const line of createInterface({input: child.stdout})) {
      const node = nodeSchema.safeParse(jsonOf(line)).data;
      if (node) yield node;
    }
    const exitCode = await ended;
    signal.throwIfAborted();
    if (exitCode !== 0)
      throw new PraError('RESTIC_FAILED', `restic ls failed with exit code ${exitCode}`, {
        why: errors().trim(),
      });
  } finally {
    signal.removeEventListener('abort', kill);
    child.kill('SIGKILL');
  }
}

/** As `watchStall`; restic ends with the signal, also when it has all of its input. */
function watchProgress(
  {store, stallMs}: Program,
  child: ChildProcess,
  meter: Meter,
  signal: AbortSignal,
): {signal: AbortSignal; stop(): void} {
  const watch = watchStall(store, {stallMs, signal, moved: () => meter.bytes});
  const kill = () => void child.kill('SIGKILL');
  watch.signal.addEventListener('abort', kill, {once: true});
  const stop = () => {
    watch.stop();
    watch.signal.removeEventListener('abort', kill);
  };
  return {signal: watch.signal, stop};
}

/** Why it was stopped, rather than that it was. */
const stopReason = (signal: AbortSignal, error: unknown): unknown =>
  signal.reason instanceof PraError ? signal.reason : error;

/** Counts and hashes what goes through. */
class Meter extends Transform {
  bytes = 0;
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
    const parsed = summarySchema.safeParse(jsonOf(line));
    if (parsed.success) return parsed.data.snapshot_id;
  }
  throw new PraError('RESTIC_FAILED', 'restic did not say what it saved');
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
