import {numberAt, stringAt, stringsAt} from '../../std/json-at.ts';
import type {KubeObject} from '../object.ts';
import {conditionOf, textOf} from './condition.ts';
import {lastWarning} from './event.ts';
import {podTrouble} from './pod.ts';
import {degraded, type Health, type HealthContext, healthy, inert, type Judge, progressing} from './state.ts';

/** Where a restore that starts workloads at rest notes how many replicas the source had. */
export const REPLICAS_ANNOTATION = 'pra.dev/replicas';
/** A node selector that no node has, by which a restore keeps a DaemonSet at rest. */
export const INERT_NODE_SELECTOR = 'pra.dev/inert';

export const judgeDeployment: Judge = (object, context) => {
  const wanted = numberAt(object, 'spec', 'replicas') ?? 1;
  const early = unobserved(object) ?? atRest(object, wanted);
  if (early) return early;
  const failure = conditionOf(object, 'ReplicaFailure');
  if (failure?.status === 'True') return degraded(counted(object, wanted, textOf(failure)));
  const available = numberAt(object, 'status', 'availableReplicas') ?? 0;
  const updated = numberAt(object, 'status', 'updatedReplicas') ?? 0;
  const present = numberAt(object, 'status', 'replicas') ?? 0;
  if (updated >= wanted && available >= wanted && present <= wanted) return healthy(counted(object, wanted));
  const late = conditionOf(object, 'Progressing');
  if (late?.reason === 'ProgressDeadlineExceeded') {
    return degraded(counted(object, wanted, worstPod(context)?.reason ?? textOf(late)));
  }
  if (updated < wanted || present > updated)
    return notReady(object, wanted, context, revisions(updated, wanted, present));
  return notReady(object, wanted, context);
};

export const judgeReplicaSet: Judge = (object, context) => {
  const wanted = numberAt(object, 'spec', 'replicas') ?? 1;
  const early = unobserved(object) ?? atRest(object, wanted);
  if (early) return early;
  const failure = conditionOf(object, 'ReplicaFailure');
  if (failure?.status === 'True') return degraded(counted(object, wanted, textOf(failure)));
  const available = numberAt(object, 'status', 'availableReplicas') ?? 0;
  return available >= wanted ? healthy(counted(object, wanted)) : notReady(object, wanted, context);
};

export const judgeStatefulSet: Judge = (object, context) => {
  const wanted = numberAt(object, 'spec', 'replicas') ?? 1;
  const early = unobserved(object) ?? atRest(object, wanted);
  if (early) return early;
  const ready = numberAt(object, 'status', 'readyReplicas') ?? 0;
  if (ready < wanted || (numberAt(object, 'status', 'replicas') ?? 0) > wanted)
    return notReady(object, wanted, context);
  if (stringAt(object, 'spec', 'updateStrategy', 'type') === 'OnDelete')
    return healthy(counted(object, wanted));
  const partition = numberAt(object, 'spec', 'updateStrategy', 'rollingUpdate', 'partition') ?? 0;
  const updated = numberAt(object, 'status', 'updatedReplicas') ?? 0;
  const revised =
    stringAt(object, 'status', 'currentRevision') === stringAt(object, 'status', 'updateRevision');
  if (updated >= wanted - partition || revised) return healthy(counted(object, wanted));
  return progressing(`${updated} of ${wanted - partition} replicas updated`);
};

export const judgeDaemonSet: Judge = (object, context) => {
  if (INERT_NODE_SELECTOR in stringsAt(object, 'spec', 'template', 'spec', 'nodeSelector')) {
    return inert('at rest: the restore has not started it');
  }
  const early = unobserved(object);
  if (early) return early;
  const wanted = numberAt(object, 'status', 'desiredNumberScheduled') ?? 0;
  if (wanted === 0) return healthy('no node asks for it');
  const ready = numberAt(object, 'status', 'numberAvailable') ?? 0;
  const updated = numberAt(object, 'status', 'updatedNumberScheduled') ?? 0;
  const rolling = stringAt(object, 'spec', 'updateStrategy', 'type') !== 'OnDelete';
  const seen = `${ready} of ${wanted} nodes ready`;
  if (ready >= wanted && (!rolling || updated >= wanted)) return healthy(seen);
  return because(rolling && updated < wanted ? `${seen}, ${updated} updated` : seen, object, context);
};

/** A status from before the last change of the spec says nothing of the spec that is to be judged. */
export function unobserved(object: KubeObject): Health | undefined {
  const generation = object.metadata.generation ?? 0;
  const observed = numberAt(object, 'status', 'observedGeneration') ?? 0;
  return observed >= generation
    ? undefined
    : progressing('its controller has not acted on its current spec yet');
}

function atRest(object: KubeObject, wanted: number): Health | undefined {
  if (wanted > 0) return undefined;
  const meant = Number(object.metadata.annotations?.[REPLICAS_ANNOTATION] ?? 0);
  if (meant > 0)
    return inert(`at rest: the restore has not started its ${meant} replica${meant === 1 ? '' : 's'}`);
  const left = numberAt(object, 'status', 'replicas') ?? 0;
  return left > 0 ? progressing(`${left} replicas still end`) : healthy('scaled to 0');
}

function counted(object: KubeObject, wanted: number, cause?: string): string {
  const ready = numberAt(object, 'status', 'readyReplicas') ?? 0;
  return `${ready} of ${wanted} replicas ready${cause ? `: ${cause}` : ''}`;
}

function notReady(object: KubeObject, wanted: number, context: HealthContext, more?: string): Health {
  return because(`${counted(object, wanted)}${more ? `, ${more}` : ''}`, object, context);
}

function because(seen: string, object: KubeObject, context: HealthContext): Health {
  const pod = worstPod(context);
  const cause = pod?.reason ?? lastWarning(context.events ?? [], object);
  const reason = cause ? `${seen}: ${cause}` : seen;
  return pod?.stuck || (!pod && cause) ? degraded(reason) : progressing(reason);
}

function worstPod(context: HealthContext) {
  const troubles = (context.pods ?? [])
    .filter(pod => pod.metadata.deletionTimestamp === undefined)
    .map(pod => podTrouble(pod, context.events))
    .filter(trouble => trouble !== undefined);
  return troubles.find(trouble => trouble.stuck) ?? troubles[0];
}

function revisions(updated: number, wanted: number, present: number): string {
  return updated < wanted
    ? `${updated} of ${wanted} updated`
    : `${present - updated} of an older revision left`;
}
