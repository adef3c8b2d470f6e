import type {DrillProbe, DrillRecord} from '../record.ts';
import {formatClock, formatSpan, plural} from './format.ts';
import {badge} from './icon.ts';
import {table} from './table.ts';
import {type Html, html} from './template.ts';
import {compareValues, comparisonTable, valueText} from './value.ts';

const PROVES: Record<DrillProbe['proves'], string> = {
  processUp: 'processes run',
  dataPresent: 'data is present',
  dataCurrent: 'data is current',
  functionWorks: 'function works',
};

/** What was asked of the recovered cluster and what it answered, then the data compared by name. */
export function probes({verification}: DrillRecord): Html {
  const all = verification.probes;
  if (all.length === 0) return html`<p class="none">No probe ran, so nothing is proved.</p>`;
  const compared = all.map(probe => ({probe, lines: compareValues(probe.expected, probe.observed)}));
  return html`${table({
    caption: `${plural(all.length, 'probe')}, run inside the recovered cluster or through its API server`,
    columns: [
      {head: 'Probe'},
      {head: 'Verdict'},
      {head: 'Expected'},
      {head: 'Observed'},
      {head: 'Took', numeric: true},
    ],
    rows: compared.map(({probe, lines}) => [
      html`<b>${probe.name}</b><small>${probe.kind} · proves ${PROVES[probe.proves]} · ${probe.required ? 'required' : 'optional'}</small>`,
      html`${badge(probe.verdict)}<small>${probe.message}</small>`,
      lines ? html`${plural(lines.length, 'value')}, below` : valueText(probe.expected),
      lines
        ? html`${plural(lines.filter(line => line.equal).length, 'value')} equal`
        : valueText(probe.observed),
      formatSpan(probe.durationMs),
    ]),
  })}${compared.map(({probe, lines}) => lines && comparisonTable(`Data: what probe ${probe.name} compared`, lines))}${samples(all)}`;
}

function samples(all: readonly DrillProbe[]): Html {
  const rows = all.flatMap(({name, samples: taken}) =>
    taken.map(({at, outcome, message, observed, durationMs}) => [
      name,
      formatClock(at),
      badge(outcome),
      html`${message}${observed !== undefined && html`<small>${valueText(observed)}</small>`}`,
      formatSpan(durationMs),
    ]),
  );
  if (rows.length === 0) return html``;
  const caption = 'Every single measurement';
  const columns = [
    {head: 'Probe'},
    {head: 'At (UTC)'},
    {head: 'Outcome'},
    {head: 'Answer'},
    {head: 'Took', numeric: true},
  ];
  return html`<details><summary>${plural(rows.length, 'measurement')} behind these verdicts</summary>${table({caption, columns, rows})}</details>`;
}
