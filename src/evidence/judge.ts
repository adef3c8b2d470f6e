import {EXIT, type ExitCode} from '../errors.ts';
import type {DrillObjective, DrillResult} from './record.ts';

/**
 * Compares what was measured with what was promised, both in ms. What is not known stays absent: an objective
 * that could not be measured is not met, but it is not missed by a number either.
 */
export function judgeObjective(targetMs: number | undefined, actualMs: number | undefined): DrillObjective {
  if (targetMs === undefined || actualMs === undefined) return {targetMs, actualMs};
  const marginMs = targetMs - actualMs;
  return {targetMs, actualMs, met: marginMs >= 0, marginMs};
}

const RESULT_EXIT = {
  passed: EXIT.ok,
  failed: EXIT.failed,
  inconclusive: EXIT.inconclusive,
  error: EXIT.error,
  aborted: EXIT.interrupted,
} as const satisfies Record<DrillResult, ExitCode>;

/** The exit code of a verdict: a recovery that was verified but came too late is 4, never 0. */
export function exitCodeOf(result: DrillResult, objectiveMissed: boolean): ExitCode {
  return result === 'passed' && objectiveMissed ? EXIT.objectiveMissed : RESULT_EXIT[result];
}
