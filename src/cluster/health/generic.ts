import {numberAt, objectAt, stringAt} from '../../std/json-at.ts';
import {groupOf} from '../object.ts';
import {conditionsOf, textOf} from './condition.ts';
import {degraded, type Health, healthy, type Judge, progressing, unknown} from './state.ts';

/** Groups that Kubernetes itself brings; a kind of theirs without a status works by being there. */
const BUILT_IN = new Set([
  '',
  'apps',
  'autoscaling',
  'batch',
  'policy',
  'admissionregistration.k8s.io',
  'apiextensions.k8s.io',
  'apiregistration.k8s.io',
  'authentication.k8s.io',
  'authorization.k8s.io',
  'certificates.k8s.io',
  'coordination.k8s.io',
  'discovery.k8s.io',
  'events.k8s.io',
  'flowcontrol.apiserver.k8s.io',
  'networking.k8s.io',
  'node.k8s.io',
  'rbac.authorization.k8s.io',
  'resource.k8s.io',
  'scheduling.k8s.io',
  'storage.k8s.io',
]);

/** Conditions that sum up, in order of how much they say (the conventions of kstatus, Crossplane, cert-manager, Flux). */
const SUMMARIES = ['Ready', 'Available', 'Healthy', 'Succeeded', 'Complete', 'Programmed', 'Accepted'];
const GOOD_PHASES = new Set([
  'active',
  'available',
  'bound',
  'complete',
  'completed',
  'healthy',
  'ready',
  'running',
  'succeeded',
]);
const BAD_PHASES = new Set(['degraded', 'error', 'failed', 'lost', 'unhealthy']);

/** Any other kind: by its conditions where it has them; a custom resource that says nothing is not called healthy. */
export const judgeGeneric: Judge = object => {
  const builtIn = BUILT_IN.has(groupOf(object.apiVersion));
  const status = objectAt(object, 'status');
  if (!status || Object.keys(status).length === 0) {
    return builtIn ? healthy('exists') : unknown('it has no status, so nothing says whether it works');
  }
  const observed = numberAt(status, 'observedGeneration');
  if (observed !== undefined && observed < (object.metadata.generation ?? 0)) {
    return progressing('its controller has not acted on its current spec yet');
  }
  const phase = (stringAt(status, 'phase') ?? stringAt(status, 'state') ?? '').toLowerCase();
  const told = byConditions(conditionsOf(object)) ?? byPhase(phase);
  if (told) return told;
  return builtIn
    ? healthy('exists')
    : unknown('its status has no condition or phase from which health could be told');
};

function byConditions(conditions: ReturnType<typeof conditionsOf>): Health | undefined {
  const find = (type: string) => conditions.find(condition => condition.type === type);
  const stalled = find('Stalled') ?? find('Degraded') ?? find('Failed');
  if (stalled?.status === 'True') return degraded(textOf(stalled));
  const busy = find('Reconciling');
  if (busy?.status === 'True') return progressing(textOf(busy));
  const summary = SUMMARIES.map(find).find(condition => condition !== undefined);
  if (!summary) return undefined;
  if (summary.status === 'True') return healthy(textOf(summary));
  return summary.status === 'False' ? degraded(textOf(summary)) : progressing(textOf(summary));
}

function byPhase(phase: string): Health | undefined {
  if (GOOD_PHASES.has(phase)) return healthy(`phase ${phase}`);
  return BAD_PHASES.has(phase) ? degraded(`phase ${phase}`) : undefined;
}
