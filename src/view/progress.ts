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

const RUN_NAMES = {drill: 'drill', recover: 'recovery'} as const;

type StepEnded = Extract<DrillEvent, {type: 'step-ended'}>;

const SIGN = {passed: '✔', failed: '✖', error: '✖', skipped: '↷'} as const;
const COLOR = {passed: 'green', failed: 'red', error: 'red', skipped: 'yellow'} as const;

/** One line for each start, end and mark: what a CI log and a screen reader can follow. */
export function plainProgress(
  color: boolean,
  write: (line: string) => void = line => process.stderr.write(`${line}\n`),
): ProgressView {
  const names = new Map<string, string>();
  const manual = new Set<string>();
  const line = (at: string, text: string) => write(`${at.slice(11, 19)}Z ${text}`);
  let skipped: StepEnded[] = [];
  const tellSkipped = () => {
    const [first] = skipped;
    if (first) line(first.at, `${sign('skipped', color)} ${describeSkipped(skipped, names)}`);
    skipped = [];
  };
  const listener = (event: DrillEvent) => {
    if (event.type === 'step-ended' && event.result === 'skipped') {
      if (skipped[0] && skipped[0].message !== event.message) tellSkipped();
      skipped.push(event);
      return;
    }
    tellSkipped();
    switch (event.type) {
      case 'run-started':
        for (const step of event.steps) {
          names.set(step.id, step.name);
          if (step.manual) manual.add(step.id);
        }
        line(event.at, `${RUN_NAMES[event.mode]} ${event.drillId} of plan ${event.plan}`);
        break;
      case 'step-started':
        line(event.at, `▶ ${names.get(event.id) ?? event.id}`);
        break;
      case 'step-ended': {
        const said = event.message ? `: ${event.message}` : '';
        const took = formatDuration(event.durationMs);
        line(event.at, `${sign(event.result, color)} ${names.get(event.id) ?? event.id} (${took})${said}`);
        break;
      }
      case 'mark':
        line(event.at, `● ${event.mark} ${event.name} at ${formatDuration(event.elapsedMs)}`);
        break;
      case 'run-ended':
        line(event.at, `${RUN_NAMES[event.mode]} ${event.drillId} ended: ${event.verdict}`);
        break;
      case 'step-progress':
        // What a person is asked to do must be seen.
        if (manual.has(event.id)) line(new Date().toISOString(), `✋ ${event.message}`);
        break;
    }
  };
  return {listener, end: async () => undefined};
}

function sign(result: StepEnded['result'], color: boolean): string {
  return color ? styleText(COLOR[result], SIGN[result], {validateStream: false}) : SIGN[result];
}

/** Steps that fell to one cause are one line: it is the cause that must be seen. */
function describeSkipped(skipped: readonly StepEnded[], names: ReadonlyMap<string, string>): string {
  const [first] = skipped;
  const why = first?.message ? `: ${first.message}` : '';
  if (skipped.length > 1) return `${skipped.length} steps skipped${why}`;
  return `${names.get(first?.id ?? '') ?? first?.id} (skipped)${why}`;
}
