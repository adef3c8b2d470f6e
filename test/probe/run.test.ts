import {describe, expect, test} from 'vitest';
import {PraError} from '../../src/errors.ts';
import type {DrillSample} from '../../src/evidence/record.ts';
import type {Observation, ProbeContext} from '../../src/probe/probe.ts';
import {type RunProbeOptions, runProbe} from '../../src/probe/run.ts';
import type {Clock} from '../../src/std/clock.ts';
import {sleep} from '../../src/std/wait.ts';
import {type ProbeText, planProbe} from './plan-probe.ts';

type Step = 'pass' | 'fail' | 'err';

/** Time that goes on only when it is told to. */
class HeldClock implements Clock {
  ms = 0;
  now = () => new Date(1_700_000_000_000 + this.ms);
  monotonic = () => this.ms;
}

/** Looks as the steps say, the last of them for ever; each look takes `lookMs` of the clock. */
function script(steps: readonly Step[], clock = new HeldClock(), lookMs = 10) {
  let looks = 0;
  const look = async (): Promise<Observation> => {
    const step = steps[Math.min(looks, steps.length - 1)];
    looks += 1;
    clock.ms += lookMs;
    if (step === 'err') throw new PraError('PORT_FORWARD_FAILED', `error ${looks}`, {why: 'no route'});
    return {passed: step === 'pass', message: `look ${looks}`, expected: 'all', observed: looks};
  };
  return {clock, look};
}

/** Never called: `look` stands for what a probe does. */
const context: ProbeContext = {
  get cluster(): never {
    throw new Error('no cluster here');
  },
  workloads: () => [],
  baselines: new Map(),
  canary: undefined,
};

const run = (policy: ProbeText['policy'], options: Partial<RunProbeOptions>, name = 'asked') =>
  runProbe(planProbe({name, health: {}, policy: {interval: '1ms', timeout: '1h', ...policy}}), context, {
    signal: AbortSignal.timeout(20_000),
    ...options,
  });

const outcomes = (samples: readonly DrillSample[]) => samples.map(({outcome}) => outcome);

describe('passing', () => {
  test('one pass is enough by default', async () => {
    const result = await run({}, script(['pass']));
    expect(result).toMatchObject({
      name: 'asked',
      kind: 'health',
      proves: 'functionWorks',
      required: true,
      verdict: 'passed',
      message: 'look 1',
      expected: 'all',
      observed: 1,
      durationMs: 10,
    });
    expect(result.samples).toEqual([
      {at: '2023-11-14T22:13:20.000Z', outcome: 'passed', message: 'look 1', observed: 1, durationMs: 10},
    ]);
  });

  test('successes must be in a row: a failure and an error both begin the count anew', async () => {
    const {samples, verdict} = await run(
      {successes: 2},
      script(['pass', 'fail', 'pass', 'err', 'pass', 'pass']),
    );
    expect(verdict).toBe('passed');
    expect(outcomes(samples)).toEqual(['passed', 'failed', 'passed', 'error', 'passed', 'passed']);
  });
});

describe('failing', () => {
  test('as many failures as the limit fail it, with what was seen last', async () => {
    const result = await run({failureLimit: 2}, script(['fail', 'fail', 'pass']));
    expect(result).toMatchObject({verdict: 'failed', message: 'look 2', observed: 2});
    expect(result.samples).toHaveLength(2);
  });

  test('failures need not be in a row', async () => {
    const {verdict, samples} = await run(
      {failureLimit: 2, successes: 2},
      script(['fail', 'pass', 'err', 'fail', 'pass']),
    );
    expect(verdict).toBe('failed');
    expect(samples).toHaveLength(4);
  });
});

describe('not being able to look', () => {
  test('errors up to the limit leave it inconclusive, and not failed', async () => {
    const result = await run({errorLimit: 3, failureLimit: 1}, script(['err']));
    expect(result).toMatchObject({
      verdict: 'inconclusive',
      message: 'error 3: no route',
      observed: undefined,
    });
    expect(outcomes(result.samples)).toEqual(['error', 'error', 'error']);
  });

  test('a probe that errs now and then still passes, and still fails', async () => {
    expect((await run({errorLimit: 3}, script(['err', 'err', 'pass']))).verdict).toBe('passed');
    expect((await run({errorLimit: 3, failureLimit: 1}, script(['err', 'err', 'fail']))).verdict).toBe(
      'failed',
    );
  });

  test('what was seen before the errors is kept', async () => {
    const result = await run({errorLimit: 1}, script(['fail', 'err']));
    expect(result).toMatchObject({verdict: 'inconclusive', expected: 'all', observed: 1});
  });

  test('something thrown that is no Error is told too', async () => {
    const result = await run({errorLimit: 1}, {look: () => Promise.reject('just text')});
    expect(result.message).toBe('just text');
  });
});

describe('time', () => {
  test('no answer before the deadline is inconclusive, and the failures until then are told', async () => {
    const scripted = script(['fail'], new HeldClock(), 4_000);
    const result = await run({timeout: '10s', failureLimit: 9}, scripted);
    expect(result).toMatchObject({verdict: 'inconclusive', message: 'no answer within 10.0s', observed: 3});
    expect(outcomes(result.samples)).toEqual(['failed', 'failed', 'failed']);
  });

  test('an answer that comes with the deadline counts', async () => {
    const scripted = script(['fail', 'pass'], new HeldClock(), 5_000);
    expect((await run({timeout: '10s'}, scripted)).verdict).toBe('passed');
  });

  test('a look that hangs is ended at the deadline of the probe', async () => {
    const look = async (signal: AbortSignal): Promise<Observation> => {
      await sleep(15_000, signal);
      return {passed: true, message: 'too late'};
    };
    const result = await run({timeout: '100ms'}, {look});
    expect(result.verdict).toBe('inconclusive');
    expect(result.durationMs).toBeLessThan(3_000);
  });

  test('the interval does not go past the deadline', async () => {
    const look = async (): Promise<Observation> => ({passed: false, message: 'no'});
    const result = await run({timeout: '100ms', interval: '1h'}, {look});
    expect(result.verdict).toBe('inconclusive');
    expect(result.durationMs).toBeLessThan(3_000);
  });

  test('the interval lies between two looks', async () => {
    const look = async (): Promise<Observation> => ({passed: true, message: 'yes'});
    const result = await run({interval: '60ms', successes: 3}, {look});
    expect(result.durationMs).toBeGreaterThanOrEqual(115);
  });
});

describe('stopping', () => {
  test('it rejects before the first look when it was stopped already', async () => {
    const scripted = script(['pass']);
    await expect(run({}, {...scripted, signal: AbortSignal.abort(new Error('stop'))})).rejects.toThrow(
      'stop',
    );
    expect(scripted.clock.ms).toBe(0);
  });

  test('stopped during a look it rejects with the reason, and takes it for no error of the probe', async () => {
    const stop = new AbortController();
    const look = async (signal: AbortSignal): Promise<Observation> => {
      stop.abort(new Error('stop'));
      signal.throwIfAborted();
      return {passed: true, message: 'never'};
    };
    await expect(run({errorLimit: 1}, {look, signal: stop.signal})).rejects.toThrow('stop');
  });

  test('stopped between two looks it rejects at once', async () => {
    const stop = new AbortController();
    const began = performance.now();
    const running = run({interval: '1h'}, {...script(['fail']), signal: stop.signal});
    setTimeout(() => stop.abort(), 30);
    await expect(running).rejects.toThrow('abort');
    expect(performance.now() - began).toBeLessThan(3_000);
  });
});

describe('what is recorded', () => {
  test('every look is told as it happens', async () => {
    const told: DrillSample[] = [];
    const result = await run({}, {...script(['fail', 'err', 'pass']), onSample: sample => told.push(sample)});
    expect(told).toEqual(result.samples);
  });

  test('of many looks the first 49 and the deciding one are kept', async () => {
    const steps = Array.from<Step>({length: 80}).fill('fail');
    const result = await run({failureLimit: 100}, script([...steps, 'pass']));
    expect(result.samples).toHaveLength(50);
    expect(result.samples[48]).toMatchObject({message: 'look 49'});
    expect(result.samples.at(-1)).toMatchObject({outcome: 'passed', message: 'look 81'});
  });

  test('probes that run at the same time know nothing of each other', async () => {
    const results = await Promise.all([
      run({successes: 3}, script(['pass']), 'good'),
      run({failureLimit: 2}, script(['fail']), 'bad'),
      run({errorLimit: 4}, script(['err']), 'blind'),
    ]);
    expect(results.map(({name, verdict, samples}) => [name, verdict, samples.length])).toEqual([
      ['good', 'passed', 3],
      ['bad', 'failed', 2],
      ['blind', 'inconclusive', 4],
    ]);
  });
});
