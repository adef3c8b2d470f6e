import {arrayAt, stringAt} from '../../std/json-at.ts';
import type {KubeObject} from '../object.ts';

export interface Condition {
  type: string;
  status: string;
  reason: string;
  message: string;
}

/** The conditions in an object's status; empty when it has none. */
export function conditionsOf(object: KubeObject): Condition[] {
  return arrayAt(object, 'status', 'conditions').map(entry => ({
    type: stringAt(entry, 'type') ?? '',
    status: stringAt(entry, 'status') ?? '',
    reason: stringAt(entry, 'reason') ?? '',
    message: stringAt(entry, 'message') ?? '',
  }));
}

export function conditionOf(object: KubeObject, type: string): Condition | undefined {
  return conditionsOf(object).find(condition => condition.type === type);
}

/** `Reason: message`, or whichever of the two there is. */
export function textOf({type, status, reason, message}: Condition): string {
  return [reason, message].filter(part => part !== '').join(': ') || `condition ${type} is ${status}`;
}
