import {arrayAt, numberAt, objectAt, stringAt} from '../../std/json-at.ts';
import type {KubeObject} from '../object.ts';
import {conditionOf, textOf} from './condition.ts';
import {lastWarning} from './event.ts';
import {degraded, type Health, type HealthContext, healthy, progressing} from './state.ts';

/** Why a pod is not ready; `stuck` when waiting alone is unlikely to help. */
export interface PodTrouble {
  reason: string;
  stuck: boolean;
}

/** Reasons for which the kubelet waits and tries again until somebody mends the cause. */
const STUCK = new Set([
  'ErrImagePull',
  'ImagePullBackOff',
  'ErrImageNeverPull',
  'InvalidImageName',
  'ImageInspectError',
  'RegistryUnavailable',
  'CreateContainerConfigError',
  'CreateContainerError',
  'RunContainerError',
  'CrashLoopBackOff',
]);
const REASON_LENGTH = 400;

/** A running pod whose containers are ready, or one that ran to its end. */
export function judgePod(pod: KubeObject, context: HealthContext): Health {
  if (stringAt(pod, 'status', 'phase') === 'Succeeded') return healthy('ran to its end');
  const trouble = podTrouble(pod, context.events);
  if (!trouble) return healthy('ready');
  return trouble.stuck ? degraded(trouble.reason) : progressing(trouble.reason);
}

/** Why a pod is not ready, as precisely as its status and its events tell; undefined when it is. */
export function podTrouble(pod: KubeObject, events: readonly KubeObject[] = []): PodTrouble | undefined {
  const phase = stringAt(pod, 'status', 'phase') ?? 'Pending';
  if (phase === 'Failed') return {reason: failedReason(pod), stuck: true};
  if (phase === 'Running' && conditionOf(pod, 'Ready')?.status === 'True') return undefined;
  const scheduled = conditionOf(pod, 'PodScheduled');
  if (scheduled?.status === 'False') return {reason: shorten(textOf(scheduled)), stuck: true};
  const container = [...statuses(pod, 'initContainerStatuses'), ...statuses(pod, 'containerStatuses')]
    .map(containerTrouble)
    .find(found => found !== undefined);
  // Events outlive their cause: they tell something only of a pod that has not got as far as its containers.
  const warning = !container || container.early ? lastWarning(events, pod) : undefined;
  if (warning) return {reason: shorten(warning), stuck: false};
  return container ?? {reason: phase === 'Pending' ? 'not started yet' : 'not ready', stuck: false};
}

type ContainerStatus = ReturnType<typeof arrayAt>[number];

interface ContainerTrouble extends PodTrouble {
  /** The container has not been started for the first time. */
  early?: boolean;
}

const statuses = (pod: KubeObject, field: string): ContainerStatus[] => arrayAt(pod, 'status', field);

function containerTrouble(status: ContainerStatus): ContainerTrouble | undefined {
  const name = stringAt(status, 'name') ?? '';
  const waiting = objectAt(status, 'state', 'waiting');
  if (waiting) return waitingTrouble(status, name);
  const exitCode = numberAt(status, 'state', 'terminated', 'exitCode');
  if (exitCode !== undefined && exitCode !== 0) {
    return {reason: `container ${name} ${ended(status, 'state')}`, stuck: false};
  }
  if (objectAt(status, 'state', 'running') && Object.hasOwn(Object(status), 'ready') && !isReady(status)) {
    const restarts = numberAt(status, 'restartCount') ?? 0;
    const again = restarts > 0 ? ` after ${restarts} restart${restarts === 1 ? '' : 's'}` : '';
    return {reason: `container ${name} runs${again} but is not ready (readiness probe)`, stuck: false};
  }
  return undefined;
}

const isReady = (status: ContainerStatus) => Reflect.get(Object(status), 'ready') === true;

function waitingTrouble(status: ContainerStatus, name: string): ContainerTrouble {
  const reason = stringAt(status, 'state', 'waiting', 'reason') ?? 'Waiting';
  const message = stringAt(status, 'state', 'waiting', 'message') ?? '';
  const image = stringAt(status, 'image') ?? '';
  if (reason === 'CrashLoopBackOff') {
    return {
      reason: shorten(`CrashLoopBackOff: container ${name} ${ended(status, 'lastState')}`),
      stuck: true,
    };
  }
  // The kubelet alternates between the error and its back-off; the image names the cause in both.
  const about = /Image|Registry/.test(reason) && !message.includes(image) ? `image ${image}: ` : '';
  const text = message ? `${about}${message}` : about ? `image ${image}` : `container ${name}`;
  const early = reason === 'ContainerCreating' || reason === 'PodInitializing';
  return {reason: shorten(`${reason}: ${text}`), stuck: STUCK.has(reason), early};
}

function ended(status: ContainerStatus, field: 'state' | 'lastState'): string {
  const exitCode = numberAt(status, field, 'terminated', 'exitCode');
  const reason = stringAt(status, field, 'terminated', 'reason');
  const message = stringAt(status, field, 'terminated', 'message')?.trim();
  const code = exitCode === undefined ? 'keeps ending' : `ended with exit code ${exitCode}`;
  const named = reason && reason !== 'Error' && reason !== 'Completed' ? ` (${reason})` : '';
  return `${code}${named}${message ? `: ${message}` : ''}`;
}

function failedReason(pod: KubeObject): string {
  const reason = stringAt(pod, 'status', 'reason');
  const message = stringAt(pod, 'status', 'message');
  const container = statuses(pod, 'containerStatuses')
    .map(containerTrouble)
    .find(found => found !== undefined);
  const text =
    [reason, message].filter(part => part).join(': ') || container?.reason || 'its containers ended';
  return shorten(`failed: ${text}`);
}

function shorten(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length > REASON_LENGTH ? `${line.slice(0, REASON_LENGTH)}…` : line;
}
