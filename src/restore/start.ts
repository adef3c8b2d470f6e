import {isApiError} from '../cluster/api-error.ts';
import {patchObject} from '../cluster/apply.ts';
import {waitHealthy} from '../cluster/wait-healthy.ts';
import {PraError} from '../errors.ts';
import {mapPool} from '../std/pool.ts';
import {restoreObject} from './create.ts';
import {FINAL_REASONS} from './final-reasons.ts';
import type {GroupWorkload, RestoreGroup} from './groups.ts';
import {type ObjectOutcome, type RestoreOptions, type RestoreSession, restoreSession} from './session.ts';

export interface StartOptions extends RestoreOptions {
  group: string;
  /** For the whole group. */
  timeoutMs: number;
  /** How long a workload must stay healthy before it counts. */
  stabilityMs?: number;
  /** Texts in a workload's reason that no waiting mends, which end the wait at once. */
  finalReasons?: readonly string[];
}

export interface WorkloadStart {
  ref: string;
  state: string;
  reason: string;
  /** From the start of the group. */
  healthyAfterMs?: number | undefined;
}

export interface GroupStart {
  group: string;
  healthy: boolean;
  workloads: WorkloadStart[];
  /** What was created with the group: autoscalers, pods without an owner. */
  outcomes: ObjectOutcome[];
  durationMs: number;
}

/** Workloads that are woken at the same time at most; waiting for them has no such limit. */
const CONCURRENCY = 16;

/**
 * Starts one group: its workloads get back what they had (operators first), all must get healthy, then its autoscalers
 * and bare pods are created and, in a recovery, its jobs go on.
 * A workload that does not get healthy is a result with its reason, not an error.
 * @throws PraError BUG for a group that the plan does not have, CLUSTER_* and INTERRUPTED.
 */
export async function startGroup(options: StartOptions): Promise<GroupStart> {
  const session = restoreSession(options);
  const group = options.plan.groups.find(candidate => candidate.name === options.group);
  if (!group) throw new PraError('BUG', `the restore has no group ${options.group}`);
  const began = performance.now();
  const workloads: WorkloadStart[] = [];
  for (const batch of batchesOf(group)) {
    if (workloads.some(({state}) => state !== 'healthy')) {
      workloads.push(
        ...batch.map(({item}) => ({
          ref: item.ref,
          state: 'inert',
          reason: 'not started: what starts before it is not healthy',
        })),
      );
      continue;
    }
    workloads.push(...(await startBatch(session, group, batch, options, began)));
  }
  const healthy = workloads.every(({state}) => state === 'healthy');
  const outcomes = healthy
    ? await mapPool(group.late, CONCURRENCY, item => restoreObject(session, item))
    : [];
  if (healthy) await mapPool(group.resumed, CONCURRENCY, workload => wake(session, group, workload));
  return {group: group.name, healthy, workloads, outcomes, durationMs: Math.round(performance.now() - began)};
}

/** Operators, then the others, at most `maxParallel` at once. */
function batchesOf(group: RestoreGroup): GroupWorkload[][] {
  return [group.operators, group.workloads].flatMap(workloads => {
    const size = group.maxParallel ?? Math.max(workloads.length, 1);
    return Array.from({length: Math.ceil(workloads.length / size)}, (_, index) =>
      workloads.slice(index * size, (index + 1) * size),
    );
  });
}

async function startBatch(
  session: RestoreSession,
  group: RestoreGroup,
  batch: readonly GroupWorkload[],
  {timeoutMs, stabilityMs = 0, finalReasons = FINAL_REASONS}: StartOptions,
  began: number,
): Promise<WorkloadStart[]> {
  const startedAfterMs = performance.now() - began;
  const woken = await mapPool(batch, CONCURRENCY, workload => wake(session, group, workload));
  const running = batch.filter((_, index) => woken[index] === undefined);
  const targets = running.map(({item}) => ({type: item.type, ...nameOf(item.object.metadata)}));
  const {objects} = await waitHealthy(session.cluster, targets, {
    timeoutMs: Math.max(0, timeoutMs - startedAfterMs),
    stabilityMs,
    finalReasons,
    signal: session.signal,
    onChange: health => {
      if (health.state !== 'healthy') return;
      session.emit({
        type: 'workload-healthy',
        group: group.name,
        ref: health.ref,
        afterMs: Math.round(performance.now() - began),
      });
    },
  });
  const started = objects.map<WorkloadStart>(({ref, state, reason, healthyAfterMs}) => ({
    ref,
    state,
    reason,
    ...(healthyAfterMs === undefined ? {} : {healthyAfterMs: Math.round(startedAfterMs + healthyAfterMs)}),
  }));
  return [...started, ...woken.filter(failure => failure !== undefined)];
}

const nameOf = ({name, namespace}: {name: string; namespace?: string}) =>
  namespace === undefined ? {name} : {name, namespace};

/** Gives a workload back what it had. @returns its state when the API server refuses, undefined when it was started. */
async function wake(
  session: RestoreSession,
  group: RestoreGroup,
  {item, wake: patch, replicas}: GroupWorkload,
): Promise<WorkloadStart | undefined> {
  try {
    await patchObject(session.cluster, item.type, item.object.metadata, patch, {signal: session.signal});
    session.emit({type: 'workload-started', group: group.name, ref: item.ref, replicas});
    return undefined;
  } catch (error) {
    if (!isApiError(error)) throw error;
    return {
      ref: item.ref,
      state: error.status === 404 ? 'missing' : 'inert',
      reason: error.why ?? error.message,
    };
  }
}
