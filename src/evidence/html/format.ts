import {formatDuration} from '../../std/duration.ts';
import {type Html, html} from './template.ts';

const thousands = new Intl.NumberFormat('en-US');

/** A count with thousands separated: `12,400`. */
export const formatCount = (n: number): string => thousands.format(n);

/** `2026-11-23 15:45:12 UTC`, with the exact time for machines. */
export function formatTime(iso: string): Html {
  const text = `${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC`;
  return html`<time datetime="${iso}">${text}</time>`;
}

/** A duration in ms without idle zeros: `45m`, `1h30m`, `15s`, `0s`. */
export function formatSpan(ms: number): string {
  if (ms === 0) return '0s';
  return formatDuration(ms)
    .replace(/\.0s$/, 's')
    .replace(/(?<=\d[mh])00[sm]$/, '')
    .replace(/(?<=\dd)0h$/, '');
}

/** `15:45:12`, for where the day is told already. */
export function formatClock(iso: string): Html {
  return html`<time datetime="${iso}">${iso.slice(11, 19)}</time>`;
}

/** `+3.2s`, `−1m04s`, `0s`: a difference with its sign, in ms. */
export function formatDifference(ms: number): string {
  if (ms === 0) return '0s';
  return `${ms > 0 ? '+' : '−'}${formatSpan(Math.abs(ms))}`;
}

/** A long digest that may break anywhere, in the fixed-width face. */
export const formatCode = (text: string): Html => html`<code>${text}</code>`;

/** `1 object`, `3 objects`. */
export const plural = (n: number, noun: string): string => `${formatCount(n)} ${noun}${n === 1 ? '' : 's'}`;
