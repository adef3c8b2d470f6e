import type {KubeObject} from '../cluster/object.ts';
import {groupKindOf} from '../snapshot/exclude.ts';
import type {Json} from '../std/json.ts';
import {at, numberAt, objectAt, withAt} from '../std/json-at.ts';

/** Annotation that holds the replicas that a workload had. */
export const REPLICAS = 'pra.dev/replicas';
/** Annotation that holds whether a CronJob or Job was suspended before. */
const SUSPEND = 'pra.dev/suspend';
/** Label that no node has: a DaemonSet that asks for it has no pods. Also marks such a DaemonSet, as an annotation. */
const NO_NODE = 'pra.dev/inert';

/** All annotations of an object at rest. */
export const INERT_ANNOTATIONS: ReadonlySet<string> = new Set([REPLICAS, SUSPEND, NO_NODE]);

const SCALED = new Set(['Deployment.apps', 'StatefulSet.apps', 'ReplicaSet.apps', 'ReplicationController']);

/** How an object is held at rest, and the merge patch that starts it. */
export interface InertForm {
  object: KubeObject;
  path: string;
  reason: string;
}

/**
 * The form in which a workload is created without running: zero replicas, suspended, or on no node. What it was is in
 * annotations, so that it can be started by anybody, also without the plan.
 * @returns undefined for what does not run by itself.
 */
export function inertForm(object: KubeObject): InertForm | undefined {
  const kind = groupKindOf(object);
  if (SCALED.has(kind)) {
    const replicas = numberAt(object, 'spec', 'replicas') ?? 1;
    if (replicas === 0) return undefined;
    return form(
      object,
      REPLICAS,
      String(replicas),
      ['spec', 'replicas'],
      0,
      `starts with its group, with ${replicas} replicas`,
    );
  }
  if (kind === 'CronJob.batch' || kind === 'Job.batch') {
    const suspended = at(object, 'spec', 'suspend') === true;
    return suspended ? undefined : form(object, SUSPEND, 'false', ['spec', 'suspend'], true, 'suspended');
  }
  if (kind === 'DaemonSet.apps') {
    const path = ['spec', 'template', 'spec', 'nodeSelector', NO_NODE];
    return form(object, NO_NODE, 'true', path, 'true', 'starts with its group; until then no node fits');
  }
  return undefined;
}

function form(
  object: KubeObject,
  annotation: string,
  was: string,
  path: string[],
  value: Json,
  reason: string,
): InertForm {
  const annotated = withAt(object, ['metadata', 'annotations', annotation], was);
  return {object: withAt(annotated, path, value), path: path.join('.'), reason};
}

/**
 * The JSON merge patch (RFC 7386) that gives a workload at rest back what it had.
 * @returns undefined when the object is not at rest by `inertForm`.
 */
export function wakePatch(object: KubeObject): {[field: string]: Json} | undefined {
  const annotations = objectAt(object, 'metadata', 'annotations') ?? {};
  const forget = (name: string) => ({metadata: {annotations: {[name]: null}}});
  const replicas = annotations[REPLICAS];
  if (typeof replicas === 'string') return {...forget(REPLICAS), spec: {replicas: Number(replicas)}};
  if (annotations[SUSPEND] === 'false') return {...forget(SUSPEND), spec: {suspend: false}};
  if (annotations[NO_NODE] === 'true') {
    return {...forget(NO_NODE), spec: {template: {spec: {nodeSelector: {[NO_NODE]: null}}}}};
  }
  return undefined;
}
