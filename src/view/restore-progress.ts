import type {ObjectHealth} from '../cluster/wait-healthy.ts';
import type {StepIdentity} from '../drill/event.ts';
import {waveTitle} from '../restore/order.ts';
import type {RestorePlan} from '../restore/preview.ts';
import type {RestoreEvent} from '../restore/session.ts';
import {formatDuration} from '../std/duration.ts';
import type {ProgressOptions} from './progress.ts';
import {listrProgress} from './progress-tree.ts';

export interface RestoreProgress {
  listener(event: RestoreEvent): void;
  onHealth(health: ObjectHealth): void;
  /** Draws what is left and lets go of the terminal. */
  end(): Promise<void>;
}

/** How often a long wave says how far it is, on a terminal and in a log. */
const LIVE_MS = 100;
const LOG_MS = 5000;

/** Progress of a restore on stderr, wave by wave: a live tree at a terminal, lines otherwise. */
export function openRestoreProgress(options: ProgressOptions, plan: RestorePlan): RestoreProgress {
  if (options.quiet)
    return {listener: () => undefined, onHealth: () => undefined, end: async () => undefined};
  return options.interactive ? treeProgress(plan) : lineProgress();
}

function lineProgress(): RestoreProgress {
  const write = (text: string) =>
    process.stderr.write(`${new Date().toISOString().slice(11, 19)}Z ${text}\n`);
  const counter = new Counter(LOG_MS, text => write(`  ${text}`));
  return {
    listener: event => {
      counter.note(event);
      if (event.type === 'wave-ended')
        write(
          `${event.failed > 0 ? '✖' : '✔'} ${event.wave}: ${endText(event)} (${formatDuration(event.durationMs)})`,
        );
      if (event.type === 'waiting') write(`… waiting for ${event.waitingFor}`);
      if (event.type === 'warning') write(`! ${event.message}`);
      if (event.type === 'volume') write(`  ${event.message}`);
      if (event.type === 'workload-started') write(`▶ group ${event.group}: ${event.ref} started`);
      if (event.type === 'workload-healthy')
        write(`✔ group ${event.group}: ${event.ref} healthy after ${formatDuration(event.afterMs)}`);
    },
    onHealth: ({ref, state, reason}) => write(`  ${ref}: ${state}${reason ? `, ${reason}` : ''}`),
    end: async () => undefined,
  };
}

function endText({restored, failed}: {restored: number; failed: number}): string {
  const text = `${restored} ${restored === 1 ? 'object' : 'objects'}`;
  return failed > 0 ? `${text}, ${failed} failed` : text;
}

function treeProgress(plan: RestorePlan): RestoreProgress {
  const tree = listrProgress();
  const at = () => new Date().toISOString();
  const steps: StepIdentity[] = [
    ...plan.waves.filter(({when}) => when === 'before-groups').map(waveTitle),
    ...plan.groups.map(({name}) => `group ${name}`),
    ...plan.waves.filter(({when}) => when === 'after-groups').map(waveTitle),
    'workloads',
  ].map((name, index) => ({id: String(index), name, phase: 'restore', dependsOn: []}));
  let current = -1;
  const end = (result: 'passed' | 'failed', durationMs: number, message?: string) =>
    tree.listener({type: 'step-ended', id: String(current), result, durationMs, message, at: at()});
  const start = (id: number) => {
    current = id;
    tree.listener({type: 'step-started', id: String(id), at: at()});
  };
  const say = (message: string) =>
    tree.listener({type: 'step-progress', id: String(Math.max(current, 0)), message});
  const counter = new Counter(LIVE_MS, say);
  let next = 0;
  const indexOf = (name: string) => steps.findIndex((step, index) => index >= next && step.name === name);
  tree.listener({type: 'run-started', drillId: '', mode: 'recover', plan: '', runDir: '', steps, at: at()});
  return {
    listener: event => {
      counter.note(event);
      if (event.type === 'wave-started') {
        const index = indexOf(event.wave);
        if (index >= 0) start(index);
        next = index + 1;
      }
      if (event.type === 'wave-ended')
        end(event.failed > 0 ? 'failed' : 'passed', event.durationMs, endText(event));
      if (event.type === 'workload-started') {
        const index = steps.findIndex(({name}) => name === `group ${event.group}`);
        if (index !== current) start(index);
        say(`${event.ref} started`);
      }
      if (event.type === 'workload-healthy') say(`${event.ref} healthy`);
      if (event.type === 'waiting') say(`waiting for ${event.waitingFor}`);
      if (event.type === 'warning' || event.type === 'volume') say(event.message);
    },
    onHealth: ({ref, state, reason}) => {
      if (current !== steps.length - 1) start(steps.length - 1);
      say(`${ref}: ${state}${reason ? `, ${reason}` : ''}`);
    },
    end: () => tree.end(),
  };
}

/** Counts the objects of a wave, and says so now and then. */
class Counter {
  readonly #everyMs: number;
  readonly #say: (text: string) => void;
  #wave = '';
  #objects = 0;
  #done = 0;
  #toldAt = 0;

  constructor(everyMs: number, say: (text: string) => void) {
    this.#everyMs = everyMs;
    this.#say = say;
  }

  note(event: RestoreEvent): void {
    if (event.type === 'wave-started') {
      this.#wave = event.wave;
      this.#objects = event.objects;
      this.#done = 0;
      this.#toldAt = performance.now();
    }
    if (event.type !== 'object') return;
    this.#done += 1;
    if (performance.now() - this.#toldAt < this.#everyMs) return;
    this.#toldAt = performance.now();
    this.#say(`${this.#wave}: ${this.#done} of ${this.#objects} objects`);
  }
}
