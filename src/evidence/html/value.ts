import type {Json} from '../../std/json.ts';
import {formatCount} from './format.ts';
import {badge} from './icon.ts';
import {table} from './table.ts';
import {type Html, html} from './template.ts';

type Scalar = string | number | boolean | null;

/** One named value of what was expected and of what was seen. */
export interface Comparison {
  name: string;
  expected: Scalar | undefined;
  observed: Scalar | undefined;
  equal: boolean;
}

const isScalar = (value: Json | undefined): value is Scalar =>
  value === null || (value !== undefined && typeof value !== 'object');

/**
 * Values that have names: an object of scalars, or rows of a name and a scalar (`[["orders", 1200]]`,
 * `[{"table": "orders", "count": 1200}]`). Undefined for anything else.
 */
function namedValues(value: Json | undefined): Map<string, Scalar> | undefined {
  if (value === null || value === undefined || typeof value !== 'object') return undefined;
  const pairs = Array.isArray(value)
    ? value.map(row => (row !== null && typeof row === 'object' ? Object.values(row) : []))
    : Object.entries(value);
  const named = new Map<string, Scalar>();
  for (const [name, scalar, ...rest] of pairs) {
    if (typeof name !== 'string' || !isScalar(scalar) || rest.length > 0 || named.has(name)) return undefined;
    named.set(name, scalar);
  }
  return named.size > 0 ? named : undefined;
}

/** Expected and observed side by side by name, or undefined when they have no names to go by. */
export function compareValues(
  expected: Json | undefined,
  observed: Json | undefined,
): Comparison[] | undefined {
  const left = namedValues(expected);
  const right = namedValues(observed);
  if (!left || (!right && observed !== undefined && observed !== null)) return undefined;
  const names = [...new Set([...left.keys(), ...(right?.keys() ?? [])])];
  return names.map(name => {
    const [a, b] = [left.get(name), right?.get(name)];
    return {name, expected: a, observed: b, equal: a === b};
  });
}

/** Any value in one line or a small block. */
export function valueText(value: Json | undefined): Html {
  if (value === undefined) return html`<span class="none">nothing</span>`;
  if (typeof value === 'number') return html`${Number.isInteger(value) ? formatCount(value) : value}`;
  if (typeof value === 'string') return html`${value}`;
  const text = JSON.stringify(value);
  if (text.length < 80) return html`<code>${text}</code>`;
  return html`<pre>${JSON.stringify(value, null, 2)}</pre>`;
}

/** A table of named values, such as row counts, each with a word on whether it is equal. */
export function comparisonTable(caption: string, lines: readonly Comparison[]): Html {
  return table({
    caption,
    columns: [
      {head: 'What'},
      {head: 'Expected', numeric: true},
      {head: 'Recovered', numeric: true},
      {head: 'Compared'},
    ],
    rows: lines.map(({name, expected, observed, equal}) => [
      name,
      valueText(expected),
      valueText(observed),
      equal ? badge('passed', 'equal') : badge('failed', 'differs'),
    ]),
  });
}
