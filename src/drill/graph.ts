import {CATALOGUE, EXIT, messageOf, PraError} from '../errors.ts';
import type {Clock} from '../std/clock.ts';
import type {DrillListener, StepIdentity, StepResult} from './event.ts';

/** What a running step can tell and ask. */
export interface StepHandle {
  readonly signal: AbortSignal;
  progress(message: string): void;
  /** Counts a further attempt, for steps that retry. */
  attempt(): void;
}

export interface StepDefinition extends StepIdentity {
  /** Does the work. The text that it gives is kept as what was achieved. Throwing ends the step as failed or error. */
  run(step: StepHandle): Promise<string | undefined>;
  /** Runs whatever happened before, even after an abort: collecting and cleaning up. Its dependencies only order it. */
  always?: boolean;
  /** `stop`: its failure ends the run. `continue`: only what depends on it is skipped. */
  onFailure?: 'stop' | 'continue';
}

export interface StepOutcome extends StepIdentity {
  result: StepResult;
  startedAt: Date;
  endedAt: Date;
  durationMs: number;
  attempts: number;
  message?: string | undefined;
  /** What was thrown, for findings; undefined when it passed or was skipped. */
  error?: PraError | undefined;
}

export interface GraphOptions {
  signal: AbortSignal;
  clock: Clock;
  listener: DrillListener;
}

/**
 * Runs steps, each as soon as all that it depends on has ended. A step whose dependency did not pass is skipped and
 * says so; `always` steps run in any case and are not reached by the abort of the run.
 * @returns one outcome for each step, in the order in which they ended; it never rejects.
 * @throws PraError BUG when the dependencies name an unknown step or form a circle.
 */
export async function runGraph(
  steps: readonly StepDefinition[],
  options: GraphOptions,
): Promise<StepOutcome[]> {
  refuseBrokenGraph(steps);
  const outcomes = new Map<string, StepOutcome>();
  const running = new Map<string, Promise<void>>();
  const unaborted = new AbortController().signal;
  let stoppedBy: string | undefined;

  const start = (step: StepDefinition) => {
    const reason = step.always ? undefined : reasonToSkip(step, outcomes, stoppedBy, options.signal);
    const work =
      reason === undefined
        ? perform(step, step.always ? unaborted : options.signal, options)
        : Promise.resolve(skip(step, reason, options));
    running.set(
      step.id,
      work.then(outcome => {
        outcomes.set(step.id, outcome);
        running.delete(step.id);
        if (outcome.error && step.onFailure !== 'continue' && !step.always) stoppedBy ??= step.name;
      }),
    );
  };

  while (outcomes.size < steps.length) {
    for (const step of steps) {
      const waiting = !outcomes.has(step.id) && !running.has(step.id);
      if (waiting && step.dependsOn.every(id => outcomes.has(id))) start(step);
    }
    await Promise.race(running.values());
  }
  return [...outcomes.values()];
}

function reasonToSkip(
  step: StepDefinition,
  outcomes: ReadonlyMap<string, StepOutcome>,
  stoppedBy: string | undefined,
  signal: AbortSignal,
): string | undefined {
  if (signal.aborted) return 'the run was aborted';
  const unmet = step.dependsOn.map(id => outcomes.get(id)).find(outcome => outcome?.result !== 'passed');
  if (unmet)
    return unmet.result === 'skipped' ? (unmet.message ?? '') : `needs "${unmet.name}", which did not pass`;
  return stoppedBy === undefined ? undefined : `"${stoppedBy}" did not pass`;
}

function skip(step: StepDefinition, reason: string, {clock, listener}: GraphOptions): StepOutcome {
  const at = clock.now();
  listener({
    type: 'step-ended',
    id: step.id,
    result: 'skipped',
    durationMs: 0,
    message: reason,
    at: at.toISOString(),
  });
  return {
    ...identityOf(step),
    result: 'skipped',
    startedAt: at,
    endedAt: at,
    durationMs: 0,
    attempts: 0,
    message: reason,
  };
}

async function perform(
  step: StepDefinition,
  signal: AbortSignal,
  {clock, listener}: GraphOptions,
): Promise<StepOutcome> {
  const startedAt = clock.now();
  const began = clock.monotonic();
  let attempts = 1;
  listener({type: 'step-started', id: step.id, at: startedAt.toISOString()});
  const handle: StepHandle = {
    signal,
    progress: message => listener({type: 'step-progress', id: step.id, message}),
    attempt: () => {
      attempts += 1;
    },
  };
  let result: StepResult = 'passed';
  let message: string | undefined;
  let error: PraError | undefined;
  try {
    message = await step.run(handle);
  } catch (thrown) {
    error = asPraError(thrown);
    message = error.message;
    result = CATALOGUE[error.code].exit === EXIT.failed ? 'failed' : 'error';
  }
  const durationMs = Math.round(clock.monotonic() - began);
  const endedAt = clock.now();
  listener({
    type: 'step-ended',
    id: step.id,
    result,
    durationMs,
    message,
    code: error?.code,
    at: endedAt.toISOString(),
  });
  return {...identityOf(step), result, startedAt, endedAt, durationMs, attempts, message, error};
}

/** What of a step is told before it runs. */
export const identityOf = ({id, name, phase, group, dependsOn, manual}: StepIdentity): StepIdentity => ({
  id,
  name,
  phase,
  group,
  dependsOn,
  ...(manual ? {manual} : {}),
});

function asPraError(thrown: unknown): PraError {
  if (thrown instanceof PraError) return thrown;
  if (thrown instanceof Error && thrown.name === 'AbortError')
    return new PraError('INTERRUPTED', 'stopped before the end', {cause: thrown});
  return new PraError('BUG', messageOf(thrown), {cause: thrown});
}

function refuseBrokenGraph(steps: readonly StepDefinition[]): void {
  const reached = new Set<string>();
  let before = -1;
  while (reached.size !== before) {
    before = reached.size;
    for (const step of steps) if (step.dependsOn.every(id => reached.has(id))) reached.add(step.id);
  }
  const stuck = steps.filter(step => !reached.has(step.id)).map(step => step.id);
  if (stuck.length > 0) throw new PraError('BUG', `steps can never start: ${stuck.join(', ')}`);
}
