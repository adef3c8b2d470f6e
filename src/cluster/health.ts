import {judgeGeneric} from './health/generic.ts';
import {
  judgeApiService,
  judgeClaim,
  judgeCustomResourceDefinition,
  judgeNamespace,
  judgeNode,
  judgeVolume,
} from './health/infrastructure.ts';
import {judgeCronJob, judgeJob} from './health/job.ts';
import {judgeAutoscaler, judgeDisruptionBudget, judgeService} from './health/network.ts';
import {judgePod} from './health/pod.ts';
import {type Health, type HealthContext, type Judge, progressing} from './health/state.ts';
import {judgeDaemonSet, judgeDeployment, judgeReplicaSet, judgeStatefulSet} from './health/workload.ts';
import {groupOf, type KubeObject} from './object.ts';

export type {Health, HealthContext, HealthState} from './health/state.ts';

/** Kinds with rules of their own, written as kubectl does: `Kind.group`. */
const JUDGES: Readonly<Record<string, Judge>> = {
  Pod: judgePod,
  Service: judgeService,
  Node: judgeNode,
  Namespace: judgeNamespace,
  PersistentVolume: judgeVolume,
  PersistentVolumeClaim: judgeClaim,
  'Deployment.apps': judgeDeployment,
  'ReplicaSet.apps': judgeReplicaSet,
  'StatefulSet.apps': judgeStatefulSet,
  'DaemonSet.apps': judgeDaemonSet,
  'Job.batch': judgeJob,
  'CronJob.batch': judgeCronJob,
  'PodDisruptionBudget.policy': judgeDisruptionBudget,
  'HorizontalPodAutoscaler.autoscaling': judgeAutoscaler,
  'CustomResourceDefinition.apiextensions.k8s.io': judgeCustomResourceDefinition,
  'APIService.apiregistration.k8s.io': judgeApiService,
};

/**
 * Judges one object by its status, and the causes by what else is given. Only a status that belongs to the current
 * spec counts. Pure: no request is made.
 */
export function judgeHealth(object: KubeObject, context: HealthContext = {}): Health {
  const group = groupOf(object.apiVersion);
  const judge = JUDGES[group === '' ? object.kind : `${object.kind}.${group}`] ?? judgeGeneric;
  if (object.metadata.deletionTimestamp !== undefined && judge !== judgeNamespace) {
    return progressing('is being deleted');
  }
  return judge(object, context);
}
