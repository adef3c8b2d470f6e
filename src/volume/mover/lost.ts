import {conditionOf, conditionsOf} from '../../cluster/health/condition.ts';
import {judgeHealth} from '../../cluster/health.ts';
import type {KubeObject} from '../../cluster/object.ts';
import {isRunning} from '../../cluster/running.ts';
import {PraError, type PraErrorOptions} from '../../errors.ts';
import {arrayAt, stringAt} from '../../std/json-at.ts';

/** The pod went while it was needed. Another one may do what it could not. */
export class MoverLost extends PraError {}

export const isUp = (pod: KubeObject) =>
  isRunning(pod) &&
  arrayAt(pod, 'status', 'containerStatuses').some(
    status => stringAt(status, 'state', 'running', 'startedAt') !== undefined,
  );

/** Why a pod that was up is of no use any more; undefined when it is. */
export function whyLost(pod: KubeObject | undefined): string | undefined {
  if (!pod) return 'its pod was deleted';
  if (pod.metadata.deletionTimestamp !== undefined) return 'its pod is being deleted';
  if (!isUp(pod)) return judgeHealth(pod).reason;
  // It has no probe, so that only a node which is not heard of makes it so.
  return conditionOf(pod, 'Ready')?.status === 'False'
    ? `its node ${stringAt(pod, 'spec', 'nodeName')} does not answer`
    : undefined;
}

/** Whether a Job was ended because it took longer than it may. */
export const isOverdue = (job: KubeObject) =>
  conditionsOf(job).some(({reason, status}) => reason === 'DeadlineExceeded' && status === 'True');

interface NamedMover {
  namespace: string;
  job: string;
}

/** What an error says of a mover. */
export const told = (
  mover: NamedMover,
  what: string,
  why: string,
  {cause, next = []}: {cause?: unknown; next?: string[]} = {},
): [string, PraErrorOptions] => [
  `the pod of Job ${mover.namespace}/${mover.job} ${what}`,
  {why, cause, next: [...next, `kubectl get events -n ${mover.namespace}`]},
];

export const failed = (...about: Parameters<typeof told>) => new PraError('MOVER_FAILED', ...told(...about));
