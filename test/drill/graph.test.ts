import fc from 'fast-check';
import {describe, expect, it} from 'vitest';
import type {DrillEvent} from '../../src/drill/event.ts';
import {runGraph, type StepDefinition} from '../../src/drill/graph.ts';
import {PraError} from '../../src/errors.ts';
import {systemClock} from '../../src/std/clock.ts';

const step = (id: string, dependsOn: string[] = [], more: Partial<StepDefinition> = {}): StepDefinition => ({
  id,
  name: id,
  phase: 'group',
  dependsOn,
  run: async () => undefined,
  ...more,
});

const run = (steps: StepDefinition[], signal: AbortSignal = new AbortController().signal) => {
  const events: DrillEvent[] = [];
  return runGraph(steps, {signal, clock: systemClock, listener: event => events.push(event)}).then(
    outcomes => ({outcomes, events}),
  );
};

const fails = async (): Promise<undefined> => {
  throw new PraError('RESTORE_FAILED', 'broken');
};

const resultsOf = (outcomes: {id: string; result: string}[]) =>
  Object.fromEntries(outcomes.map(o => [o.id, o.result]));

describe('runGraph', () => {
  it('starts a step only after all that it depends on has passed, whatever the graph', async () => {
    const graph = fc.array(fc.array(fc.nat(), {maxLength: 3}), {minLength: 1, maxLength: 12});
    await fc.assert(
      fc.asyncProperty(graph, async edges => {
        const ended = new Set<string>();
        const early: string[] = [];
        const steps = edges.map((targets, i) => {
          const dependsOn = i === 0 ? [] : [...new Set(targets.map(t => `s${t % i}`))];
          return step(`s${i}`, dependsOn, {
            run: async () => {
              early.push(...dependsOn.filter(id => !ended.has(id)));
              await Promise.resolve();
              ended.add(`s${i}`);
              return undefined;
            },
          });
        });
        const {outcomes} = await run(steps);
        expect(early).toEqual([]);
        expect(outcomes.map(o => o.result)).toEqual(steps.map(() => 'passed'));
      }),
    );
  });

  it('skips what depends on a failure and names the cause, but always cleans up', async () => {
    const {outcomes} = await run([
      step('target'),
      step('db', ['target'], {run: fails}),
      step('app', ['db']),
      step('probe', ['app']),
      step('cleanup', ['probe'], {always: true}),
    ]);
    expect(resultsOf(outcomes)).toEqual({
      target: 'passed',
      db: 'failed',
      app: 'skipped',
      probe: 'skipped',
      cleanup: 'passed',
    });
    expect(outcomes.find(o => o.id === 'probe')?.message).toBe('needs "db", which did not pass');
  });

  it('goes on with other branches only when the failed step says continue', async () => {
    const branches = (onFailure: 'stop' | 'continue') => {
      const slow = Promise.withResolvers<undefined>();
      return run([
        step('a', [], {run: fails, onFailure}),
        step('b', [], {
          run: async () => {
            setTimeout(() => slow.resolve(undefined), 5);
            return slow.promise;
          },
        }),
        step('c', ['b']),
      ]);
    };
    expect(resultsOf((await branches('stop')).outcomes)).toMatchObject({b: 'passed', c: 'skipped'});
    expect(resultsOf((await branches('continue')).outcomes)).toMatchObject({b: 'passed', c: 'passed'});
  });

  it('after an abort runs nothing but the always steps', async () => {
    const controller = new AbortController();
    const {outcomes} = await run(
      [
        step('one', [], {
          run: async handle => {
            controller.abort(new PraError('INTERRUPTED', 'stopped by SIGINT'));
            handle.signal.throwIfAborted();
            return undefined;
          },
        }),
        step('two', ['one']),
        step('cleanup', ['two'], {
          always: true,
          run: async handle => {
            expect(handle.signal.aborted).toBe(false);
            return undefined;
          },
        }),
      ],
      controller.signal,
    );
    expect(resultsOf(outcomes)).toEqual({one: 'error', two: 'skipped', cleanup: 'passed'});
  });

  it('refuses a graph in which a step can never start', async () => {
    await expect(run([step('a', ['b']), step('b', ['a'])])).rejects.toThrow('steps can never start: a, b');
  });
});
