import type {DrillObjective} from '../record.ts';
import {formatSpan} from './format.ts';
import {badge} from './icon.ts';
import {type Html, html} from './template.ts';

export interface GaugeOptions {
  /** `RTO`, `RPO`. */
  short: string;
  /** What it measures, in words. */
  long: string;
  objective: DrillObjective;
  /** One more line, such as the change since the last drill. */
  note?: string | undefined;
}

/** One objective: actual time large, then whether it was met and by how much, then a bar against the target. */
export function gauge({short, long, objective, note}: GaugeOptions): Html {
  const {targetMs, actualMs} = objective;
  const value = actualMs === undefined ? 'not measured' : formatSpan(actualMs);
  return html`<section class="gauge"><h2><abbr title="${long}">${short}</abbr> <span>${long}</span></h2>
<p class="figure ${actualMs === undefined && 'none'}">${value}</p>
<p class="judged">${judged(objective)}</p>
${targetMs !== undefined && actualMs !== undefined && targetMs > 0 && bar(targetMs, actualMs)}
<p class="note">${targetMs === undefined ? 'No objective is set.' : `Objective ${formatSpan(targetMs)}`}${note && ` · ${note}`}</p></section>
`;
}

function judged({targetMs, actualMs, met, marginMs}: DrillObjective): Html {
  if (targetMs === undefined) return html``;
  if (actualMs === undefined || met === undefined || marginMs === undefined)
    return badge('inconclusive', 'not shown to be met');
  if (met)
    return html`${badge('passed', 'met')} with ${formatSpan(marginMs)} to spare${share(marginMs, targetMs)}`;
  return html`${badge('failed', 'missed')} by ${formatSpan(-marginMs)}${share(-marginMs, targetMs)}`;
}

/** ` (12%)` of the objective, or how many times it once that reads better. */
function share(ms: number, targetMs: number): string {
  if (targetMs === 0) return '';
  if (ms < targetMs) return ` (${Math.floor((100 * ms) / targetMs)}%)`;
  return ms === targetMs ? '' : ` (${Math.floor((ms + targetMs) / targetMs)} times the objective)`;
}

/** The full width is the larger of both; the tick is the target. */
function bar(targetMs: number, actualMs: number): Html {
  const full = Math.max(targetMs, actualMs);
  const percent = (ms: number) => Math.round((1000 * ms) / full) / 10;
  const within = percent(Math.min(actualMs, targetMs));
  const target = percent(targetMs);
  return html`<svg class="meter" height="16" role="img" aria-label="${formatSpan(actualMs)} of ${formatSpan(targetMs)}">
<rect class="rail" y="4" width="100%" height="8" rx="4" />
<rect class="${actualMs > targetMs ? 'allowed' : 'used'}" y="4" width="${Math.max(within, 1)}%" height="8" rx="4" />
${actualMs > targetMs && html`<rect class="excess" x="${target}%" y="4" width="${100 - target}%" height="8" />`}
<line class="limit" x1="${target}%" x2="${target}%" y1="0" y2="16" /></svg>`;
}
