import type {Readable, Writable} from 'node:stream';
import {isApiError, isServerError} from '../../cluster/api-error.ts';
import {createObject, deleteObject, readObject} from '../../cluster/apply.ts';
import type {Cluster} from '../../cluster/client.ts';
import {CORE_TYPES} from '../../cluster/core-types.ts';
import {type ExecResult, execInPod} from '../../cluster/exec.ts';
import {judgeHealth} from '../../cluster/health.ts';
import {listAll} from '../../cluster/list.ts';
import type {KubeObject, OwnerReference, ResourceType} from '../../cluster/object.ts';
import {hasEnded} from '../../cluster/running.ts';
import {messageOf, PraError} from '../../errors.ts';
import {stringAt} from '../../std/json-at.ts';
import {sleep, waitFor} from '../../std/wait.ts';
import {MOVER_LABEL, type MoverJob, moverJob, moverName} from './job.ts';
import {failed, isOverdue, isUp, MoverLost, told, whyLost} from './lost.ts';
import {type MoverTimes, moverTimes} from './settings.ts';

const LOOK_TIMEOUT_MS = 10_000;
/** What waiting does not mend. */
const FINAL = /ErrImageNeverPull|InvalidImageName|ImagePullBackOff|CreateContainerConfigError/;

/** What is told of a pod that is refused: by an admission of the API server, or by a webhook such as Kyverno's. */
const REFUSED = /forbidden|denied the request/i;
const BY_POLICY = /PodSecurity|SecurityContextConstraint|security context constraint|denied the request/i;

/** The last that a command says which did all that it should. */
export const DONE = 'pra-mover: done';
/** What the agent says of an error. */
export const wordsOf = ({stderr}: ExecResult): string => stderr.replace(/^pra-mover: /, '').trim();

/** Exit codes above it are signals. */
const BY_SIGNAL = 128;
/** Until the cluster tells that a pod whose command was ended is itself at its end. */
const TOLD_MS = 5000;

export interface MoverOptions {
  signal: AbortSignal;
  onProgress?: ((message: string) => void) | undefined;
}

/** A pod that mounts claims, and what can be run in it. */
export class Mover {
  readonly namespace: string;
  readonly job: string;
  readonly uid: string;
  /** It fills volumes. */
  readonly writes: boolean;
  readonly #cluster: Cluster;
  readonly #times: MoverTimes;
  /** Ends what is run in the pod when it is seen that there is no pod any more. */
  readonly #lost = new AbortController();
  #pod: string | undefined;

  private constructor(cluster: Cluster, job: KubeObject, times: MoverTimes) {
    this.#cluster = cluster;
    this.#times = times;
    this.namespace = job.metadata.namespace ?? '';
    this.job = job.metadata.name;
    this.uid = job.metadata.uid ?? '';
    this.writes = job.metadata.labels?.[MOVER_LABEL] === 'restore';
  }

  /**
   * Creates the Job. What it mounts may be made later: the pod waits for it.
   * @throws PraError CLUSTER_* when it may not be made, MOVER_DENIED when a policy refuses it
   */
  static async create(cluster: Cluster, job: MoverJob, {signal}: MoverOptions): Promise<Mover> {
    const made = await createObject(cluster, CORE_TYPES.Job, moverJob(moverName(job), job), {signal}).catch(
      (error: unknown) => {
        if (isApiError(error) && BY_POLICY.test(error.why ?? ''))
          throw denied(job.namespace, error.why ?? '');
        throw error;
      },
    );
    return new Mover(cluster, made, moverTimes(job.settings));
  }

  /** Makes an object go when the Job does. */
  get owner(): OwnerReference {
    return {apiVersion: 'batch/v1', kind: 'Job', name: this.job, uid: this.uid};
  }

  /**
   * Waits until the pod runs.
   * @throws PraError MOVER_DENIED when the cluster does not let such a pod be, MOVER_FAILED with the reason why it does not run
   */
  async started({signal, onProgress}: MoverOptions): Promise<void> {
    let seen = 'no pod was made';
    let told = '';
    await waitFor(
      async () => {
        const pod = await this.#find(signal);
        if (pod && isUp(pod)) {
          this.#pod = pod.metadata.name;
          return true;
        }
        seen = await this.#trouble(pod, signal);
        if (seen !== told) onProgress?.(`waiting for pod ${this.namespace}/${this.job}: ${seen}`);
        told = seen;
        return undefined;
      },
      {
        waitingFor: `pod ${this.namespace}/${this.job}, which mounts the volume`,
        timeoutMs: this.#times.startMs,
        intervalMs: 200,
        lastSeen: () => seen,
        signal,
      },
    ).catch((error: unknown) => {
      if (!(error instanceof PraError) || error.code !== 'TIMEOUT') throw error;
      throw failed(this, 'does not start', seen, {cause: error});
    });
  }

  /** Why the pod does not run yet. @throws PraError when it never will */
  async #trouble(pod: KubeObject | undefined, signal: AbortSignal): Promise<string> {
    if (!pod) {
      const job = await readObject(
        this.#cluster,
        CORE_TYPES.Job,
        {name: this.job, namespace: this.namespace},
        {signal},
      );
      if (!job) throw new MoverLost('MOVER_FAILED', ...told(this, 'is not made', 'the Job was deleted'));
      const reason = (await this.#warnings(this.job, 'Job', signal)).find(text => REFUSED.test(text));
      if (reason === undefined) return 'no pod was made yet';
      if (BY_POLICY.test(reason)) throw denied(this.namespace, reason);
      // A quota may be free again in a moment.
      return reason;
    }
    const events = await listAll(this.#cluster, CORE_TYPES.Event, {
      namespace: this.namespace,
      fieldSelector: `involvedObject.name=${pod.metadata.name}`,
      signal,
    }).catch(() => []);
    const {reason} = judgeHealth(pod, {events});
    if (hasEnded(pod)) throw new MoverLost('MOVER_FAILED', ...told(this, 'ended before it was used', reason));
    if (FINAL.test(reason))
      throw failed(this, 'cannot start', reason, {
        next: [
          'let the cluster have the image: spec.mover.image (docs/volumes.md, "The image of the movers")',
        ],
      });
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

  /**
   * Runs `/pra-mover` with these arguments. A command that ends with an error is a result.
   * @throws PraError EXEC_FAILED, MOVER_FAILED when the pod went meanwhile
   */
  async run(
    args: readonly string[],
    options: {
      signal: AbortSignal;
      stdin?: Readable;
      stdout?: Writable;
      onStderr?: (chunk: Buffer) => void;
    },
  ): Promise<ExecResult> {
    if (this.#pod === undefined) throw new PraError('BUG', `the pod of ${this.job} is used before it runs`);
    const {signal} = options;
    try {
      const result = await execInPod(this.#cluster, {
        namespace: this.namespace,
        pod: this.#pod,
        container: 'mover',
        command: ['/pra-mover', ...args],
        ...options,
        signal: AbortSignal.any([signal, this.#lost.signal]),
      });
      const {exitCode, stderr} = result;
      // What is ended with its pod fails in one way or another, or is even told to have ended well.
      const isDone = exitCode === 0 && stderr.trimEnd().endsWith(DONE);
      if (!isDone) await this.#throwIfLost(signal, exitCode === 0 || exitCode > BY_SIGNAL ? TOLD_MS : 0);
      if (exitCode === 0 && !isDone) throw unfinished(this, args);
      return result;
    } catch (error) {
      if (!signal.aborted && isExecFailure(error)) await this.#throwIfLost(signal, TOLD_MS, error);
      throw error;
    }
  }

  async #throwIfLost(signal: AbortSignal, patienceMs: number, cause?: unknown): Promise<void> {
    const end = performance.now() + patienceMs;
    for (;;) {
      const lost = await this.#findLost(cause);
      if (lost) throw lost;
      if (performance.now() >= end) return;
      await sleep(500, signal);
    }
  }

  /**
   * Looks after the pod until the signal aborts: a node that is gone closes no connection, so that what is run there would
   * be waited for without end.
   */
  async watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(this.#times.lookMs, signal).catch(() => undefined);
      const lost = signal.aborted ? undefined : await this.#findLost();
      if (!lost) continue;
      this.#lost.abort(lost);
      return;
    }
  }

  /** An error when the pod is no longer there: evicted, preempted, killed for its memory, its node gone, its time over. */
  async #findLost(cause?: unknown): Promise<PraError | undefined> {
    const signal = AbortSignal.timeout(LOOK_TIMEOUT_MS);
    const {namespace} = this;
    const find = (type: ResourceType, name: string) =>
      readObject(this.#cluster, type, {namespace, name}, {signal});
    try {
      const why = whyLost(await find(CORE_TYPES.Pod, this.#pod ?? ''));
      if (why === undefined) return undefined;
      const job = await find(CORE_TYPES.Job, this.job);
      if (job && isOverdue(job))
        return failed(this, 'was ended before it was done', 'one volume may not take longer', {
          cause,
          next: ['give it more time: spec.mover.timeout'],
        });
      return new MoverLost('MOVER_FAILED', ...told(this, 'ended while it was at work', why, {cause}));
    } catch {
      return undefined; // whoever uses the cluster next is told why it does not answer
    }
  }

  /** Ends the pod, so that another one can mount the volume. The Job stays for a while, and what belongs to it. */
  async stop(): Promise<void> {
    const signal = AbortSignal.timeout(this.#times.goneMs);
    const pod = await this.#find(signal);
    if (!pod) return;
    const {name, namespace} = pod.metadata;
    await deleteObject(this.#cluster, CORE_TYPES.Pod, {name, namespace}, {signal});
    while ((await this.#find(signal)) !== undefined) await sleep(200, signal);
  }

  /** Deletes the Job and waits until its pod no longer holds the volume. It is not reached by the abort of a run. */
  async close(): Promise<void> {
    const signal = AbortSignal.timeout(this.#times.goneMs);
    await deleteObject(this.#cluster, CORE_TYPES.Job, {name: this.job, namespace: this.namespace}, {signal});
    // Left to the garbage collector, the pod would stay for a while.
    await this.stop();
  }
}

const denied = (namespace: string, why: string) =>
  new PraError('MOVER_DENIED', `namespace ${namespace} does not allow the pod that mounts the volume`, {
    why,
    next: [
      'name the user that may read the files: spec.source.volumes[].user, where the pods that mount the claim have no runAsUser',
      `or see what the namespace enforces: kubectl get namespace ${namespace} --show-labels`,
    ],
  });

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

/**
 * Waits for a mover, works with it, and lets go of it in any case.
 * @throws PraError MOVER_FAILED when its pod was lost, or when one that writes failed and could not be seen to end: it may still
 * write
 */
export async function useMover<T>(
  mover: Mover,
  options: MoverOptions,
  work: (mover: Mover) => Promise<T>,
  release: () => Promise<void>,
): Promise<T> {
  const done = new AbortController();
  let isDone = false;
  try {
    await mover.started(options);
    void mover.watch(done.signal);
    const result = await work(mover);
    isDone = true;
    return result;
  } finally {
    done.abort();
    await release().catch((error: unknown) => {
      options.onProgress?.(leftover(mover, error));
      if (mover.writes && !isDone && !options.signal.aborted) throw unseen(mover, error);
    });
  }
}

const unseen = (mover: Mover, cause: unknown) =>
  failed(mover, 'cannot be seen to end', 'its node does not answer: what runs there may still write', {
    cause,
    next: [
      'see that its node is really off, then: kubectl delete pod --force',
      'run it again; what is half filled is marked as such',
    ],
  });

const unfinished = ({namespace, job}: Mover, [command]: readonly string[]) =>
  new PraError(
    'EXEC_FAILED',
    `/pra-mover ${command} in the pod of Job ${namespace}/${job} was ended before it was done`,
    {
      why: 'it did not say that it was done',
    },
  );

const isExecFailure = (error: unknown) =>
  (error instanceof PraError && error.code === 'EXEC_FAILED') ||
  isApiError(error, 404) ||
  isServerError(error);

const leftover = (mover: Mover, error: unknown) =>
  `Job ${mover.namespace}/${mover.job} could not be deleted (${messageOf(error)}); it goes by itself, or: kubectl delete job -n ${mover.namespace} ${mover.job}`;
