import {styleText} from 'node:util';
import type {ObjectDiff} from '../snapshot/diff.ts';
import {groupKind} from '../snapshot/exclude.ts';
import {type FieldChange, formatPath} from '../std/json-diff.ts';
import {renderTable} from './table.ts';

export interface DiffViewOptions {
  before: string;
  after: string;
  stat: boolean;
  color: boolean;
}

type Style = 'green' | 'red' | 'yellow' | 'bold' | 'dim';
type Paint = (style: Style, text: string) => string;

const MARKS = {added: ['+', 'green'], removed: ['-', 'red'], changed: ['~', 'yellow']} as const;
/** Longer values are told by lines. */
const LONG = 80;
const MAX_LINES = 40;

/** `pra snapshot diff`. */
export function renderDiff(diffs: readonly ObjectDiff[], options: DiffViewOptions): string {
  const paint: Paint = (style, text) =>
    options.color ? styleText(style, text, {validateStream: false}) : text;
  if (diffs.length === 0) return `nothing differs between ${options.before} and ${options.after}`;
  const body = options.stat ? [renderStat(diffs)] : renderObjects(diffs, paint);
  return [...body, '', summary(diffs)].join('\n');
}

function summary(diffs: readonly ObjectDiff[]): string {
  const count = (change: ObjectDiff['change']) => diffs.filter(diff => diff.change === change).length;
  return `${count('added')} added, ${count('changed')} changed, ${count('removed')} removed`;
}

function renderStat(diffs: readonly ObjectDiff[]): string {
  const groups = Map.groupBy(diffs, ({type, namespace}) => `${namespace}\n${groupKind(type)}`);
  const rows = [...groups].map(([key, group]) => {
    const [namespace = '', kind = ''] = key.split('\n');
    const count = (change: ObjectDiff['change']) =>
      String(group.filter(diff => diff.change === change).length);
    return [namespace || '-', kind, count('added'), count('changed'), count('removed')];
  });
  return renderTable(['NAMESPACE', 'KIND', 'ADDED', 'CHANGED', 'REMOVED'], rows);
}

function renderObjects(diffs: readonly ObjectDiff[], paint: Paint): string[] {
  const lines: string[] = [];
  let namespace: string | undefined;
  const sorted = [...diffs].sort((a, b) =>
    a.namespace < b.namespace ? -1 : a.namespace > b.namespace ? 1 : 0,
  );
  for (const diff of sorted) {
    if (diff.namespace !== namespace) {
      if (namespace !== undefined) lines.push('');
      namespace = diff.namespace;
      lines.push(paint('bold', namespace === '' ? 'cluster-scoped' : `namespace ${namespace}`));
    }
    const [mark, style] = MARKS[diff.change];
    lines.push(paint(style, `${mark} ${groupKind(diff.type)} ${diff.name}`));
    for (const field of diff.fields) lines.push(...renderField(field, paint));
  }
  return lines;
}

/** One field that changed, on one line or on several. */
export function renderField({path, before, after}: FieldChange, paint: Paint): string[] {
  const name = formatPath(path);
  const [old, now] = [textOf(before), textOf(after)];
  if (old !== undefined && now !== undefined && isLong(old, now))
    return [`    ${name}:`, ...renderLines(old, now, paint)];
  if (old === undefined) return [`    ${name}: ${paint('green', `+ ${now}`)}`];
  if (now === undefined) return [`    ${name}: ${paint('red', `- ${old}`)}`];
  return [`    ${name}: ${paint('red', old)} → ${paint('green', now)}`];
}

const textOf = (value: unknown) =>
  value === undefined
    ? undefined
    : typeof value === 'string' && value.includes('\n')
      ? value
      : JSON.stringify(value);

const isLong = (old: string, now: string) =>
  old.includes('\n') || now.includes('\n') || old.length + now.length > 2 * LONG;

/** The lines between the common beginning and the common end. */
function renderLines(old: string, now: string, paint: Paint): string[] {
  const [left, right] = [old.split('\n'), now.split('\n')];
  let start = 0;
  while (start < Math.min(left.length, right.length) && left[start] === right[start]) start += 1;
  let end = 0;
  while (end < Math.min(left.length, right.length) - start && left.at(-1 - end) === right.at(-1 - end))
    end += 1;
  const part = (lines: readonly string[], mark: string, style: Style) => {
    const shown = lines.slice(start, lines.length - end);
    const more = shown.length - MAX_LINES;
    return [
      ...shown.slice(0, MAX_LINES).map(line => `      ${paint(style, `${mark} ${line}`)}`),
      ...(more > 0 ? [paint('dim', `        and ${more} lines more`)] : []),
    ];
  };
  const skipped = start > 0 ? [paint('dim', `      line ${start + 1}:`)] : [];
  return [...skipped, ...part(left, '-', 'red'), ...part(right, '+', 'green')];
}
