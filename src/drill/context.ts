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

  /** Sets the origin of the clock: T0, now or at an earlier time at which the disaster was declared. */
  declare(at: Date = this.clock.now()): void {
    const agoMs = Math.max(0, this.clock.now().getTime() - at.getTime());
    this.declaredAt = this.clock.monotonic() - agoMs;
    this.keep('T0', at.toISOString(), 0);
  }

  /** Sets a clock mark; the first time counts. */
  mark(mark: Exclude<Mark, 'T0'>): void {
    if (this.marks.some(known => known.mark === mark)) return;
    const elapsedMs =
      this.declaredAt === undefined ? 0 : Math.round(this.clock.monotonic() - this.declaredAt);
    this.keep(mark, this.clock.now().toISOString(), elapsedMs);
  }

  private keep(mark: Mark, at: string, elapsedMs: number): void {
    const name = MARKS[mark];
    this.journal.append({act: 'mark', mark});
    this.marks.push({mark, name, at, elapsedMs});
    this.listener({type: 'mark', mark, name, at, elapsedMs});
  }

  /** When the recovery was declared, ms since the epoch; now, before that. */
  declaredMs(): number {
    const declared = this.marks.find(known => known.mark === 'T0');
    return declared ? Date.parse(declared.at) : this.clock.now().getTime();
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
