import {PassThrough} from 'node:stream';
import {z} from 'zod';
import type {PraError} from '../../errors.ts';
import type {RestAccess} from '../restic-rest.ts';
import {serveRestic} from '../restic-server.ts';
import {watchStall} from '../stall.ts';
import type {PodLink, StoreLink} from '../store-link.ts';
import {DONE, type Mover} from './mover.ts';

/** restic's status lines of a backup and of a restore. */
const statusSchema = z.object({
  message_type: z.literal('status'),
  total_bytes: z.number().optional(),
  bytes_done: z.number().optional(),
  bytes_restored: z.number().optional(),
});
const savedSchema = z.object({
  message_type: z.literal('summary'),
  snapshot_id: z.string().regex(/^[0-9a-f]{64}$/),
  total_bytes_processed: z.number(),
  total_files_processed: z.number(),
  data_added: z.number(),
  data_added_packed: z.number().optional(),
});
const errorSchema = z.object({
  message_type: z.enum(['error', 'exit_error']),
  error: z.object({message: z.string()}).optional(),
  message: z.string().optional(),
  item: z.string().optional(),
});

export type SavedTree = z.infer<typeof savedSchema>;

export interface ByteProgress {
  doneBytes: number;
  totalBytes: number;
}

export interface PodRestic {
  link: StoreLink;
  access: RestAccess;
  args: readonly string[];
  dir?: string | undefined;
  signal: AbortSignal;
  onProgress?: ((progress: ByteProgress) => void) | undefined;
}

export interface PodResticResult {
  exitCode: number;
  /** Of a backup that saved a snapshot. */
  saved: SavedTree | undefined;
  /** What went wrong, restic's own words; the first ones. */
  errors: string[];
  /** How many of all errors are of something else than files that went while they were read. */
  otherErrors: number;
  transport: PodLink['kind'];
}

/** Options of every restic in a pod: there is no place for a cache, and a prune that runs is waited for. */
const COMMON = ['--json', '--no-cache', '--retry-lock', '5m'];
const MAX_ERRORS = 20;
const GONE = /no such file or directory|file does not exist/i;
const MAX_LINE = 64 << 10;

/**
 * Runs restic in a mover. An exit code other than 0 is a result.
 * @throws PraError STORE_* when the repository does not answer, EXEC_FAILED when the connection broke
 */
export async function resticInPod(mover: Mover, run: PodRestic): Promise<PodResticResult> {
  const link = await run.link.to(mover, run.access, run.signal);
  const request = {
    args: [...COMMON, ...lookupOf(link), ...run.args],
    env: link.env,
    dir: run.dir ?? '/',
    stream: link.kind === 'stream',
    ...(link.kind === 'direct' && link.ca !== undefined ? {ca: link.ca} : {}),
  };
  const toPod = new PassThrough();
  const fromPod = new PassThrough();
  toPod.on('error', () => undefined);
  fromPod.on('error', () => undefined);
  toPod.write(`${JSON.stringify(request)}\n`);
  let moved = 0;
  const heard = new Heard(progress => {
    // Status lines come also when nothing moves.
    if (progress.doneBytes > moved) moved = progress.doneBytes;
    run.onProgress?.(progress);
  });
  let answers = 0;
  const {store} = run.link.repository;
  const {stallMs} = run.link;
  const watch = watchStall(store, {stallMs, signal: run.signal, moved: () => moved + answers});
  let storeError: PraError | undefined;
  const server =
    link.kind === 'stream'
      ? serveRestic({
          store,
          access: run.access,
          input: fromPod,
          output: toPod,
          signal: watch.signal,
          onError: error => {
            storeError ??= error;
          },
          onAnswer: () => {
            answers += 1;
            storeError = undefined;
          },
        })
      : undefined;
  if (!server) fromPod.resume();
  try {
    const {exitCode} = await mover.run(['run'], {
      stdin: toPod,
      stdout: fromPod,
      onStderr: chunk => heard.add(chunk),
      signal: watch.signal,
    });
    if (exitCode !== 0 && storeError) throw storeError;
    const {saved, errors, otherErrors} = heard;
    return {exitCode, saved, errors, otherErrors, transport: link.kind};
  } finally {
    watch.stop();
    server?.close();
    toPod.destroy();
  }
}

const lookupOf = (link: PodLink): string[] =>
  link.kind === 'direct' && link.pathStyle !== undefined
    ? ['-o', `s3.bucket-lookup=${link.pathStyle ? 'path' : 'dns'}`]
    : [];

/** Reads what restic says, line by line. */
class Heard {
  saved: SavedTree | undefined;
  readonly errors: string[] = [];
  otherErrors = 0;
  readonly #onProgress: ((progress: ByteProgress) => void) | undefined;
  #rest = '';

  constructor(onProgress: ((progress: ByteProgress) => void) | undefined) {
    this.#onProgress = onProgress;
  }

  add(chunk: Buffer): void {
    const lines = (this.#rest + chunk.toString('utf8')).split('\n');
    this.#rest = (lines.pop() ?? '').slice(0, MAX_LINE);
    for (const line of lines) this.#line(line.trim());
  }

  #line(line: string): void {
    if (line === '' || line === DONE) return;
    const message = parse(line);
    const status = statusSchema.safeParse(message);
    if (status.success) {
      const {total_bytes = 0, bytes_done, bytes_restored} = status.data;
      this.#onProgress?.({doneBytes: bytes_done ?? bytes_restored ?? 0, totalBytes: total_bytes});
      return;
    }
    const saved = savedSchema.safeParse(message);
    if (saved.success) {
      this.saved = saved.data;
      return;
    }
    const error = errorSchema.safeParse(message);
    if (error.success) {
      const {item, error: cause, message: text} = error.data;
      this.#note([item, cause?.message ?? text].filter(part => part !== undefined && part !== '').join(': '));
    } else if (message === undefined) this.#note(line);
  }

  #note(text: string): void {
    if (!GONE.test(text)) this.otherErrors += 1;
    if (this.errors.length < MAX_ERRORS) this.errors.push(text);
  }
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** What keeps a repository from being used whoever tries again. */
export function isFinal(errors: readonly string[]): boolean {
  return errors.some(text =>
    /wrong password|no space left|ENOSPC|does not exist|unsupported repository/i.test(text),
  );
}
