import type {DrillRecord} from '../record.ts';

const STEPS_S = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400, 604_800,
];

/** The time axis of the timeline picture; all times in ms since T0. */
export interface Scale {
  fromMs: number;
  toMs: number;
  /** Round times for the grid. */
  ticksMs: number[];
  /** Place on the axis, 0 to 100, cut off at both ends. */
  percent(ms: number): number;
}

/** Where T0 lies on the clock, as ms since the epoch: the mark, or else the start of the run. */
export function originOf(record: DrillRecord): number {
  const declared = record.timeline.marks.find(mark => mark.mark === 'T0');
  return Date.parse(declared?.at ?? record.identity.startedAt);
}

/** An axis that holds all steps and marks of a record, with about six grid lines. */
export function scaleOf(record: DrillRecord): Scale {
  const origin = originOf(record);
  const {marks, steps} = record.timeline;
  const times = steps.flatMap(({startedAt, endedAt}) =>
    [startedAt, endedAt].flatMap(t => (t ? [Date.parse(t) - origin] : [])),
  );
  const all = [0, ...times, ...marks.map(mark => mark.elapsedMs)];
  const fromMs = Math.min(...all);
  const toMs = Math.max(...all, fromMs + 1);
  const span = toMs - fromMs;
  const stepMs = (STEPS_S.find(s => span / (s * 1000) <= 7) ?? span / 6000) * 1000;
  const ticksMs: number[] = [];
  for (let t = Math.ceil(fromMs / stepMs) * stepMs; t <= toMs; t += stepMs) ticksMs.push(t);
  const percent = (ms: number) => round(Math.min(100, Math.max(0, (100 * (ms - fromMs)) / span)));
  return {fromMs, toMs, ticksMs, percent};
}

/** Two decimals are finer than a pixel and keep the file small. */
const round = (n: number): number => Math.round(n * 100) / 100;

/**
 * For labels centred at these places, ascending, the row to put each in so that none covers another; place and
 * width in percent.
 */
export function stackLabels(labels: readonly {x: number; width: number}[]): number[] {
  const ends: number[] = [];
  return labels.map(({x, width}) => {
    const free = ends.findIndex(end => end <= x - width / 2);
    const row = free === -1 ? ends.length : free;
    ends[row] = x + width / 2;
    return row;
  });
}
