import {randomBytes} from 'node:crypto';
import type {
  DrillFinding,
  DrillGuard,
  DrillMark,
  DrillProbe,
  DrillRecord,
  DrillVolume,
} from '../evidence/record.ts';
import type {Clock} from '../std/clock.ts';
import {type DrillListener, MARKS, type Mark} from './event.ts';
import type {Journal} from './journal.ts';

/** Everything that a run finds out while it goes on; the record is made of it at the end. */
export class RunLog {
  readonly marks: DrillMark[] = [];
  readonly guards: DrillGuard[] = [];
  readonly findings: DrillFinding[] = [];
  readonly volumes: DrillVolume[] = [];
  readonly probes: DrillProbe[] = [];
  readonly notTested: {what: string; reason: string}[] = [];
  readonly tools: {name: string; version: string}[] = [];
  recoveryPoint: DrillRecord['recoveryPoint'];
  target: DrillRecord['target'];
  completeness: DrillRecord['completeness'] = {kinds: [], failures: [], changes: [], skips: []};
  cleanup: DrillRecord['cleanup'];

  private readonly clock: Clock;
  private readonly journal: Journal;
  private readonly listener: DrillListener;
  private declaredAt: number | undefined;

  constructor(clock: Clock, journal: Journal, listener: DrillListener) {
    this.clock = clock;
    this.journal = journal;
    this.listener = listener;
  }

  /** Sets a clock mark; the first time counts, and T0 is the origin of all others. */
  mark(mark: Mark): void {
    if (this.marks.some(known => known.mark === mark)) return;
    if (mark === 'T0') this.declaredAt = this.clock.monotonic();
    const elapsedMs =
      this.declaredAt === undefined ? 0 : Math.round(this.clock.monotonic() - this.declaredAt);
    const at = this.clock.now().toISOString();
    const name = MARKS[mark];
    this.journal.append({act: 'mark', mark});
    this.marks.push({mark, name, at, elapsedMs});
    this.listener({type: 'mark', mark, name, at, elapsedMs});
  }

  /** ms from T0, or undefined when the mark was not reached. */
  elapsed(mark: Mark): number | undefined {
    return this.marks.find(known => known.mark === mark)?.elapsedMs;
  }

  finding(finding: Omit<DrillFinding, 'id'>): void {
    this.findings.push({id: `F${this.findings.length + 1}`, ...finding});
  }

  guard(guard: DrillGuard): void {
    this.guards.push(guard);
  }
}

/** An id that sorts by time and is short enough to be a cluster's name: `20261123-154501-3f9a1c`. */
export function newDrillId(now: Date): string {
  const stamp = now.toISOString().replaceAll(/[-:]/g, '').replace('T', '-').slice(0, 15);
  return `${stamp}-${randomBytes(3).toString('hex')}`;
}
