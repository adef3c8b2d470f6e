import {at, stringAt} from '../../std/json-at.ts';
import {conditionOf, textOf} from './condition.ts';
import {lastWarning} from './event.ts';
import {degraded, healthy, type Judge, progressing} from './state.ts';

export const judgeClaim: Judge = (object, context) => {
  const phase = stringAt(object, 'status', 'phase') ?? 'Pending';
  if (phase === 'Bound') return healthy(`bound to ${stringAt(object, 'spec', 'volumeName') ?? 'a volume'}`);
  if (phase === 'Lost') return degraded('its volume is gone (Lost)');
  const warning = lastWarning(context.events ?? [], object);
  return warning ? degraded(`not bound: ${warning}`) : progressing('not bound to a volume yet');
};

export const judgeVolume: Judge = object => {
  const phase = stringAt(object, 'status', 'phase') ?? 'Pending';
  if (phase === 'Bound' || phase === 'Available') return healthy(phase.toLowerCase());
  if (phase === 'Pending') return progressing('pending');
  return degraded(`${phase.toLowerCase()}: ${stringAt(object, 'status', 'message') ?? 'no claim holds it'}`);
};

export const judgeNode: Judge = object => {
  const ready = conditionOf(object, 'Ready');
  if (!ready) return progressing('its kubelet has not reported yet');
  if (ready.status !== 'True') return degraded(textOf(ready));
  return healthy(at(object, 'spec', 'unschedulable') === true ? 'ready, cordoned' : 'ready');
};

export const judgeNamespace: Judge = object => {
  const stuck = ['NamespaceDeletionDiscoveryFailure', 'NamespaceDeletionContentFailure']
    .map(type => conditionOf(object, type))
    .find(condition => condition?.status === 'True');
  if (stuck) return degraded(textOf(stuck));
  return stringAt(object, 'status', 'phase') === 'Terminating'
    ? progressing('is being deleted')
    : healthy('active');
};

export const judgeCustomResourceDefinition: Judge = object => {
  const names = conditionOf(object, 'NamesAccepted');
  if (names?.status === 'False') return degraded(textOf(names));
  const established = conditionOf(object, 'Established');
  if (established?.status === 'True') return healthy('established');
  return progressing(established ? textOf(established) : 'not established yet');
};

export const judgeApiService: Judge = object => {
  const available = conditionOf(object, 'Available');
  if (!available) return progressing('not checked yet');
  return available.status === 'True' ? healthy('available') : degraded(textOf(available));
};
