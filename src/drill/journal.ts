import {closeSync, fsyncSync, mkdirSync, openSync, readFileSync, writeSync} from 'node:fs';
import {join} from 'node:path';
import {z} from 'zod';
import {PraError} from '../errors.ts';

/**
 * One line of the journal. `act` names what is about to be done or what is now known; a line is on the disk
 * before the act that it names begins, so that whatever a killed run left can be found from its journal alone.
 */
const journalEntry = z.discriminatedUnion('act', [
  z.object({
    act: z.literal('run'),
    at: z.iso.datetime(),
    drillId: z.string(),
    mode: z.enum(['drill', 'recover']).default('drill'),
    plan: z.string(),
    planFile: z.string(),
    planHash: z.string(),
    pid: z.number(),
    /** Start time of that pid, because pids are used again. */
    pidStartedAt: z.string(),
  }),
  z.object({
    act: z.literal('target'),
    at: z.iso.datetime(),
    binary: z.string(),
    moduleDir: z.string(),
    dir: z.string(),
    varFiles: z.array(z.string()),
    env: z.record(z.string(), z.string()),
  }),
  z.object({act: z.literal('terraform'), at: z.iso.datetime(), pid: z.number(), pidStartedAt: z.string()}),
  z.object({act: z.literal('step'), at: z.iso.datetime(), id: z.string(), name: z.string()}),
  z.object({
    act: z.literal('step-end'),
    at: z.iso.datetime(),
    id: z.string(),
    result: z.string(),
    message: z.string().optional(),
  }),
  z.object({
    act: z.literal('approval-asked'),
    at: z.iso.datetime(),
    id: z.string(),
    approvers: z.array(z.string()),
  }),
  z.object({
    act: z.literal('approval'),
    at: z.iso.datetime(),
    id: z.string(),
    by: z.string(),
    operator: z.string(),
    approved: z.boolean(),
  }),
  z.object({act: z.literal('mark'), at: z.iso.datetime(), mark: z.string()}),
  z.object({act: z.literal('destroyed'), at: z.iso.datetime()}),
  z.object({act: z.literal('end'), at: z.iso.datetime(), verdict: z.string()}),
]);

export type JournalEntry = z.infer<typeof journalEntry>;
type WithoutTime<T> = T extends unknown ? Omit<T, 'at'> : never;

export interface Journal {
  readonly file: string;
  /** Appends a line and flushes it to the disk before it returns. */
  append(entry: WithoutTime<JournalEntry>): void;
  close(): void;
}

export const journalFile = (runDir: string) => join(runDir, 'journal.ndjson');

/** Opens the journal of a run for appending; the folder is made 0700. */
export function openJournal(runDir: string): Journal {
  mkdirSync(runDir, {recursive: true, mode: 0o700});
  const file = journalFile(runDir);
  const fd = openSync(file, 'a', 0o600);
  return {
    file,
    append(entry) {
      writeSync(fd, `${JSON.stringify({at: new Date().toISOString(), ...entry})}\n`);
      fsyncSync(fd);
    },
    close: () => closeSync(fd),
  };
}

/**
 * Reads a journal. A half-written last line, which a kill can leave, is dropped; any other bad line is an error.
 * @throws PraError DRILL_NOT_FOUND when there is none.
 */
export function readJournal(runDir: string): JournalEntry[] {
  const file = journalFile(runDir);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new PraError('DRILL_NOT_FOUND', `there is no journal at ${file}`, {cause: error});
  }
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  return whole
    .split('\n')
    .filter(line => line !== '')
    .map(line => journalEntry.parse(JSON.parse(line)));
}
