import {SEVERITIES} from '../record/outcome.ts';
import type {DrillFinding, DrillRecord} from '../record.ts';
import {badge, toneOf} from './icon.ts';
import {type Html, html} from './template.ts';

/** Each finding with its cause and what to do next, worst first. */
export function findings(record: DrillRecord): Html {
  if (record.findings.length === 0) return html`<p class="none">No findings.</p>`;
  const rank = ({severity}: DrillFinding) => SEVERITIES.indexOf(severity);
  const sorted = record.findings.toSorted((a, b) => rank(a) - rank(b));
  return html`<ol class="findings">${sorted.map(finding)}</ol>`;
}

function finding({id, severity, title, cause, object, next}: DrillFinding): Html {
  return html`<li class="${toneOf(severity)}"><h3>${badge(severity)} ${title}</h3>
<dl><dt>Cause</dt><dd>${cause}</dd>${object !== undefined && html`<dt>Object</dt><dd>${object}</dd>`}
<dt>Next</dt><dd><b>${next}</b></dd><dt>Code</dt><dd><code>${id}</code></dd></dl></li>
`;
}
