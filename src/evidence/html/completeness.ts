import {formatBytes} from '../../std/bytes.ts';
import type {DrillRecord} from '../record.ts';
import {formatCount, formatSpan, plural} from './format.ts';
import {badge} from './icon.ts';
import {fold, table} from './table.ts';
import {type Html, html} from './template.ts';

type Completeness = DrillRecord['completeness'];
type KindCount = Completeness['kinds'][number];

/** What came back: objects per kind, each failure, changes and skips by their rule, and volumes byte by byte. */
export function completeness({
  completeness: {kinds, failures, changes, skips = []},
  volumes,
}: DrillRecord): Html {
  if (kinds.length === 0 && volumes.length === 0) return html`<p class="none">Nothing was restored.</p>`;
  const changed = changes.map(({ref, rule, reason}) => ({ref, why: `${rule}: ${reason}`}));
  const skipped = skips.map(({ref, reason}) => ({ref, why: reason}));
  return html`${failures.length > 0 && failureTable(failures)}${kinds.length > 0 && kindTables(kinds)}${
    volumes.length > 0 && volumeTable(volumes)
  }${reasonTable('Changed on the way', changed)}${reasonTable('Left out by a rule', skipped)}`;
}

function failureTable(failures: Completeness['failures']): Html {
  return table({
    caption: `${plural(failures.length, 'object')} could not be restored`,
    columns: [{head: 'Object'}, {head: 'Reason'}],
    rows: failures.map(({ref, reason}) => [html`<b>${ref}</b>`, reason]),
  });
}

const isWhole = (kind: KindCount) => kind.failed === 0 && kind.restored + kind.skipped === kind.expected;

/** Kinds that are not whole always stand open; a long list of whole ones folds. */
function kindTables(kinds: readonly KindCount[]): Html {
  const whole = kinds.filter(isWhole);
  const broken = kinds.filter(kind => !isWhole(kind));
  const sum = (field: Exclude<keyof KindCount, 'kind'>) =>
    kinds.reduce((total, kind) => total + kind[field], 0);
  const totals = `${formatCount(sum('restored'))} of ${plural(sum('expected'), 'object')} restored, ${formatCount(sum('skipped'))} left out by a rule, ${formatCount(sum('failed'))} failed, in ${plural(kinds.length, 'kind')}.`;
  const named = (caption: string, rows: readonly KindCount[]) =>
    table({
      caption,
      columns: [
        {head: 'Kind'},
        ...['Expected', 'Restored', 'Left out', 'Failed', 'Changed'].map(head => ({head, numeric: true})),
        {head: 'State'},
      ],
      rows: rows.map(kind => [
        kind.kind,
        ...[kind.expected, kind.restored, kind.skipped, kind.failed, kind.changed].map(formatCount),
        isWhole(kind) ? badge('passed', 'complete') : badge('failed', 'incomplete'),
      ]),
    });
  return html`<p class="lead">${totals}</p>${broken.length > 0 && named('Incomplete kinds', broken)}${fold(
    whole.length,
    `${plural(whole.length, 'kind')} complete`,
    named('Complete kinds', whole),
  )}`;
}

function volumeTable(volumes: DrillRecord['volumes']): Html {
  return table({
    caption: 'Data of volumes, compared with the digest or the manifest taken when it was saved',
    columns: [
      {head: 'Workload'},
      {head: 'Method'},
      {head: 'Saved', numeric: true},
      {head: 'Restored', numeric: true},
      {head: 'Compared'},
      {head: 'Took', numeric: true},
    ],
    rows: volumes.map(
      ({namespace, workload, claim, method, bytes, restoredBytes, sha256Ok, proof, durationMs}) => [
        html`<span class="whole">${workload}</span><small>${claim === undefined ? namespace : `${namespace}, claim ${claim}`}</small>`,
        html`<span class="whole">${method}</span>`,
        formatBytes(bytes),
        formatBytes(restoredBytes),
        html`${sha256Ok ? badge('passed', 'equal') : badge('failed', 'differs')}${proof !== undefined && html`<small>${proof}</small>`}`,
        formatSpan(durationMs),
      ],
    ),
  });
}

/** Objects grouped by why they were treated so, because one rule usually meets many. */
function reasonTable(caption: string, items: readonly {ref: string; why: string}[]): Html {
  const groups = Map.groupBy(items, item => item.why);
  const rows = [...groups].map(([why, members]) => [
    why,
    formatCount(members.length),
    html`<ul class="refs">${members.map(({ref}) => html`<li>${ref}</li>`)}</ul>`,
  ]);
  return fold(
    items.length,
    `${caption}: ${plural(items.length, 'object')}, ${plural(rows.length, 'reason')}`,
    table({caption, columns: [{head: 'Why'}, {head: 'Objects', numeric: true}, {head: 'Which'}], rows}),
  );
}
