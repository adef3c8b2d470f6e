import type {Cluster} from '../cluster/client.ts';
import {CORE_TYPES} from '../cluster/core-types.ts';
import {type ExecRequest, type ExecResult, execInPod} from '../cluster/exec.ts';
import {conditionOf, textOf} from '../cluster/health/condition.ts';
import {judgeHealth} from '../cluster/health.ts';
import {listAll} from '../cluster/list.ts';
import type {KubeObject} from '../cluster/object.ts';
import {isRunning} from '../cluster/running.ts';
import {PraError} from '../errors.ts';
import {stringAt} from '../std/json-at.ts';
import {sleep, withDeadline} from '../std/wait.ts';

const LOOK_EVERY_MS = 5000;
const LOOK_TIMEOUT_MS = 10_000;

/**
 * As `execInPod`, for a command that may take long: its pod is looked after meanwhile. A node that is gone closes no connection, so
 * that the command would be waited for as long as the API server believes in it.
 * @throws PraError EXEC_FAILED also when the pod is lost
 */
export async function execWatched(
  cluster: Cluster,
  request: ExecRequest,
  lookEveryMs = LOOK_EVERY_MS,
): Promise<ExecResult> {
  const lost = new AbortController();
  const done = new AbortController();
  const signal = AbortSignal.any([lost.signal, ...(request.signal ? [request.signal] : [])]);
  void watch(cluster, request, lookEveryMs, done.signal).then(error => error && lost.abort(error));
  try {
    return await execInPod(cluster, {...request, signal});
  } finally {
    done.abort();
  }
}

/** Looks after a pod until it is lost, or the signal aborts. */
async function watch(
  cluster: Cluster,
  {namespace, pod, command}: ExecRequest,
  lookEveryMs: number,
  signal: AbortSignal,
): Promise<PraError | undefined> {
  let uid: string | undefined;
  while (!signal.aborted) {
    try {
      const [found] = await listAll(cluster, CORE_TYPES.Pod, {
        namespace,
        fieldSelector: `metadata.name=${pod}`,
        signal: withDeadline(LOOK_TIMEOUT_MS, signal),
      });
      uid ??= found?.metadata.uid;
      const why = whyLost(found, uid);
      if (why !== undefined)
        return new PraError(
          'EXEC_FAILED',
          `pod ${namespace}/${pod} was lost while ${command[0]} was run in it`,
          {
            why,
            next: [`kubectl get pod -n ${namespace} ${pod} -o wide`, 'kubectl get nodes'],
          },
        );
    } catch {
      // The cluster does not answer at the moment, or lets nobody look: then the connection alone can tell.
    }
    await sleep(lookEveryMs, signal).catch(() => undefined);
  }
  return undefined;
}

/** Why nothing can come any more of a command in a pod; undefined when something can. */
function whyLost(pod: KubeObject | undefined, uid: string | undefined): string | undefined {
  if (!pod) return 'it was deleted';
  if (pod.metadata.uid !== uid) return 'it was deleted, and another one has taken its place';
  if (!isRunning(pod)) return judgeHealth(pod).reason;
  const disruption = conditionOf(pod, 'DisruptionTarget');
  if (disruption?.status === 'True') return textOf(disruption);
  return isNodeSilent(pod) ? `its node ${stringAt(pod, 'spec', 'nodeName')} does not answer` : undefined;
}

/**
 * The cluster takes the readiness of a pod away whose node it does not hear of, and leaves that of its containers. A probe that
 * fails, as in a database that is being restored, takes both.
 */
function isNodeSilent(pod: KubeObject): boolean {
  const ready = conditionOf(pod, 'Ready');
  return (
    ready?.status === 'False' &&
    ready.reason !== 'ReadinessGatesNotReady' &&
    conditionOf(pod, 'ContainersReady')?.status === 'True'
  );
}
