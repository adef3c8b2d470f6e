import {at, numberAt} from '../../std/json-at.ts';
import {conditionOf, textOf} from './condition.ts';
import {podTrouble} from './pod.ts';
import {degraded, healthy, type Judge, progressing, suspended} from './state.ts';

export const judgeJob: Judge = (object, context) => {
  const failed = conditionOf(object, 'Failed') ?? conditionOf(object, 'FailureTarget');
  if (failed?.status === 'True') return degraded(textOf(failed));
  if (conditionOf(object, 'Complete')?.status === 'True') return healthy('complete');
  if (at(object, 'spec', 'suspend') === true) return suspended('suspended');
  const wanted = numberAt(object, 'spec', 'completions') ?? 1;
  const done = numberAt(object, 'status', 'succeeded') ?? 0;
  const trouble = (context.pods ?? [])
    .map(pod => podTrouble(pod, context.events))
    .find(found => found?.stuck);
  const seen = `${done} of ${wanted} completions`;
  return trouble ? degraded(`${seen}: ${trouble.reason}`) : progressing(seen);
};

export const judgeCronJob: Judge = object =>
  at(object, 'spec', 'suspend') === true ? suspended('suspended') : healthy('scheduled');
