import {formatBytes} from '../../std/bytes.ts';
import type {DrillRecord} from '../record.ts';
import {runWord} from '../run-word.ts';
import {formatCode, formatDifference, formatSpan, formatTime, plural} from './format.ts';
import {gauge} from './gauge.ts';
import {badge, icon, type Tone, toneOf} from './icon.ts';
import {type Html, type HtmlValue, html} from './template.ts';

const VERDICT_WORDS: Record<DrillRecord['verdict']['result'], string> = {
  passed: 'Passed',
  failed: 'Failed',
  inconclusive: 'Inconclusive',
  error: 'Error',
  aborted: 'Aborted',
};

/** The verdict in one or two words, for the heading and the window's title. */
export function verdictWords({verdict}: DrillRecord): string {
  const late = verdict.result === 'passed' && verdict.objectiveMissed;
  return late ? 'Passed, but an objective was missed' : VERDICT_WORDS[verdict.result];
}

/** The first screen: verdict, objectives, what was recovered where, when and by whom; the causes if it failed. */
export function hero(record: DrillRecord): Html {
  const {verdict, identity, scenario, objectives, delta} = record;
  const late = verdict.result === 'passed' && verdict.objectiveMissed;
  const tone: Tone = late ? 'warn' : toneOf(verdict.result);
  const faster =
    delta?.rtoMs === undefined
      ? undefined
      : `${formatDifference(delta.rtoMs)} to the last passed ${runWord(record)}`;
  return html`<header class="verdict ${tone}"><div class="wrap">
<p class="eyebrow">${identity.mode === 'drill' ? 'Recovery drill' : 'Recovery'} of plan <b>${identity.plan.name}</b></p>
<h1>${icon(late ? 'error' : verdict.result)}<span>${verdictWords(record)}</span></h1>
<p class="summary">${verdict.summary}</p>
${scenario !== undefined && html`<p class="scenario"><b>Scenario</b> ${scenario}</p>`}
${verdict.result !== 'passed' && causes(record)}
</div></header>
<div class="wrap"><div class="gauges">
${gauge({short: 'RTO', long: `recovery time, T0 to ${objectives.rtoMark}`, objective: objectives.rto, note: faster})}
${gauge({short: 'RPO', long: 'age of the recovery point', objective: objectives.rpo})}
</div>${facts(record)}</div>
`;
}

const SHOWN_CAUSES = 3;

function causes({findings}: DrillRecord): Html {
  const top = findings.filter(({severity}) => toneOf(severity) !== 'calm').slice(0, SHOWN_CAUSES);
  if (top.length === 0) return html``;
  const more = findings.length - top.length;
  return html`<ul class="causes">${top.map(({severity, title}) => html`<li>${badge(severity)} ${title}</li>`)}${
    more > 0 && html`<li><a href="#findings">${plural(more, 'more finding')}</a></li>`
  }</ul>`;
}

function facts(record: DrillRecord): Html {
  const {identity, recoveryPoint: point, target, scope} = record;
  const isDrill = identity.mode === 'drill';
  const ran = Date.parse(identity.endedAt) - Date.parse(identity.startedAt);
  return html`<dl class="facts">
${fact('Recovery point', point ? html`${formatCode(point.snapshot)}` : 'none chosen', point && html`${formatTime(point.createdAt)} · ${point.policy} · ${plural(point.objects, 'object')}, ${formatBytes(point.bytes).replace(' ', '\u00a0')}`)}
${fact('Recovered into', target ? target.provider : 'no target', target && html`${[target.version, target.endpoint].filter(Boolean).join(' · ')}${target.clusterUid && html`<br />UID ${formatCode(target.clusterUid)}`}`)}
${fact('When', formatTime(identity.startedAt), `whole run ${formatSpan(ran)}${isDrill ? ', clean-up included' : ''}`)}
${fact('By', identity.operator, [identity.trigger, identity.reason].filter(Boolean).join(' · '))}
${fact('Namespaces', scope.namespaces.length > 0 ? scope.namespaces.join(', ') : 'none', point && html`from ${point.source.context ?? 'source'} ${point.source.version}`)}
${fact(isDrill ? 'Drill' : 'Recovery', formatCode(identity.id), `no. ${identity.sequence} of this plan`)}
</dl>`;
}

function fact(name: string, value: HtmlValue, detail?: HtmlValue): Html {
  return html`<div><dt>${name}</dt><dd>${value}${detail !== undefined && detail !== '' && html`<small>${detail}</small>`}</dd></div>`;
}
