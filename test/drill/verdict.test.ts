import {describe, expect, it} from 'vitest';
import type {StepOutcome} from '../../src/drill/graph.ts';
import {judgeRun, type VerdictInput} from '../../src/drill/verdict.ts';
import type {DrillProbe} from '../../src/evidence/record.ts';

const step = (
  id: string,
  result: StepOutcome['result'],
  phase: StepOutcome['phase'] = 'group',
): StepOutcome => ({
  id,
  name: id,
  phase,
  dependsOn: [],
  result,
  startedAt: new Date(0),
  endedAt: new Date(0),
  durationMs: 0,
  attempts: 1,
  message: `${id} ${result}`,
});

const probe = (name: string, verdict: DrillProbe['verdict'], required = true): DrillProbe => ({
  name,
  kind: 'sql',
  proves: 'dataCurrent',
  required,
  verdict,
  samples: [],
  durationMs: 0,
  message: `${name} ${verdict}`,
});

const good: VerdictInput = {
  outcomes: [step('restore', 'passed'), step('cleanup', 'passed', 'cleanup')],
  probes: [probe('rows', 'passed')],
  requiredProbes: ['rows'],
  failures: [],
  aborted: false,
  rto: {targetMs: 60_000, actualMs: 40_000},
  rpo: {targetMs: 3_600_000, actualMs: 1000},
  leftovers: false,
};

const judge = (change: Partial<VerdictInput>) => {
  const {verdict} = judgeRun({...good, ...change});
  return {result: verdict.result, exitCode: verdict.exitCode, summary: verdict.summary};
};

describe('judgeRun', () => {
  it('passes when everything was recovered, proved and in time', () => {
    expect(judge({})).toEqual({
      result: 'passed',
      exitCode: 0,
      summary: 'Recovered and verified: RTO 40.0s of 1m00s; RPO 1.0s of 1h00m',
    });
  });

  it.each<[string, Partial<VerdictInput>, string, number, string]>([
    ['a missed RTO', {rto: {targetMs: 30_000, actualMs: 40_000}}, 'passed', 4, '(missed)'],
    ['a missed RPO', {rpo: {targetMs: 500, actualMs: 1000}}, 'passed', 4, '(missed)'],
    ['a failed step', {outcomes: [step('db', 'failed')]}, 'failed', 3, 'db: db failed'],
    ['a failed required probe', {probes: [probe('rows', 'failed')]}, 'failed', 3, 'probe rows: rows failed'],
    [
      'an object that did not come back',
      {failures: ['missing Secret shop/db']},
      'failed',
      3,
      'missing Secret shop/db',
    ],
    [
      'a step that erred',
      {outcomes: [step('target', 'error', 'target')], probes: []},
      'error',
      1,
      'target: target error',
    ],
    [
      'an inconclusive required probe',
      {probes: [probe('rows', 'inconclusive')]},
      'inconclusive',
      6,
      'probe rows',
    ],
    ['a required probe that was not run', {probes: []}, 'inconclusive', 6, 'it was not run'],
    ['a skipped step', {outcomes: [step('late', 'skipped')]}, 'inconclusive', 6, 'late was skipped'],
    ['an abort', {aborted: true}, 'aborted', 130, 'stopped before its end'],
    ['something left behind', {leftovers: true}, 'passed', 3, 'Recovered'],
  ])('%s', (_what, change, result, exitCode, words) => {
    expect(judge(change)).toEqual({result, exitCode, summary: expect.stringContaining(words)});
  });

  it('names a failure before an error, because it says more about the recovery', () => {
    expect(judge({outcomes: [step('a', 'error'), step('b', 'failed')]}).summary).toContain('b failed');
  });

  it('does not count an optional probe against the recovery', () => {
    expect(judge({probes: [probe('rows', 'passed'), probe('extra', 'failed', false)]}).result).toBe('passed');
  });

  it('does not count a failure to collect logs against the recovery', () => {
    expect(judge({outcomes: [step('collect', 'error', 'finally')]}).result).toBe('passed');
  });
});
