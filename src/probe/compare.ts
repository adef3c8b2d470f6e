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
  if ('equals' in compare) return judge(observed, compare.equals, isWithin(observed, compare.equals, 0), '');
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

/**
 * Numbers may differ by the tolerance, absolute or in per cent of the baseline, also those in the rows of a query;
 * everything else must be equal.
 */
export function isWithin(observed: Json, baseline: Json, tolerance: number | string): boolean {
  if (Array.isArray(observed) && Array.isArray(baseline)) {
    return (
      observed.length === baseline.length &&
      observed.every((value, index) => isWithin(value, baseline[index] ?? null, tolerance))
    );
  }
  const [a, b] = [asDecimal(observed), asDecimal(baseline)];
  if (a === undefined || b === undefined) return isDeepStrictEqual(observed, baseline);
  if (a === b) return true;
  const [x, y] = [Number(a), Number(b)];
  const allowed =
    typeof tolerance === 'number' ? tolerance : (Math.abs(y) * Number.parseFloat(tolerance)) / 100;
  // What is allowed is meant in decimals: 1.1 differs from 1.0 by 0.1 and not by a little more.
  const rounding = Number.EPSILON * Math.max(Math.abs(x), Math.abs(y));
  return allowed > 0 && Math.abs(x - y) <= allowed + rounding;
}

/**
 * A number as the shortest decimal text, so that equal numbers have equal texts. PostgreSQL sends counts as text, because
 * they may not fit a JavaScript number. A text such as 007 is no number.
 */
function asDecimal(value: Json): string | undefined {
  if (typeof value !== 'number' && typeof value !== 'string') return undefined;
  const text = String(value);
  if (!/^-?(0|[1-9]\d*)(\.\d+)?$/.test(text)) return typeof value === 'number' ? text : undefined;
  const short = text.includes('.') ? text.replace(/\.?0+$/, '') : text;
  return short === '-0' ? '0' : short;
}

/** A value as people read it; the rows of a query without brackets. */
export function show(value: Json): string {
  const text = isRows(value) ? value.map(row => row.map(textOf).join(', ')).join('; ') : textOf(value);
  return text.length > 200 ? `${text.slice(0, 197)}...` : text;
}

const isRows = (value: Json): value is Json[][] =>
  Array.isArray(value) && value.length > 0 && value.every(Array.isArray);
const textOf = (value: Json) => (typeof value === 'string' ? value : JSON.stringify(value));
