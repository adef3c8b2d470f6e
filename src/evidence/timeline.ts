import {PraError} from '../errors.ts';
import type {DrillPhase, DrillStep} from './record.ts';

/** The phases that the RTO clock runs through; the snapshot comes before it, finally and cleanup after. */
const TIMED: ReadonlySet<DrillPhase> = new Set(['target', 'restore', 'group', 'probe']);

/** A step as measured; times in ms from any common origin. */
export interface MeasuredStep {
  id: string;
  dependsOn: readonly string[];
  startMs: number;
  endMs: number;
}

export interface CriticalPath {
  /** Ids from the first step to the one that ended last, each the one that the next waited for longest. */
  path: string[];
  /** Per step: how much longer it could have taken without moving the end. */
  slackMs: Map<string, number>;
  /** From the first start to the last end. */
  totalMs: number;
}

/**
 * Critical path and slack of a run that has been measured (critical path method, with the wait between the end
 * of a step's last dependency and its start counted as part of the step). Dependencies that are not among the
 * steps are ignored.
 * @throws PraError BUG when steps depend on each other in a circle.
 */
export function findCriticalPath(steps: readonly MeasuredStep[]): CriticalPath {
  const byId = new Map(steps.map(step => [step.id, step]));
  const followers = new Map<string, MeasuredStep[]>();
  for (const step of steps) {
    for (const id of step.dependsOn) followers.set(id, [...(followers.get(id) ?? []), step]);
  }
  const end = Math.max(...steps.map(step => step.endMs));
  const slackMs = new Map<string, number>();
  const dependencies = (step: MeasuredStep) => step.dependsOn.flatMap(id => byId.get(id) ?? []);
  const slackOf = (step: MeasuredStep, above: ReadonlySet<string>): number => {
    const known = slackMs.get(step.id);
    if (known !== undefined) return known;
    if (above.has(step.id)) throw new PraError('BUG', `step ${step.id} depends on itself in a circle`);
    const path = new Set(above).add(step.id);
    let slack = end - step.endMs;
    for (const follower of followers.get(step.id) ?? []) {
      const ready = Math.max(...dependencies(follower).map(d => d.endMs));
      slack = Math.min(slack, slackOf(follower, path) + ready - step.endMs);
    }
    slackMs.set(step.id, slack);
    return slack;
  };
  for (const step of steps) slackOf(step, new Set());
  const path: string[] = [];
  for (let step = lastOf(steps); step; step = lastOf(dependencies(step))) path.unshift(step.id);
  const start = Math.min(...steps.map(step => step.startMs));
  return {path, slackMs, totalMs: steps.length === 0 ? 0 : end - start};
}

/** The step that ended last; of several, the one whose id sorts first, so that the answer is always the same. */
function lastOf(steps: readonly MeasuredStep[]): MeasuredStep | undefined {
  return steps.reduce<MeasuredStep | undefined>((last, step) => {
    if (!last || step.endMs > last.endMs) return step;
    return step.endMs === last.endMs && step.id < last.id ? step : last;
  }, undefined);
}

/**
 * The steps of a record with `critical` and `slackMs` set, from `dependsOn` and the measured times. Only steps
 * that ran within the RTO clock take part; all others are not critical and have no slack.
 */
export function withCriticalPath(steps: readonly DrillStep[]): DrillStep[] {
  const measured = steps.flatMap(step => {
    if (!TIMED.has(step.phase) || !step.startedAt || !step.endedAt) return [];
    const {id, dependsOn} = step;
    return [{id, dependsOn, startMs: Date.parse(step.startedAt), endMs: Date.parse(step.endedAt)}];
  });
  const {path, slackMs} = findCriticalPath(measured);
  const critical = new Set(path);
  return steps.map(({slackMs: _, ...step}) => {
    const slack = slackMs.get(step.id);
    return {...step, critical: critical.has(step.id), ...(slack === undefined ? {} : {slackMs: slack})};
  });
}
