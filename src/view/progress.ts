import {styleText} from 'node:util';
import type {DrillEvent, DrillListener} from '../drill/event.ts';
import {formatDuration} from '../std/duration.ts';
import {listrProgress} from './progress-tree.ts';

export interface ProgressView {
  readonly listener: DrillListener;
  /** Draws what is left and lets go of the terminal. */
  end(): Promise<void>;
}

export interface ProgressOptions {
  interactive: boolean;
  color: boolean;
  quiet?: boolean;
}

/** Progress of a run on stderr: a live tree for a person at a terminal, otherwise one timestamped line for each change. */
export function openProgress(options: ProgressOptions): ProgressView {
  if (options.quiet) return {listener: () => undefined, end: async () => undefined};
  return options.interactive ? listrProgress() : plainProgress(options.color);
}

const SIGN = {passed: '✔', failed: '✖', error: '✖', skipped: '↷'} as const;
const COLOR = {passed: 'green', failed: 'red', error: 'red', skipped: 'yellow'} as const;

/** One line for each start, end and mark: what a CI log and a screen reader can follow. */
export function plainProgress(
  color: boolean,
  write: (line: string) => void = line => process.stderr.write(`${line}\n`),
): ProgressView {
  const names = new Map<string, string>();
  const line = (at: string, text: string) => write(`${at.slice(11, 19)}Z ${text}`);
  const listener = (event: DrillEvent) => {
    switch (event.type) {
      case 'run-started':
        for (const step of event.steps) names.set(step.id, step.name);
        line(event.at, `drill ${event.drillId} of plan ${event.plan}`);
        break;
      case 'step-started':
        line(event.at, `▶ ${names.get(event.id) ?? event.id}`);
        break;
      case 'step-ended': {
        const sign = color
          ? styleText(COLOR[event.result], SIGN[event.result], {validateStream: false})
          : SIGN[event.result];
        const took = event.result === 'skipped' ? 'skipped' : formatDuration(event.durationMs);
        line(
          event.at,
          `${sign} ${names.get(event.id) ?? event.id} (${took})${event.message ? `: ${event.message}` : ''}`,
        );
        break;
      }
      case 'mark':
        line(event.at, `● ${event.mark} ${event.name} at ${formatDuration(event.elapsedMs)}`);
        break;
      case 'run-ended':
        line(event.at, `drill ${event.drillId} ended: ${event.verdict}`);
        break;
      case 'step-progress':
        break;
    }
  };
  return {listener, end: async () => undefined};
}
