import {stringAt} from '../std/json-at.ts';
import type {KubeObject} from './object.ts';

/** Whether commands can be run in a pod: it runs, and is not being deleted. */
export const isRunning = (pod: KubeObject) =>
  stringAt(pod, 'status', 'phase') === 'Running' && pod.metadata.deletionTimestamp === undefined;

/** Whether a pod has run to its end and holds nothing any more. */
export const hasEnded = (pod: KubeObject) =>
  ['Succeeded', 'Failed'].includes(stringAt(pod, 'status', 'phase') ?? '');
