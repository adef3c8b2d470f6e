import type {Readable, Writable} from 'node:stream';
import {createObject, deleteObject} from '../../cluster/apply.ts';
import type {Cluster} from '../../cluster/client.ts';
import {isApiError} from '../../cluster/client.ts';
import {CORE_TYPES} from '../../cluster/core-types.ts';
import {type ExecResult, execInPod} from '../../cluster/exec.ts';
import {judgeHealth} from '../../cluster/health.ts';
import {listAll} from '../../cluster/list.ts';
import type {KubeObject, OwnerReference} from '../../cluster/object.ts';
import {PraError} from '../../errors.ts';
import {arrayAt, stringAt} from '../../std/json-at.ts';
import {sleep, waitFor} from '../../std/wait.ts';
import {type MoverJob, moverJob, moverName} from './job.ts';

const START_TIMEOUT_MS = 5 * 60_000;
const GONE_TIMEOUT_MS = 90_000;
/** What waiting does not mend. */
const FINAL = /ErrImageNeverPull|InvalidImageName|ImagePullBackOff|CreateContainerConfigError/;

export interface MoverOptions {
  signal: AbortSignal;
  startTimeoutMs?: number | undefined;
  onProgress?: ((message: string) => void) | undefined;
}

/** A pod that mounts claims, and what can be run in it. */
export class Mover {
  readonly namespace: string;
  readonly job: string;
  readonly uid: string;
  readonly #cluster: Cluster;
  #pod: string | undefined;
  #node: string | undefined;

  private constructor(cluster: Cluster, job: KubeObject) {
    this.#cluster = cluster;
    this.namespace = job.metadata.namespace ?? '';
    this.job = job.metadata.name;
    this.uid = job.metadata.uid ?? '';
  }

  /**
   * Creates the Job. What it mounts may be made later: the pod waits for it.
   * @throws PraError CLUSTER_* when it may not be made
   */
  static async create(cluster: Cluster, job: MoverJob, {signal}: MoverOptions): Promise<Mover> {
    const made = await createObject(cluster, CORE_TYPES.Job, moverJob(moverName(job), job), {signal});
    return new Mover(cluster, made);
  }

  /** Makes an object go when the Job does. */
  get owner(): OwnerReference {
    return {apiVersion: 'batch/v1', kind: 'Job', name: this.job, uid: this.uid};
  }

  /** The node that it runs on, once it does. */
  get node(): string | undefined {
    return this.#node;
  }

  /**
   * Waits until the pod runs.
   * @throws PraError MOVER_DENIED when the cluster does not let such a pod be, MOVER_FAILED with the reason why it does not run
   */
  async started({signal, startTimeoutMs = START_TIMEOUT_MS, onProgress}: MoverOptions): Promise<void> {
    let seen = 'no pod was made';
    let told = '';
    await waitFor(
      async () => {
        const pod = await this.#find(signal);
        if (pod && isUp(pod)) {
          this.#pod = pod.metadata.name;
          this.#node = stringAt(pod, 'spec', 'nodeName');
          return true;
        }
        seen = await this.#trouble(pod, signal);
        if (seen !== told) onProgress?.(`waiting for pod ${this.namespace}/${this.job}: ${seen}`);
        told = seen;
        return undefined;
      },
      {
        waitingFor: `pod ${this.namespace}/${this.job}, which mounts the volume`,
        timeoutMs: startTimeoutMs,
        intervalMs: 200,
        lastSeen: () => seen,
        signal,
      },
    ).catch((error: unknown) => {
      if (!(error instanceof PraError) || error.code !== 'TIMEOUT') throw error;
      throw failed(this, 'does not start', seen, error);
    });
  }

  /** Why the pod does not run yet. @throws PraError when it never will */
  async #trouble(pod: KubeObject | undefined, signal: AbortSignal): Promise<string> {
    if (!pod) {
      const reason = (await this.#warnings(this.job, 'Job', signal)).find(text => text.includes('forbidden'));
      if (reason === undefined) return 'no pod was made yet';
      if (/PodSecurity|SecurityContextConstraint|security context constraint/i.test(reason))
        throw new PraError(
          'MOVER_DENIED',
          `namespace ${this.namespace} does not allow the pod that mounts the volume`,
          {
            why: reason,
            next: [
              'let it run as the user of the workload: spec.mover.runAs: workload',
              `or see what the namespace enforces: kubectl get namespace ${this.namespace} --show-labels`,
            ],
          },
        );
      // A quota may be free again in a moment.
      return reason;
    }
    const phase = stringAt(pod, 'status', 'phase');
    const events = await listAll(this.#cluster, CORE_TYPES.Event, {
      namespace: this.namespace,
      fieldSelector: `involvedObject.name=${pod.metadata.name}`,
      signal,
    }).catch(() => []);
    const {reason} = judgeHealth(pod, {events});
    if (phase === 'Failed' || phase === 'Succeeded') throw failed(this, 'ended before it was used', reason);
    if (FINAL.test(reason))
      throw failed(this, 'cannot start', reason, undefined, [
        'let the cluster have the image: spec.mover.image (docs/volumes.md, "The image of the movers")',
      ]);
    return reason;
  }

  async #warnings(name: string, kind: string, signal: AbortSignal): Promise<string[]> {
    const events = await listAll(this.#cluster, CORE_TYPES.Event, {
      namespace: this.namespace,
      fieldSelector: `involvedObject.name=${name},involvedObject.kind=${kind}`,
      signal,
    }).catch(() => []);
    return events
      .filter(event => event.type === 'Warning')
      .flatMap(event => stringAt(event, 'message') ?? [])
      .reverse();
  }

  async #find(signal: AbortSignal): Promise<KubeObject | undefined> {
    const pods = await listAll(this.#cluster, CORE_TYPES.Pod, {
      namespace: this.namespace,
      labelSelector: `batch.kubernetes.io/controller-uid=${this.uid}`,
      signal,
    });
    return pods.find(pod => pod.metadata.deletionTimestamp === undefined) ?? pods[0];
  }

  /** Runs `/pra-mover` with these arguments. A command that ends with an error is a result. @throws PraError EXEC_FAILED */
  run(
    args: readonly string[],
    options: {
      signal: AbortSignal;
      stdin?: Readable;
      stdout?: Writable;
      onStderr?: (chunk: Buffer) => void;
    },
  ): Promise<ExecResult> {
    if (this.#pod === undefined) throw new PraError('BUG', `the pod of ${this.job} is used before it runs`);
    return execInPod(this.#cluster, {
      namespace: this.namespace,
      pod: this.#pod,
      container: 'mover',
      command: ['/pra-mover', ...args],
      ...options,
    });
  }

  /** Why the pod is no longer there, when it is not: evicted, preempted, killed for its memory, its node gone. */
  async lost(): Promise<string | undefined> {
    const signal = AbortSignal.timeout(10_000);
    const pod = await this.#find(signal).catch(() => undefined);
    if (!pod) return 'its pod was deleted';
    if (pod.metadata.deletionTimestamp !== undefined) return 'its pod is being deleted';
    if (isUp(pod)) return undefined;
    return judgeHealth(pod).reason;
  }

  /** Ends the pod, so that another one can mount the volume. The Job stays for a minute, and what belongs to it. */
  async stop(): Promise<void> {
    const signal = AbortSignal.timeout(GONE_TIMEOUT_MS);
    const pod = await this.#find(signal);
    if (!pod) return;
    const {name, namespace} = pod.metadata;
    await deleteObject(this.#cluster, CORE_TYPES.Pod, {name, namespace}, {signal});
    while ((await this.#find(signal)) !== undefined) await sleep(200, signal);
  }

  /** Deletes the Job and waits until its pod no longer holds the volume. It is not reached by the abort of a run. */
  async close(): Promise<void> {
    const signal = AbortSignal.timeout(GONE_TIMEOUT_MS);
    await deleteObject(this.#cluster, CORE_TYPES.Job, {name: this.job, namespace: this.namespace}, {signal});
    // Left to the garbage collector, the pod would stay for a while.
    await this.stop();
  }
}

const isUp = (pod: KubeObject) =>
  stringAt(pod, 'status', 'phase') === 'Running' &&
  pod.metadata.deletionTimestamp === undefined &&
  arrayAt(pod, 'status', 'containerStatuses').some(
    status => stringAt(status, 'state', 'running', 'startedAt') !== undefined,
  );

function failed(mover: Mover, what: string, why: string, cause?: unknown, next: string[] = []): PraError {
  return new PraError('MOVER_FAILED', `the pod of Job ${mover.namespace}/${mover.job} ${what}`, {
    why,
    cause,
    next: [...next, `kubectl get events -n ${mover.namespace}`],
  });
}

/** Runs a mover around work with it; it goes in any case, and what keeps it from going does not hide how the work ended. */
export async function withMover<T>(
  cluster: Cluster,
  job: MoverJob,
  options: MoverOptions,
  work: (mover: Mover) => Promise<T>,
): Promise<T> {
  const mover = await Mover.create(cluster, job, options);
  return useMover(mover, options, work, () => mover.close());
}

/** Waits for a mover, works with it, and lets go of it in any case. @throws PraError MOVER_FAILED when its pod was lost */
export async function useMover<T>(
  mover: Mover,
  options: MoverOptions,
  work: (mover: Mover) => Promise<T>,
  release: () => Promise<void>,
): Promise<T> {
  try {
    await mover.started(options);
    return await work(mover);
  } catch (error) {
    if (!options.signal.aborted && isExecFailure(error)) {
      const why = await mover.lost();
      if (why !== undefined) throw failed(mover, 'ended while it was at work', why, error);
    }
    throw error;
  } finally {
    await release().catch((error: unknown) => options.onProgress?.(leftover(mover, error)));
  }
}

const isExecFailure = (error: unknown) =>
  (error instanceof PraError && error.code === 'EXEC_FAILED') || isApiError(error, 404);

const leftover = (mover: Mover, error: unknown) =>
  `Job ${mover.namespace}/${mover.job} could not be deleted (${error instanceof Error ? error.message : String(error)}); it goes by itself, or: kubectl delete job -n ${mover.namespace} ${mover.job}`;
