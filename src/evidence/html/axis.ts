import type {DrillRecord} from '../record.ts';
import {formatDifference, formatSpan} from './format.ts';
import {type Scale, stackLabels} from './scale.ts';
import {type Html, html} from './template.ts';

/** How wide a character of a label is on a narrow screen, in percent of the picture. */
const CHARACTER_PERCENT = 2.8;
/** Ticks are small enough to stand out a little at the ends. */
const TICK_PERCENT = 6;
const LABEL_HEIGHT = 16;

/** Whether the RTO lies within the times that the picture shows. */
export const showsObjective = ({objectives}: DrillRecord, scale: Scale): boolean =>
  objectives.rto.targetMs !== undefined && objectives.rto.targetMs <= scale.toMs;

/** The head of the picture: the marks and the objective by name, and round times below. */
export function axis(record: DrillRecord, scale: Scale): Html {
  const named = labelsOf(record, scale);
  const rows = stackLabels(named);
  const height = 34 + LABEL_HEIGHT * Math.max(0, ...rows);
  const labels = named.map(({x, width, text, line}, i) => {
    const y = height - 21 - LABEL_HEIGHT * (rows[i] ?? 0);
    const stem =
      (rows[i] ?? 0) > 0 &&
      html`<line class="${line}" x1="${x}%" x2="${x}%" y1="${y + 2}" y2="${height - 16}" />`;
    return html`${stem}<text class="${line}-label" x="${x}%" y="${y}" ${place(x, width)}>${text}</text>`;
  });
  const ticks = scale.ticksMs.map(ms => {
    const x = scale.percent(ms);
    const text = formatSpan(ms);
    return html`<text class="tick" x="${x}%" y="${height - 4}" ${place(x, TICK_PERCENT)}>${text}</text>`;
  });
  return html`<span class="hidden">Time since T0, from ${formatDifference(scale.fromMs)} to ${formatDifference(scale.toMs)}</span>
<svg aria-hidden="true" height="${height}">${backdrop(record, scale)}${ticks}${labels}</svg>`;
}

function labelsOf(record: DrillRecord, scale: Scale) {
  const labels = record.timeline.marks.map(({mark, elapsedMs}) => ({
    ms: elapsedMs,
    text: `${mark}`,
    line: 'mark',
  }));
  const target = record.objectives.rto.targetMs;
  if (target !== undefined && showsObjective(record, scale)) {
    labels.push({ms: target, text: `RTO ${formatSpan(target)}`, line: 'objective'});
  }
  return labels
    .sort((a, b) => a.ms - b.ms)
    .map(label => ({...label, x: scale.percent(label.ms), width: widthOf(label.text)}));
}

const widthOf = (text: string) => (text.length + 0.7) * CHARACTER_PERCENT;

/** Labels at the ends stay inside the picture. */
function place(x: number, width: number): Html {
  if (x < width / 2) return html`text-anchor="start"`;
  return x > 100 - width / 2 ? html`text-anchor="end"` : html`text-anchor="middle"`;
}

/** The lines that run through all rows, drawn once here and used by each row. */
function backdrop(record: DrillRecord, scale: Scale): Html {
  const line = (kind: string, ms: number) => {
    const x = scale.percent(ms);
    return html`<line class="${kind}" x1="${x}%" x2="${x}%" y1="0" y2="100%" />`;
  };
  const grid = scale.ticksMs.map(ms => line('grid', ms));
  const lines = labelsOf(record, scale).map(label => line(label.line, label.ms));
  return html`<symbol id="clock" overflow="visible">${grid}${lines}</symbol>`;
}
