import type {DrillProbe, DrillSample} from '../evidence/record.ts';
import type {PlanProbe} from '../plan/schema.ts';
import {type Clock, systemClock} from '../std/clock.ts';
import {formatDuration} from '../std/duration.ts';
import {sleep, withDeadline} from '../std/wait.ts';
import {kindOf, observe} from './kind.ts';
import {explain, type Observation, type ProbeContext} from './probe.ts';

const LOOK_TIMEOUT_MS = 30_000;
const MAX_SAMPLES = 50;

export interface RunProbeOptions {
  signal: AbortSignal;
  clock?: Clock;
  onSample?: (sample: DrillSample) => void;
  /** Looks once; only tests give another. */
  look?: (signal: AbortSignal) => Promise<Observation>;
}

/**
 * Looks again and again until the policy of the probe has an answer: enough passes in a row, or too many failures. A look
 * that errs has not failed; too many of them, or no answer before the deadline, leave the probe inconclusive.
 * @returns the probe as the record has it. It rejects only when the signal aborts.
 */
export async function runProbe(
  probe: PlanProbe,
  context: ProbeContext,
  options: RunProbeOptions,
): Promise<DrillProbe> {
  const clock = options.clock ?? systemClock;
  const look = options.look ?? (signal => observe(probe, context, signal));
  const {policy} = probe;
  const began = clock.monotonic();
  const samples: DrillSample[] = [];
  const tally = {passes: 0, failures: 0, errors: 0};
  const elapsed = () => clock.monotonic() - began;
  const leftMs = () => Math.max(0, Math.ceil(policy.timeout - elapsed()));
  let last: Observation | undefined;
  for (;;) {
    options.signal.throwIfAborted();
    // Reading all files of a folder takes as long as the plan lets it.
    const deadlineMs = Math.min(probe.checksum ? policy.timeout : LOOK_TIMEOUT_MS, leftMs());
    const {sample, seen} = await takeSample(look, deadlineMs, options.signal, clock);
    if (seen) last = seen;
    // The last one is the one that decides: it is always kept.
    if (samples.length === MAX_SAMPLES) samples.pop();
    samples.push(sample);
    options.onSample?.(sample);
    count(tally, sample.outcome);
    let verdict = decide(tally, policy, elapsed());
    if (!verdict) {
      await sleep(Math.min(policy.interval, leftMs()), options.signal);
      verdict = decide(tally, policy, elapsed());
    }
    if (verdict) {
      const message = verdict.message ?? sample.message;
      return {
        name: probe.name,
        kind: kindOf(probe),
        proves: probe.proves,
        required: probe.required,
        verdict: verdict.verdict,
        expected: last?.expected,
        observed: last?.observed,
        samples,
        durationMs: elapsed(),
        message,
      };
    }
  }
}

async function takeSample(
  look: (signal: AbortSignal) => Promise<Observation>,
  deadlineMs: number,
  signal: AbortSignal,
  clock: Clock,
): Promise<{sample: DrillSample; seen?: Observation}> {
  const at = clock.now().toISOString();
  const began = clock.monotonic();
  const took = () => clock.monotonic() - began;
  try {
    const seen = await look(withDeadline(deadlineMs, signal));
    const outcome = seen.passed ? 'passed' : 'failed';
    return {sample: {at, outcome, message: seen.message, observed: seen.observed, durationMs: took()}, seen};
  } catch (error) {
    signal.throwIfAborted();
    return {sample: {at, outcome: 'error', message: explain(error), durationMs: took()}};
  }
}

interface Tally {
  passes: number;
  failures: number;
  errors: number;
}

function count(tally: Tally, outcome: DrillSample['outcome']): void {
  if (outcome === 'passed') tally.passes += 1;
  else tally.passes = 0;
  if (outcome === 'failed') tally.failures += 1;
  if (outcome === 'error') tally.errors += 1;
}

function decide(
  tally: Tally,
  policy: PlanProbe['policy'],
  elapsedMs: number,
): {verdict: DrillProbe['verdict']; message?: string} | undefined {
  if (tally.passes >= policy.successes) return {verdict: 'passed'};
  if (tally.failures >= policy.failureLimit) return {verdict: 'failed'};
  if (tally.errors >= policy.errorLimit) return {verdict: 'inconclusive'};
  if (elapsedMs < policy.timeout) return undefined;
  return {verdict: 'inconclusive', message: `no answer within ${formatDuration(policy.timeout)}`};
}
