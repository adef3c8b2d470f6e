import {MARKS} from '../record/run.ts';
import type {DrillRecord} from '../record.ts';
import {formatClock, formatDifference, formatSpan} from './format.ts';
import {type Html, html} from './template.ts';

/** The marks in words: when each was reached and how long after the one before; those not reached say so. */
export function marks({timeline, objectives}: DrillRecord): Html {
  const {humanWaitMs} = timeline;
  let before: number | undefined;
  const items = MARKS.map(mark => {
    const reached = timeline.marks.find(m => m.mark === mark);
    if (!reached) return html`<li class="missing"><b>${mark}</b> <span class="none">not reached</span></li>`;
    const took = before === undefined ? undefined : formatDifference(reached.elapsedMs - before);
    before = reached.elapsedMs;
    return html`<li class="${mark === objectives.rtoMark ? 'compared' : 'reached'}"><b>${mark}</b> <span>${reached.name}</span>
<strong>${formatSpan(reached.elapsedMs)}</strong><small>${took && html`${took} · `}${formatClock(reached.at)}${
      mark === objectives.rtoMark && ' · compared with the RTO'
    }</small></li>`;
  });
  return html`<ol class="marks">${items}</ol>${
    humanWaitMs > 0 &&
    html`<p class="lead">${formatSpan(humanWaitMs)} of it was waiting for people; it counts.</p>`
  }`;
}
