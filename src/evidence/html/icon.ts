import {type Html, html} from './template.ts';

/** How something ended, by tone: each has a colour and an icon of its own shape, so colour is never needed. */
export type Tone = 'good' | 'bad' | 'warn' | 'calm';

const SHAPES: Record<string, Html> = {
  passed: html`<path d="M6.5 12.5l3.8 3.8 7.2-8.2" />`,
  failed: html`<path d="M7.5 7.5l9 9M16.5 7.5l-9 9" />`,
  error: html`<path d="M12 6.5v7M12 16.9v.2" />`,
  inconclusive: html`<path d="M9 9.4a3 3 0 1 1 4.4 2.6c-1 .6-1.4 1-1.4 2M12 17v.2" />`,
  skipped: html`<path d="M8 12h8" />`,
  aborted: html`<path d="M8.5 8.5h7v7h-7z" />`,
  info: html`<path d="M12 11v6M12 7v.2" />`,
};

const TONES: Record<string, Tone> = {
  passed: 'good',
  applied: 'good',
  failed: 'bad',
  critical: 'bad',
  high: 'bad',
  error: 'warn',
  inconclusive: 'warn',
  waived: 'warn',
  stated: 'warn',
  medium: 'warn',
};

const ALIASES: Record<string, string> = {
  applied: 'passed',
  waived: 'error',
  stated: 'inconclusive',
  notApplicable: 'skipped',
  critical: 'failed',
  high: 'failed',
  medium: 'error',
  low: 'info',
};

/** The tone of a result, verdict, guard state or severity. */
export const toneOf = (state: string): Tone => TONES[state] ?? 'calm';

/** The icon of a state, hidden from screen readers: the word always stands beside it. */
export function icon(state: string): Html {
  const shape = SHAPES[ALIASES[state] ?? state];
  return html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><circle cx="12" cy="12" r="10" />${shape}</svg>`;
}

const WORDS: Record<string, string> = {notApplicable: 'not applicable', stated: 'stated, not checked'};

/** Icon and word in the colour of the state. */
export function badge(state: string, word = WORDS[state] ?? state): Html {
  return html`<span class="badge ${toneOf(state)}">${icon(state)}${word}</span>`;
}
