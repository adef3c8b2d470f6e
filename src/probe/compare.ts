import {isDeepStrictEqual} from 'node:util';
import {PraError} from '../errors.ts';
import type {PlanProbe} from '../plan/schema.ts';
import type {Json} from '../std/json.ts';
import type {Observation} from './probe.ts';

/**
 * Compares what was seen with what the plan expects: a fixed value, or the one measured at the snapshot.
 * @throws PraError when the snapshot has no baseline for this probe: nothing was compared, so nothing was proved.
 */
export function compareObserved(
  probe: PlanProbe,
  observed: Json,
  baselines: ReadonlyMap<string, Json>,
): Observation {
  const {compare} = probe;
  if (!compare) return {passed: true, message: `saw ${show(observed)}`, observed};
  if ('equals' in compare)
    return judge(observed, compare.equals, isDeepStrictEqual(observed, compare.equals), '');
  const baseline = baselines.get(probe.name);
  if (baseline === undefined) {
    throw new PraError('SNAPSHOT_FAILED', `the snapshot has no baseline for probe ${probe.name}`, {
      why: 'it was taken before the plan had this probe',
      next: ['take a new snapshot'],
    });
  }
  return judge(observed, baseline, isWithin(observed, baseline, compare.tolerance), ' as at the snapshot');
}

function judge(observed: Json, expected: Json, passed: boolean, as: string): Observation {
  const message = passed
    ? `${show(observed)}${as}`
    : `expected ${show(expected)}${as}, saw ${show(observed)}`;
  return {passed, message, expected, observed};
}

/** Numbers may differ by the tolerance, absolute or in per cent of the baseline; everything else must be equal. */
export function isWithin(observed: Json, baseline: Json, tolerance: number | string): boolean {
  const [a, b] = [asNumber(observed), asNumber(baseline)];
  if (a === undefined || b === undefined) return isDeepStrictEqual(observed, baseline);
  const allowed =
    typeof tolerance === 'number' ? tolerance : (Math.abs(b) * Number.parseFloat(tolerance)) / 100;
  return Math.abs(a - b) <= allowed;
}

/** PostgreSQL sends counts as text, because they may not fit a JavaScript number. */
function asNumber(value: Json): number | undefined {
  if (typeof value === 'number') return value;
  return typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : undefined;
}

/** A value as people read it: the cells of a row of a table with commas, its rows with semicolons. */
export function show(value: Json): string {
  const text = isTable(value) ? value.map(row => row.map(showCell).join(', ')).join('; ') : showCell(value);
  return text.length > 200 ? `${text.slice(0, 197)}...` : text;
}

const isTable = (value: Json): value is Json[][] =>
  Array.isArray(value) && value.length > 0 && value.every(row => Array.isArray(row));

const showCell = (value: Json) => (typeof value === 'string' ? value : JSON.stringify(value));
