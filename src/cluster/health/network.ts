import {arrayAt, at, numberAt, objectAt, stringAt} from '../../std/json-at.ts';
import type {KubeObject} from '../object.ts';
import {conditionOf, textOf} from './condition.ts';
import {degraded, healthy, inert, type Judge, progressing} from './state.ts';
import {unobserved} from './workload.ts';

/** A Service is judged by its endpoints when they are given, and a load balancer by its address. */
export const judgeService: Judge = (object, context) => {
  const type = stringAt(object, 'spec', 'type');
  if (type === 'ExternalName') return healthy('exists');
  if (type === 'LoadBalancer' && arrayAt(object, 'status', 'loadBalancer', 'ingress').length === 0) {
    return progressing('its load balancer has no address yet');
  }
  const selector = objectAt(object, 'spec', 'selector');
  if (!selector || Object.keys(selector).length === 0) return healthy('exists; it selects no pods');
  if (!context.endpointSlices) return healthy('exists; its endpoints were not looked at');
  const ready = context.endpointSlices.flatMap(slice => arrayAt(slice, 'endpoints')).filter(isReady).length;
  return ready > 0
    ? healthy(`${ready} endpoint${ready === 1 ? '' : 's'} ready`)
    : degraded('no endpoint is ready');
};

/** An endpoint that does not say is ready (EndpointSlice API). */
const isReady = (endpoint: unknown) => at(endpoint, 'conditions', 'ready') !== false;

export const judgeDisruptionBudget: Judge = object => {
  const early = unobserved(object);
  if (early) return early;
  const current = numberAt(object, 'status', 'currentHealthy') ?? 0;
  const desired = numberAt(object, 'status', 'desiredHealthy') ?? 0;
  const seen = `${current} of ${desired} needed pods healthy`;
  return current >= desired ? healthy(seen) : degraded(seen);
};

export const judgeAutoscaler: Judge = object => {
  const early = scaledToZero(object);
  if (early) return early;
  for (const type of ['AbleToScale', 'ScalingActive']) {
    const condition = conditionOf(object, type);
    if (!condition) return progressing('its controller has not acted on it yet');
    if (condition.status !== 'True') return degraded(textOf(condition));
  }
  return healthy('scales');
};

function scaledToZero(object: KubeObject) {
  const disabled = conditionOf(object, 'ScalingActive')?.reason === 'ScalingDisabled';
  return disabled ? inert('its target is scaled to 0') : undefined;
}
