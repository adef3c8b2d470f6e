import type {DrillRecord} from '../record.ts';
import {runWord} from '../run-word.ts';
import {formatSpan, plural} from './format.ts';
import {badge} from './icon.ts';
import {table} from './table.ts';
import {type Html, html} from './template.ts';
import {valueText} from './value.ts';

/** What this run cannot show, and what the plan leaves out on purpose. */
export function notTested(record: DrillRecord): Html {
  const {verification, scope} = record;
  const rows = [...verification.notTested, ...scope.exclusions];
  if (rows.length === 0) return html`<p class="none">The record lists nothing.</p>`;
  return table({
    caption: `What this ${runWord(record)} says nothing about`,
    columns: [{head: 'What'}, {head: 'Why'}],
    rows: rows.map(({what, reason}) => [what, reason]),
  });
}

/** Whether the target is gone, and how to remove what is not. */
export function cleanup({cleanup: done, identity}: DrillRecord): Html {
  if (identity.mode === 'recover') return html`<p class="none">The target of a recovery stays.</p>`;
  if (!done) return html`<p class="none">There was nothing to clean up.</p>`;
  const {destroyed, durationMs, leftovers, message} = done;
  const state = destroyed ? badge('passed', 'target destroyed') : badge('failed', 'target not destroyed');
  return html`<p class="lead">${state} in ${formatSpan(durationMs)}, ${plural(leftovers.length, 'leftover')}.</p>${
    message !== undefined && html`<p>${message}</p>`
  }${
    leftovers.length > 0 &&
    table({
      caption: 'Left behind',
      columns: [{head: 'What'}, {head: 'How to remove it'}],
      rows: leftovers.map(({what, next}) => [what, html`<code>${next}</code>`]),
    })
  }`;
}

/** Where it came from and went to, for whoever has to repeat it. */
export function environment({identity, recoveryPoint: point, target}: DrillRecord): Html {
  const facts = Object.entries(target?.facts ?? {});
  const tools = [identity.tool, ...(identity.tools ?? [])].map(({name, version}) => `${name} ${version}`);
  return html`<dl class="pairs">
${point && html`<dt>Source cluster</dt><dd>${[point.source.context, point.source.server, point.source.version].filter(Boolean).join(' · ')}, UID <code>${point.source.uid}</code></dd>`}
${target?.module !== undefined && html`<dt>Terraform module</dt><dd>${target.module}</dd>`}
${facts.map(([name, value]) => html`<dt>Target: ${name}</dt><dd>${valueText(value)}</dd>`)}
<dt>Plan file</dt><dd>${identity.plan.file}</dd><dt>Programs</dt><dd>${tools.join(', ')}</dd></dl>`;
}
