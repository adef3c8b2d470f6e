import {arrayAt, at, isJsonObject, stringAt, stringsAt} from '../std/json-at.ts';

/** Whether labels fit a `LabelSelector` (matchLabels and matchExpressions). An empty selector fits everything. */
export function matchesSelector(selector: unknown, labels: Readonly<Record<string, string>>): boolean {
  if (!isJsonObject(selector)) return false;
  const equal = Object.entries(stringsAt(selector, 'matchLabels')).every(
    ([key, value]) => labels[key] === value,
  );
  return equal && arrayAt(selector, 'matchExpressions').every(expression => matches(expression, labels));
}

function matches(expression: unknown, labels: Readonly<Record<string, string>>): boolean {
  const value = labels[stringAt(expression, 'key') ?? ''];
  const values: unknown[] = arrayAt(expression, 'values');
  switch (at(expression, 'operator')) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    default:
      return false;
  }
}
