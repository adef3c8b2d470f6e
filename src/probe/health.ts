import {readObject} from '../cluster/apply.ts';
import {judgeHealth} from '../cluster/health.ts';
import {objectRef} from '../cluster/object.ts';
import {PraError} from '../errors.ts';
import type {Observe} from './probe.ts';

/** Every workload that the snapshot had is there and healthy. */
export const observeHealth: Observe = async (probe, context, signal) => {
  const workloads = context.workloads(probe.health?.groups);
  if (workloads.length === 0)
    throw new PraError('SNAPSHOT_FAILED', 'the snapshot has no workloads in these groups', {
      why: 'nothing could be looked at, so nothing was proved',
    });
  const states = await Promise.all(
    workloads.map(async ({type, name, namespace}) => {
      const object = await readObject(
        context.cluster,
        type,
        {name, ...(namespace === undefined ? {} : {namespace})},
        {signal},
      );
      const ref = object ? objectRef(object) : `${type.kind} ${namespace ?? ''}/${name}`;
      const health = object ? judgeHealth(object) : {state: 'missing', reason: 'it is not there'};
      return {ref, ...health};
    }),
  );
  const sick = states.filter(state => state.state !== 'healthy' && state.state !== 'suspended');
  const observed = states.length - sick.length;
  const expected = states.length;
  if (sick.length === 0) return {passed: true, message: `${expected} workloads healthy`, observed, expected};
  return {
    passed: false,
    message: sick.map(state => `${state.ref} is ${state.state}: ${state.reason}`).join('; '),
    observed,
    expected,
  };
};
