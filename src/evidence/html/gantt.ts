import type {DrillPhase, DrillRecord, DrillStep} from '../record.ts';
import {axis, showsObjective} from './axis.ts';
import {formatSpan} from './format.ts';
import {icon, toneOf} from './icon.ts';
import {criticalLinks, type Row, rowsOf} from './rows.ts';
import {type Scale, scaleOf} from './scale.ts';
import {type Html, html} from './template.ts';

const PHASE_NAMES: Record<DrillPhase, string> = {
  snapshot: 'Snapshot',
  target: 'Target',
  restore: 'Restore',
  group: 'Groups',
  probe: 'Probes',
  finally: 'Finally',
  cleanup: 'Clean-up',
};

/**
 * The timeline picture: one row per step under its phase, bars on a common axis, the marks as lines through all
 * rows, the critical path joined up, slack as a thin tail. It is a table of small SVGs, so that names wrap,
 * paper breaks between rows and screen readers can read it.
 */
export function gantt(record: DrillRecord): Html {
  const rows = rowsOf(record);
  if (rows.length === 0) return html`<p class="none">No step ran.</p>`;
  const scale = scaleOf(record);
  const links = criticalLinks(rows, scale);
  const body = rows.map((row, i) => rowOf(row, scale, links[i] ?? []));
  return html`<table role="table" class="gantt"><caption>${legend(record, scale)}</caption>
<thead role="rowgroup"><tr role="row"><th role="columnheader" scope="col">Step</th>
<th role="columnheader" scope="col" class="axis">${axis(record, scale)}</th>
<th role="columnheader" scope="col" class="num">Took</th></tr></thead>
<tbody role="rowgroup">${body}</tbody></table>
`;
}

function legend(record: DrillRecord, scale: Scale): Html {
  const target = record.objectives.rto.targetMs;
  const swatch = (kind: string) =>
    html`<svg width="24" height="12" aria-hidden="true">${bar(kind, 0, 100)}</svg>`;
  const tail = html`<svg width="24" height="12" aria-hidden="true"><line class="slack" x1="0" x2="24" y1="6" y2="6" /></svg>`;
  const failed = record.timeline.steps.some(step => step.result === 'failed');
  return html`<span class="key">Every step on one clock, in time since T0.</span>
<span class="key">${swatch('critical')} critical path</span> <span class="key">${swatch('other')} other steps</span>${failed && html` <span class="key">${swatch('failed')} failed</span>`}
<span class="key">${tail} slack</span>${
    target !== undefined &&
    !showsObjective(record, scale) &&
    html` The RTO of ${formatSpan(target)} lies beyond this picture.`
  }`;
}

function rowOf(row: Row, scale: Scale, links: readonly Html[]): Html {
  const lines = html`<use href="#clock" width="100%" height="100%" />${links}`;
  if (!row.step) {
    return html`<tr role="row" class="phase"><th role="rowheader" scope="row">${PHASE_NAMES[row.phase]}</th>
<td role="cell" class="track"><svg aria-hidden="true">${lines}</svg></td><td role="cell"></td></tr>
`;
  }
  const {step, startMs, endMs} = row;
  const ran = Number.isFinite(startMs);
  const kind = `${step.critical ? 'critical' : 'other'} ${step.result}`;
  const bars =
    ran && html`${slackTail(step, endMs, scale)}${bar(kind, scale.percent(startMs), scale.percent(endMs))}`;
  return html`<tr role="row" class="${step.critical ? 'step critical' : 'step'}"><th role="rowheader" scope="row">${label(step)}</th>
<td role="cell" class="track"><svg aria-hidden="true">${lines}${bars}</svg></td>
<td role="cell" class="num">${ran ? formatSpan(step.durationMs) : '–'}</td></tr>
`;
}

function label(step: DrillStep): Html {
  const notes = [
    step.group !== undefined && !step.name.includes(step.group) && step.group,
    step.attempts > 1 && `${step.attempts} attempts`,
    step.manual && 'waited for a person',
    !step.critical && step.slackMs !== undefined && step.slackMs > 0 && `slack ${formatSpan(step.slackMs)}`,
  ].filter(note => typeof note === 'string');
  const odd = step.result !== 'passed';
  return html`${odd && html`<span class="${toneOf(step.result)}">${icon(step.result)} <b>${step.result}</b></span> `}<span class="name">${step.name}</span>${
    step.critical && html`<span class="hidden"> (critical path)</span>`
  }${notes.length > 0 && html` <span class="aside">${notes.join(' · ')}</span>`}${
    (odd || step.manual) && step.message !== undefined && html`<small>${step.message}</small>`
  }`;
}

const BAR_HEIGHT = 12;

/** A bar from one place of the axis to another, in percent; never too thin to be seen. */
function bar(kind: string, from: number, to: number): Html {
  const x = Math.min(from, 99.5);
  const width = Math.max(0.5, Math.round((to - x) * 100) / 100);
  return html`<rect class="bar ${kind}" x="${x}%" width="${width}%" y="50%" height="${BAR_HEIGHT}" rx="2" transform="translate(0 ${-BAR_HEIGHT / 2})" />`;
}

function slackTail(step: DrillStep, endMs: number, scale: Scale): Html | undefined {
  if (step.critical || !step.slackMs) return undefined;
  const to = scale.percent(endMs + step.slackMs);
  return html`<line class="slack" x1="${scale.percent(endMs)}%" x2="${to}%" y1="50%" y2="50%" />`;
}
