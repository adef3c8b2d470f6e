import type {KubeObject} from '../object.ts';

/**
 * How an object does, after docs of the drill: `inert` was stopped on purpose by a restore, `suspended` by its own
 * spec, `unknown` gives no sign from which health could be told.
 */
export type HealthState =
  | 'healthy'
  | 'progressing'
  | 'degraded'
  | 'inert'
  | 'suspended'
  | 'missing'
  | 'unknown';

export interface Health {
  state: HealthState;
  /** For people, without the name of the object: `0 of 1 replicas ready: ErrImagePull: …`. */
  reason: string;
}

/** What else is known around the object; what is not given is not judged. */
export interface HealthContext {
  /** Pods that belong to the workload. */
  pods?: readonly KubeObject[] | undefined;
  /** Warning events of its namespace. */
  events?: readonly KubeObject[] | undefined;
  /** EndpointSlices of a Service. */
  endpointSlices?: readonly KubeObject[] | undefined;
}

export type Judge = (object: KubeObject, context: HealthContext) => Health;

export const healthy = (reason: string): Health => ({state: 'healthy', reason});
export const progressing = (reason: string): Health => ({state: 'progressing', reason});
export const degraded = (reason: string): Health => ({state: 'degraded', reason});
export const inert = (reason: string): Health => ({state: 'inert', reason});
export const suspended = (reason: string): Health => ({state: 'suspended', reason});
export const unknown = (reason: string): Health => ({state: 'unknown', reason});
