import {EXIT, type ExitCode} from '../errors.ts';
import {exitCodeOf, judgeObjective} from '../evidence/judge.ts';
import type {DrillObjective, DrillProbe, DrillResult, DrillVerdict} from '../evidence/record.ts';
import {formatDuration} from '../std/duration.ts';
import type {StepOutcome} from './graph.ts';

export interface VerdictInput {
  outcomes: readonly StepOutcome[];
  probes: readonly DrillProbe[];
  /** Names of the probes that the plan requires, run or not. */
  requiredProbes: readonly string[];
  /** Findings that alone make the recovery a failed one, such as an object that did not come back. */
  failures: readonly string[];
  aborted: boolean;
  rto: {targetMs: number | undefined; actualMs: number | undefined};
  rpo: {targetMs: number | undefined; actualMs: number | undefined};
  leftovers: boolean;
}

export interface Judgement {
  exitCode: ExitCode;
  verdict: DrillVerdict;
  rto: DrillObjective;
  rpo: DrillObjective;
}

/**
 * The verdict of a run. What failed weighs more than what could not be told, and what was skipped is never passed.
 * Leftovers do not change whether the recovery worked, but the run does not exit 0 with something left running.
 */
export function judgeRun(input: VerdictInput): Judgement {
  const rto = judgeObjective(input.rto.targetMs, input.rto.actualMs);
  const rpo = judgeObjective(input.rpo.targetMs, input.rpo.actualMs);
  const missed = rto.met === false || rpo.met === false;
  const {result, why} = resultOf(input);
  const exitCode: ExitCode =
    input.leftovers && result === 'passed' ? EXIT.failed : exitCodeOf(result, missed);
  return {
    exitCode,
    verdict: {result, objectiveMissed: missed, exitCode, summary: summaryOf(result, why, rto, rpo)},
    rto,
    rpo,
  };
}

function resultOf(input: VerdictInput): {result: DrillResult; why: string} {
  if (input.aborted) return {result: 'aborted', why: 'it was stopped before its end'};
  const recovery = input.outcomes.filter(step => step.phase !== 'cleanup' && step.phase !== 'finally');
  const failedProbe = input.probes.find(probe => probe.required && probe.verdict === 'failed');
  const failedStep = recovery.find(step => step.result === 'failed' && step.phase !== 'probe');
  if (failedStep) return {result: 'failed', why: `${failedStep.name}: ${firstLine(failedStep.message)}`};
  if (failedProbe)
    return {result: 'failed', why: `probe ${failedProbe.name}: ${firstLine(failedProbe.message)}`};
  if (input.failures[0] !== undefined) return {result: 'failed', why: input.failures[0]};
  const broken = recovery.find(step => step.result === 'error' && step.phase !== 'probe');
  if (broken) return {result: 'error', why: `${broken.name}: ${firstLine(broken.message)}`};
  const passed = new Set(input.probes.filter(probe => probe.verdict === 'passed').map(probe => probe.name));
  const open = input.requiredProbes.find(name => !passed.has(name));
  if (open !== undefined) {
    const probe = input.probes.find(known => known.name === open);
    return {
      result: 'inconclusive',
      why: `probe ${open}: ${probe ? firstLine(probe.message) : 'it was not run'}`,
    };
  }
  const skipped = recovery.find(step => step.result === 'skipped');
  if (skipped) return {result: 'inconclusive', why: `${skipped.name} was skipped: ${skipped.message ?? ''}`};
  return {result: 'passed', why: ''};
}

const firstLine = (text: string | undefined) => text?.split('\n', 1)[0] ?? '';

function summaryOf(result: DrillResult, why: string, rto: DrillObjective, rpo: DrillObjective): string {
  if (result !== 'passed') return `${LEAD[result]}: ${why}`;
  const parts = [objectiveText('RTO', rto), objectiveText('RPO', rpo)].filter(text => text !== undefined);
  return `Recovered and verified${parts.length > 0 ? `: ${parts.join('; ')}` : ''}`;
}

const LEAD: Record<DrillResult, string> = {
  passed: 'Recovered and verified',
  failed: 'Not recovered',
  inconclusive: 'Recovered, but not verified',
  error: 'Could not be carried out',
  aborted: 'Aborted',
};

function objectiveText(name: string, objective: DrillObjective): string | undefined {
  if (objective.actualMs === undefined) return undefined;
  const actual = `${name} ${formatDuration(objective.actualMs)}`;
  if (objective.targetMs === undefined) return actual;
  return `${actual} of ${formatDuration(objective.targetMs)}${objective.met ? '' : ' (missed)'}`;
}
