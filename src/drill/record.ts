import {userInfo} from 'node:os';
import type {ExitCode} from '../errors.ts';
import type {DrillDraft, DrillFinding, DrillRecord, DrillStep} from '../evidence/record.ts';
import {sealRecord} from '../evidence/seal.ts';
import {withCriticalPath} from '../evidence/timeline.ts';
import type {RunLog} from './context.ts';
import type {RunMode} from './event.ts';
import type {StepOutcome} from './graph.ts';
import type {Judgement} from './verdict.ts';

export interface RecordInput {
  drillId: string;
  sequence: number;
  mode: RunMode;
  plan: {name: string; hash: string; file: string};
  toolVersion: string;
  trigger: DrillRecord['identity']['trigger'];
  reason?: string | undefined;
  startedAt: Date;
  endedAt: Date;
  scenario?: string | undefined;
  scope: DrillRecord['scope'];
  outcomes: readonly StepOutcome[];
  log: RunLog;
  judgement: Judgement;
  /** The record before this one, whatever its verdict; records form a chain. */
  previous?: DrillRecord | undefined;
  lastPassed?: DrillRecord | undefined;
}

/**
 * The record of a run, whatever became of it: failed and aborted runs give the same record as passed ones.
 * @throws PraError BUG when pra itself put something into it that its schema does not allow.
 */
export function buildRecord(input: RecordInput): DrillRecord {
  const {log, judgement, previous} = input;
  const draft: DrillDraft = {
    apiVersion: 'pra/v1',
    kind: 'Drill',
    identity: {
      id: input.drillId,
      sequence: input.sequence,
      mode: input.mode,
      plan: input.plan,
      tool: {name: 'pra', version: input.toolVersion},
      tools: log.tools.length > 0 ? log.tools : undefined,
      trigger: input.trigger,
      operator: userInfo().username,
      reason: input.reason,
      startedAt: input.startedAt.toISOString(),
      endedAt: input.endedAt.toISOString(),
    },
    scenario: input.scenario,
    scope: input.scope,
    recoveryPoint: log.recoveryPoint,
    target: log.target,
    guards: log.guards.toSorted((a, b) => a.number - b.number),
    timeline: {
      marks: log.marks,
      steps: withCriticalPath(input.outcomes.map(stepOf)),
      humanWaitMs: humanWaitOf(input.outcomes),
    },
    completeness: log.completeness,
    volumes: log.volumes,
    verification: {probes: log.probes, notTested: log.notTested},
    verdict: judgement.verdict,
    objectives: {rto: judgement.rto, rpo: judgement.rpo, rtoMark: 'T5'},
    delta: deltaOf(judgement, input.lastPassed),
    cleanup: log.cleanup,
    findings: [...log.findings, ...failureFindings(input.outcomes, log)],
    integrity: {planHash: input.plan.hash, previous: previous?.integrity.digest},
  };
  return sealRecord(draft);
}

function stepOf(outcome: StepOutcome): DrillStep {
  const ran = outcome.result !== 'skipped';
  return {
    id: outcome.id,
    name: outcome.name,
    phase: outcome.phase,
    group: outcome.group,
    dependsOn: [...outcome.dependsOn],
    startedAt: ran ? outcome.startedAt.toISOString() : undefined,
    endedAt: ran ? outcome.endedAt.toISOString() : undefined,
    durationMs: outcome.durationMs,
    attempts: outcome.attempts,
    result: outcome.result,
    message: outcome.message,
    ...(outcome.manual ? {manual: true} : {}),
    critical: false,
  };
}

/** Time in which a person was waited for, ms; two at once count once. */
function humanWaitOf(outcomes: readonly StepOutcome[]): number {
  const waits = outcomes
    .filter(({manual, result}) => manual && result !== 'skipped')
    .map(({startedAt, endedAt}) => ({from: startedAt.getTime(), to: endedAt.getTime()}))
    .sort((a, b) => a.from - b.from);
  let total = 0;
  let until = 0;
  for (const {from, to} of waits) {
    total += Math.max(0, to - Math.max(from, until));
    until = Math.max(until, to);
  }
  return total;
}

function deltaOf(judgement: Judgement, previous: DrillRecord | undefined): DrillRecord['delta'] {
  if (!previous) return undefined;
  const before = previous.objectives.rto.actualMs;
  const now = judgement.rto.actualMs;
  return {
    previous: previous.identity.id,
    rtoMs: before === undefined || now === undefined ? undefined : now - before,
  };
}

/** Each step that threw becomes a finding with its cause and next step, unless a more precise finding tells it already. */
function failureFindings(outcomes: readonly StepOutcome[], log: RunLog): DrillFinding[] {
  return outcomes
    .filter(outcome => outcome.error !== undefined)
    .map((outcome, index) => ({
      id: `F${log.findings.length + index + 1}`,
      severity: severityOf(outcome, log),
      title: `${outcome.name}: ${outcome.error?.message ?? ''}`,
      cause: outcome.error?.why ?? outcome.error?.message ?? 'unknown',
      next: outcome.error?.next.join('; ') || `pra explain ${outcome.error?.code}`,
    }));
}

function severityOf(outcome: StepOutcome, log: RunLog): DrillFinding['severity'] {
  if (outcome.phase === 'finally') return 'low';
  const optional = log.probes.some(probe => !probe.required && outcome.id === `probe/${probe.name}`);
  return optional ? 'medium' : 'critical';
}

export interface FinishedRun {
  record: DrillRecord;
  exitCode: ExitCode;
  /** Where the bundle lies. */
  evidenceDir: string;
  /** What went wrong after the record was sealed. */
  warnings: string[];
  /** What a person has to know who goes on with the target. */
  remarks: string[];
}
