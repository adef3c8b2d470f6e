import {PHASES} from '../record/run.ts';
import type {DrillPhase, DrillRecord, DrillStep} from '../record.ts';
import {originOf, type Scale} from './scale.ts';
import {type Html, html} from './template.ts';

/** A row of the timeline picture: a phase's heading, or a step with its times in ms since T0. */
export type Row = {phase: DrillPhase} & (
  | {step?: undefined}
  | {step: DrillStep; startMs: number; endMs: number}
);

/** Steps under their phases, each phase in order of start; steps that never started come last in theirs. */
export function rowsOf(record: DrillRecord): Row[] {
  const origin = originOf(record);
  const rows = record.timeline.steps.map(step => {
    const startMs = step.startedAt ? Date.parse(step.startedAt) - origin : Number.POSITIVE_INFINITY;
    const endMs = step.endedAt ? Date.parse(step.endedAt) - origin : startMs + step.durationMs;
    return {step, phase: step.phase, startMs, endMs};
  });
  return PHASES.flatMap((phase): Row[] => {
    const own = rows.filter(row => row.phase === phase);
    const sorted = own.sort((a, b) => compare(a.startMs, b.startMs) || compare(a.endMs, b.endMs));
    return own.length > 0 ? [{phase}, ...sorted] : [];
  });
}

const compare = (a: number, b: number) => (a < b ? -1 : a > b ? 1 : 0);

/**
 * Per row, the lines that join the end of each critical step to the next critical one. Each row draws its own
 * stretch, so that the path holds together however high rows get and wherever paper breaks.
 */
export function criticalLinks(rows: readonly Row[], scale: Scale): Html[][] {
  const lines: Html[][] = rows.map(() => []);
  const critical = rows
    .flatMap((row, index) =>
      row.step?.critical && Number.isFinite(row.endMs) ? [{index, endMs: row.endMs}] : [],
    )
    .sort((a, b) => a.endMs - b.endMs || a.index - b.index);
  for (const [i, next] of critical.slice(1).entries()) {
    const before = critical[i] ?? next;
    const x = scale.percent(before.endMs);
    const top = Math.min(before.index, next.index);
    const bottom = Math.max(before.index, next.index);
    for (let row = top; row <= bottom; row += 1) {
      const from = row === top ? '50%' : '0';
      const to = row === bottom ? '50%' : '100%';
      lines[row]?.push(html`<line class="link" x1="${x}%" x2="${x}%" y1="${from}" y2="${to}" />`);
    }
  }
  return lines;
}
