import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {findCriticalPath, type MeasuredStep, withCriticalPath} from '../../src/evidence/timeline.ts';
import {SAMPLES} from './samples.ts';

/** Runs of up to 12 steps; a step depends only on earlier ones and may start late or before they ended. */
const runs = fc
  .array(
    fc.record({
      wait: fc.integer({min: -5, max: 20}),
      duration: fc.integer({min: 0, max: 50}),
      picks: fc.array(fc.nat(30), {maxLength: 3}),
    }),
    {minLength: 1, maxLength: 12},
  )
  .map(raw => {
    const steps: MeasuredStep[] = [];
    for (const [i, {wait, duration, picks}] of raw.entries()) {
      const dependsOn = i === 0 ? [] : [...new Set(picks.map(pick => `s${pick % i}`))];
      const startMs = readyOf(dependsOn, new Map(steps.map(s => [s.id, s.endMs]))) + wait;
      steps.push({id: `s${i}`, dependsOn, startMs, endMs: startMs + duration});
    }
    return steps;
  });

function readyOf(dependsOn: readonly string[], ends: ReadonlyMap<string, number>): number {
  return dependsOn.length === 0 ? 0 : Math.max(...dependsOn.map(id => ends.get(id) ?? 0));
}

/** When the run would have ended had one step taken longer, all waits unchanged: by running it again. */
function endWith(steps: readonly MeasuredStep[], late: string, byMs: number): number {
  const measured = new Map(steps.map(step => [step.id, step.endMs]));
  const ends = new Map<string, number>();
  for (const step of steps) {
    const wait = step.startMs - readyOf(step.dependsOn, measured);
    const duration = step.endMs - step.startMs + (step.id === late ? byMs : 0);
    ends.set(step.id, readyOf(step.dependsOn, ends) + wait + duration);
  }
  return Math.max(...ends.values());
}

describe('critical path', () => {
  test('slack is exactly how much longer a step could have been', () => {
    fc.assert(
      fc.property(runs, steps => {
        const {slackMs} = findCriticalPath(steps);
        const end = Math.max(...steps.map(step => step.endMs));
        for (const {id} of steps) {
          const slack = slackMs.get(id) ?? -1;
          expect(slack).toBeGreaterThanOrEqual(0);
          expect(endWith(steps, id, slack)).toBe(end);
          expect(endWith(steps, id, slack + 1)).toBe(end + 1);
        }
      }),
    );
  });

  test('the path has no slack, follows dependencies, and leads to the end', () => {
    fc.assert(
      fc.property(runs, steps => {
        const {path, slackMs, totalMs} = findCriticalPath(steps);
        const byId = new Map(steps.map(step => [step.id, step]));
        const end = Math.max(...steps.map(step => step.endMs));
        expect(totalMs).toBe(end - Math.min(...steps.map(step => step.startMs)));
        expect(byId.get(path.at(-1) ?? '')?.endMs).toBe(end);
        expect(byId.get(path[0] ?? '')?.dependsOn).toEqual([]);
        for (const [i, id] of path.entries()) {
          expect(slackMs.get(id)).toBe(0);
          if (i > 0) expect(byId.get(id)?.dependsOn).toContain(path[i - 1]);
        }
      }),
    );
  });

  test('no steps, unknown dependencies, circles', () => {
    expect(findCriticalPath([])).toEqual({path: [], slackMs: new Map(), totalMs: 0});
    const step = {id: 'a', dependsOn: ['gone'], startMs: 0, endMs: 1};
    expect(findCriticalPath([step]).path).toEqual(['a']);
    const circle = [
      {...step, dependsOn: ['b']},
      {...step, id: 'b', dependsOn: ['a']},
    ];
    expect(() => findCriticalPath(circle)).toThrowError(expect.objectContaining({code: 'BUG'}));
  });

  test('only what ran between T0 and T5 takes part', () => {
    const steps = withCriticalPath(SAMPLES.passed.timeline.steps);
    const critical = steps.filter(step => step.critical).map(step => step.id);
    expect(critical[0]).toBe('terraform-init');
    expect(critical.at(-1)).toBe('probe-workloads');
    expect(steps.find(step => step.id === 'terraform-destroy')).not.toHaveProperty('slackMs');
    expect(steps.find(step => step.id === 'probe-orders')?.slackMs).toBe(2200);
  });
});
