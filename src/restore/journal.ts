import {randomBytes} from 'node:crypto';
import {createReadStream, existsSync} from 'node:fs';
import {type FileHandle, mkdir, open, readdir} from 'node:fs/promises';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {z} from 'zod';
import {PraError} from '../errors.ts';
import {stateDir} from '../std/paths.ts';
import {isSameProcess, pidStartedAt} from '../std/pid.ts';
import {writeName} from './create.ts';
import {restoreRequestSchema} from './request.ts';
import type {ObjectOutcome} from './session.ts';

const count = z.int().min(0);
const kindCounts = z.object({
  kind: z.string(),
  expected: count,
  restored: count,
  skipped: count,
  changed: count,
  failed: count,
});

/** How a restore ended, with every object accounted for. */
export const restoreSummarySchema = z.object({
  kinds: z.array(kindCounts),
  failures: z.array(z.object({ref: z.string(), reason: z.string()})),
  skips: z.array(z.object({ref: z.string(), reason: z.string()})),
  deleted: z.array(z.string()),
  warnings: z.array(z.object({ref: z.string(), message: z.string()})),
  unhealthy: z.array(z.object({ref: z.string(), state: z.string(), reason: z.string()})),
  volumes: z
    .array(z.object({ref: z.string(), bytes: z.int(), files: z.int(), proof: z.string()}))
    .optional()
    .describe('Claims that got their data'),
  durationMs: z.number(),
});
export type RestoreSummary = z.infer<typeof restoreSummarySchema>;

const outcomeSchema = z.object({
  ref: z.string(),
  kind: z.string(),
  outcome: z.enum(['created', 'changed', 'recreated', 'unchanged', 'skipped', 'failed']),
  reason: z.string().optional(),
  uid: z.string().optional(),
  followUp: z.boolean().optional(),
});

const processSchema = {pid: z.int(), pidStartedAt: z.string()};
const entrySchema = z.discriminatedUnion('act', [
  z.object({
    act: z.literal('restore'),
    at: z.iso.datetime(),
    request: restoreRequestSchema,
    ...processSchema,
  }),
  z.object({act: z.literal('resume'), at: z.iso.datetime(), ...processSchema}),
  outcomeSchema.extend({act: z.literal('object')}),
  z.object({act: z.literal('deleted'), ref: z.string()}),
  z.object({
    act: z.literal('end'),
    at: z.iso.datetime(),
    result: z.enum(['complete', 'incomplete', 'interrupted']),
    summary: restoreSummarySchema,
  }),
]);
type Entry = z.infer<typeof entrySchema>;

/** Lines that wait to be written are so for this long at most, or until there are so many. */
const FLUSH_MS = 250;
const FLUSH_CHARS = 256 * 1024;

const restoresDir = () => join(stateDir(), 'restores');
const journalFile = (id: string) => join(restoresDir(), id, 'journal.ndjson');

/**
 * What a restore has written, line by line, so that one that was broken off goes on where it stopped. Lines are flushed
 * to the disk together: what is lost of the last quarter of a second is found in the target again.
 */
export class RestoreJournal {
  readonly id: string;
  readonly file: string;
  readonly #handle: FileHandle;
  #waiting: string[] = [];
  #chars = 0;
  #timer: NodeJS.Timeout | undefined;
  #written: Promise<void> = Promise.resolve();
  #failure: unknown;

  private constructor(id: string, handle: FileHandle) {
    this.id = id;
    this.file = journalFile(id);
    this.#handle = handle;
  }

  /** Begins a new one, whose first line is the request. */
  static async begin(request: z.infer<typeof restoreRequestSchema>): Promise<RestoreJournal> {
    const stamp = new Date().toISOString().replaceAll(/[-:]/g, '').replace('T', '-').slice(0, 15);
    const id = `${stamp}-${randomBytes(3).toString('hex')}`;
    await mkdir(join(restoresDir(), id), {recursive: true, mode: 0o700});
    const journal = new RestoreJournal(id, await open(journalFile(id), 'ax', 0o600));
    journal.#append({act: 'restore', at: new Date().toISOString(), request, ...thisProcess()});
    await journal.flush();
    return journal;
  }

  /** Goes on with one that was broken off. */
  static async resume(id: string): Promise<RestoreJournal> {
    const journal = new RestoreJournal(id, await open(journalFile(id), 'a', 0o600));
    // A line that a kill has cut in two ends here, so that the next one is whole.
    journal.#waiting.push('\n');
    journal.#append({act: 'resume', at: new Date().toISOString(), ...thisProcess()});
    await journal.flush();
    return journal;
  }

  object({ref, kind, outcome, reason, uid, followUp}: ObjectOutcome): void {
    this.#append({act: 'object', ref, kind, outcome, reason, uid, followUp});
  }

  deleted(ref: string): void {
    this.#append({act: 'deleted', ref});
  }

  end(result: 'complete' | 'incomplete' | 'interrupted', summary: RestoreSummary): void {
    this.#append({act: 'end', at: new Date().toISOString(), result, summary});
  }

  /**
   * Writes what waits, and returns when it is on the disk.
   * @throws PraError DISK_FULL, and what else kept a line from being written
   */
  async flush(): Promise<void> {
    this.#write();
    await this.#written;
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Flushes and closes; no error of an earlier write is lost. */
  async close(): Promise<void> {
    try {
      await this.flush();
    } finally {
      await this.#handle.close();
    }
  }

  #append(entry: Entry): void {
    const line = `${JSON.stringify(entry)}\n`;
    this.#waiting.push(line);
    this.#chars += line.length;
    if (this.#chars >= FLUSH_CHARS) this.#write();
    else this.#timer ??= setTimeout(() => this.#write(), FLUSH_MS);
  }

  #write(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#waiting.length === 0) return;
    const text = this.#waiting.join('');
    this.#waiting = [];
    this.#chars = 0;
    this.#written = this.#written.then(async () => {
      try {
        await this.#handle.write(text);
        await this.#handle.datasync();
      } catch (error) {
        this.#failure ??= isDiskFull(error)
          ? new PraError('DISK_FULL', `the journal ${this.file} cannot be written`, {cause: error})
          : error;
      }
    });
  }
}

const isDiskFull = (error: unknown) =>
  error instanceof Error && 'code' in error && ['ENOSPC', 'EDQUOT'].includes(String(error.code));

const thisProcess = () => ({pid: process.pid, pidStartedAt: pidStartedAt(process.pid) ?? 'unknown'});

export interface KnownRestore {
  id: string;
  request: z.infer<typeof restoreRequestSchema>;
  startedAt: string;
  state: 'running' | 'interrupted' | 'complete' | 'incomplete';
  summary: RestoreSummary | undefined;
}

/** A restore as its journal tells it, with what it has done by `writeName`. */
export interface ReadRestore extends KnownRestore {
  done: Map<string, ObjectOutcome>;
}

/**
 * Reads a restore back. Lines that a kill has cut are dropped.
 * @param reference its id, a beginning of it that no other has, or `latest`
 * @throws PraError RESTORE_NOT_FOUND
 */
export async function readRestore(reference: string): Promise<ReadRestore> {
  const id = await resolveId(reference);
  const done = new Map<string, ObjectOutcome>();
  let first: Extract<Entry, {act: 'restore'}> | undefined;
  let last: {pid: number; pidStartedAt: string} | undefined;
  let end: Extract<Entry, {act: 'end'}> | undefined;
  for await (const entry of readEntries(id)) {
    switch (entry.act) {
      case 'restore':
        first = entry;
        last = entry;
        break;
      case 'resume':
        last = entry;
        end = undefined;
        break;
      case 'object': {
        const {act: _, ...outcome} = entry;
        done.set(writeName(outcome), outcome);
        break;
      }
      case 'end':
        end = entry;
        break;
      case 'deleted':
        break;
    }
  }
  if (!first || !last)
    throw new PraError('RESTORE_NOT_FOUND', `restore ${id} was broken off before it began`, {
      next: ['pra restore list'],
    });
  const isRunning = end === undefined && isSameProcess(last.pid, last.pidStartedAt);
  const state = end?.result ?? (isRunning ? 'running' : 'interrupted');
  return {id, request: first.request, startedAt: first.at, state, summary: end?.summary, done};
}

/** All restores that this machine knows, the newest first. */
export async function listRestores(): Promise<KnownRestore[]> {
  const known = await Promise.all(
    (await allIds()).map(async id => {
      const found = await readRestore(id).catch((error: unknown) => {
        if (error instanceof PraError) return undefined;
        throw error;
      });
      if (!found) return undefined;
      const {done: _, ...restore} = found;
      return restore;
    }),
  );
  return known.filter(restore => restore !== undefined);
}

async function allIds(): Promise<string[]> {
  const names = await readdir(restoresDir()).catch(() => []);
  return names
    .filter(name => existsSync(journalFile(name)))
    .sort()
    .reverse();
}

async function resolveId(reference: string): Promise<string> {
  const ids = await allIds();
  const fitting = reference === 'latest' ? ids.slice(0, 1) : ids.filter(id => id.startsWith(reference));
  const [id, other] = fitting;
  if (id !== undefined && (other === undefined || id === reference)) return id;
  throw new PraError(
    'RESTORE_NOT_FOUND',
    id === undefined ? `there is no restore ${reference}` : `${reference} fits ${fitting.length} restores`,
    {next: ['pra restore list']},
  );
}

async function* readEntries(id: string): AsyncGenerator<Entry> {
  const lines = createInterface({
    input: createReadStream(journalFile(id)),
    crlfDelay: Number.POSITIVE_INFINITY,
  });
  for await (const line of lines) {
    const entry = entrySchema.safeParse(parseLine(line)).data;
    if (entry) yield entry;
  }
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
