import {readdir, readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {PraError} from '../errors.ts';
import {parseRecord} from '../evidence/parse.ts';
import type {DrillRecord} from '../evidence/record.ts';
import {stateDir} from '../std/paths.ts';
import {isSameProcess} from '../std/pid.ts';
import type {RunMode} from './event.ts';
import {type JournalEntry, readJournal} from './journal.ts';

export const runsDir = () => join(stateDir(), 'runs');
export const runDir = (drillId: string) => join(runsDir(), drillId);
export const evidenceDir = (drillId: string) => join(runDir(drillId), 'evidence');

/** `interrupted`: the process is gone and the run never ended; `pra drill clean` removes what it left. */
export type DrillState = DrillRecord['verdict']['result'] | 'running' | 'interrupted';

export interface DrillSummary {
  id: string;
  plan: string;
  /** A rehearsal, or a real recovery, whose target is meant to stay. */
  mode: RunMode;
  state: DrillState;
  startedAt: string;
  /** Whether a target may still be up that is to be removed. */
  dirty: boolean;
  /** From T0 to T5, ms. */
  rtoMs?: number | undefined;
  rpoMs?: number | undefined;
  objectiveMissed?: boolean | undefined;
  exitCode?: number | undefined;
}

/** All runs that this machine knows, the newest first. */
export async function listDrills(plan?: string): Promise<DrillSummary[]> {
  const names = await readdir(runsDir()).catch(() => []);
  const drills = await Promise.all(names.map(summarizeDrill));
  return drills
    .filter(drill => drill !== undefined)
    .filter(drill => plan === undefined || drill.plan === plan)
    .sort((a, b) => b.startedAt.localeCompare(a.startedAt));
}

/** A run that was killed before its first journal line has nothing to tell and nothing to clean. */
async function summarizeDrill(id: string): Promise<DrillSummary | undefined> {
  const journal = (() => {
    try {
      return readJournal(runDir(id));
    } catch {
      return [];
    }
  })();
  const run = journal.find(entry => entry.act === 'run');
  if (!run) return undefined;
  const record = await readRecord(id).catch(() => undefined);
  return {
    id,
    plan: run.plan,
    mode: run.mode,
    state: stateOf(journal, record),
    startedAt: run.at,
    dirty: run.mode === 'drill' && mayHaveTarget(journal),
    rtoMs: record?.objectives.rto.actualMs,
    rpoMs: record?.objectives.rpo.actualMs,
    objectiveMissed: record?.verdict.objectiveMissed,
    exitCode: record?.verdict.exitCode,
  };
}

function stateOf(journal: readonly JournalEntry[], record: DrillRecord | undefined): DrillState {
  if (record) return record.verdict.result;
  const run = journal.find(entry => entry.act === 'run');
  return run && isSameProcess(run.pid, run.pidStartedAt) ? 'running' : 'interrupted';
}

/** From the journal alone: a target was asked for, and nothing says that it was destroyed. */
export function mayHaveTarget(journal: readonly JournalEntry[]): boolean {
  return journal.some(entry => entry.act === 'target') && !journal.some(entry => entry.act === 'destroyed');
}

/** @throws PraError DRILL_NOT_FOUND when the run has no record (yet), RECORD_ALTERED when it does not match its digest. */
export async function readRecord(drillId: string): Promise<DrillRecord> {
  const file = join(evidenceDir(drillId), 'drill.json');
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new PraError('DRILL_NOT_FOUND', `drill ${drillId} has no record`, {
      cause: error,
      next: ['pra drill list'],
    });
  }
  return parseRecord(text, file);
}

/**
 * Finds one run by its id, a unique beginning of it, or `latest`.
 * @throws PraError DRILL_NOT_FOUND when none or several fit.
 */
export async function findDrill(reference: string): Promise<DrillSummary> {
  const drills = await listDrills();
  if (reference === 'latest' && drills[0]) return drills[0];
  const exact = drills.find(drill => drill.id === reference);
  if (exact) return exact;
  const fitting = drills.filter(drill => drill.id.startsWith(reference));
  if (fitting.length === 1 && fitting[0]) return fitting[0];
  throw new PraError(
    'DRILL_NOT_FOUND',
    fitting.length === 0 ? `there is no drill ${reference}` : `${reference} fits ${fitting.length} drills`,
    {
      why: fitting.length > 1 ? fitting.map(drill => drill.id).join(', ') : undefined,
      next: ['pra drill list'],
    },
  );
}
