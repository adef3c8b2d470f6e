import type {DrillGuard, DrillRecord} from '../record.ts';
import {formatCount, plural} from './format.ts';
import {badge} from './icon.ts';
import {fold, table} from './table.ts';
import {type Html, html} from './template.ts';

/** What kept the drill from touching the world; those that did not hold for sure always stand open. */
export function guards({guards: all, target, identity}: DrillRecord): Html {
  if (all.length === 0) return html`<p class="none">The run ended before any guard was needed.</p>`;
  const sure = (state: DrillGuard['state']) => state === 'applied' || state === 'notApplicable';
  const open = all.filter(({state}) => !sure(state));
  const rest = all.filter(({state}) => sure(state));
  const applied = rest.filter(({state}) => state === 'applied').length;
  const summary = `${plural(applied, 'guard')} applied, ${formatCount(rest.length - applied)} not applicable`;
  return html`${target && identity.mode === 'drill' && segregation(target)}${open.length > 0 && guardTable('Guards that were not applied for sure', open)}${fold(
    rest.length,
    summary,
    guardTable(summary, rest),
  )}`;
}

function guardTable(caption: string, rows: readonly DrillGuard[]): Html {
  return table({
    caption,
    columns: [{head: 'Guard'}, {head: 'State'}, {head: 'What it did'}, {head: 'Objects', numeric: true}],
    rows: rows.map(({number, name, state, detail, count}) => [
      html`<span class="no">${number}</span> ${name}`,
      badge(state),
      detail,
      count === undefined ? '–' : formatCount(count),
    ]),
  });
}

function segregation({segregation: {isolated, proof}}: NonNullable<DrillRecord['target']>): Html {
  const word = isolated ? badge('passed', 'isolation proved') : badge('inconclusive', 'isolation not proved');
  return html`<p class="lead">${word}</p>${proof.length > 0 && html`<ul>${proof.map(line => html`<li>${line}</li>`)}</ul>`}`;
}
