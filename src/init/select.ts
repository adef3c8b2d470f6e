import type {KubeObject} from '../cluster/object.ts';
import type {Labels} from '../snapshot/selector.ts';
import {stringsAt} from '../std/json-at.ts';
import {type WorkloadFact, workloadKey} from './facts.ts';

/** Labels that differ between the pods or the revisions of one workload. */
const PASSING = new Set([
  'pod-template-hash',
  'controller-revision-hash',
  'pod-template-generation',
  'statefulset.kubernetes.io/pod-name',
  'apps.kubernetes.io/pod-index',
]);

/** Labels that the pods of this workload have and nothing else in its namespace; undefined when there are none. */
export function labelsOf(workload: WorkloadFact, all: readonly WorkloadFact[]): Labels | undefined {
  const others = all.filter(
    other => other.namespace === workload.namespace && workloadKey(other) !== workloadKey(workload),
  );
  return [workload.matchLabels, lasting(workload.podLabels)].find(
    labels =>
      Object.keys(labels).length > 0 &&
      hasLabels(workload.podLabels, labels) &&
      !others.some(other => hasLabels(other.labels, labels) || hasLabels(other.podLabels, labels)),
  );
}

/** Labels without those that come and go with pods. */
export const lasting = (labels: Labels): Labels =>
  Object.fromEntries(Object.entries(labels).filter(([key]) => !PASSING.has(key)));

export const hasLabels = (labels: Labels, wanted: Labels) =>
  Object.entries(wanted).every(([key, value]) => labels[key] === value);

/** The workloads whose pods a Service sends to; none for one without a selector. */
export function workloadsBehind(service: KubeObject, workloads: readonly WorkloadFact[]): WorkloadFact[] {
  const selector = stringsAt(service, 'spec', 'selector');
  if (Object.keys(selector).length === 0) return [];
  return workloads.filter(
    ({namespace, podLabels}) => namespace === service.metadata.namespace && hasLabels(podLabels, selector),
  );
}
