import type {Cluster} from '../cluster/client.ts';
import {CORE_TYPES} from '../cluster/core-types.ts';
import {judgeHealth} from '../cluster/health.ts';
import {listAll} from '../cluster/list.ts';
import {PraError} from '../errors.ts';
import type {DumpRecord} from '../repository/snapshot-root.ts';
import {workloadOf} from '../snapshot/workload-of.ts';
import {formatBytes} from '../std/bytes.ts';
import {waitFor} from '../std/wait.ts';
import {restoreDump} from '../volume/dump.ts';
import {execWatched} from '../volume/watched-exec.ts';
import type {StepHandle} from './graph.ts';
import type {DrillRun} from './run-state.ts';

const POD_TIMEOUT_MS = 60_000;

/** Brings back the data of all volumes of one group, side by side. The last group to have its data sets T3. */
export async function restoreGroupData(run: DrillRun, group: string, step: StepHandle): Promise<string> {
  const workloads = run.workloadsOf([group]);
  const records = run
    .needSnapshot()
    .volumes.filter(record => record.method === 'dump')
    .filter(record =>
      workloads.some(
        ({type, name, namespace}) =>
          namespace === record.namespace && `${type.kind}/${name}` === record.workload,
      ),
    );
  const restored = await Promise.all(records.map(record => restoreVolume(run, record, step)));
  run.groupHasData(group);
  if (restored.length === 0) return 'no data to bring back';
  return `${formatBytes(restored.reduce((sum, bytes) => sum + bytes, 0))} of ${records.map(record => record.workload).join(', ')}, as they were saved`;
}

async function restoreVolume(run: DrillRun, record: DumpRecord, step: StepHandle): Promise<number> {
  const {target} = run.needTarget();
  const pod = await readyPod(target, record, step.signal);
  step.progress(`${record.workload}: ${formatBytes(record.bytes)}`);
  const outcome = {
    namespace: record.namespace,
    workload: record.workload,
    method: record.method,
    bytes: record.bytes,
  };
  try {
    const {bytes, sha256Ok, durationMs} = await restoreDump({
      // A restore that fails at its beginning must end, however much data is still to come.
      exec: request => execWatched(target, {...request, drainStdin: true}),
      restic: run.restic,
      record,
      pod,
      signal: step.signal,
    });
    run.log.volumes.push({...outcome, restoredBytes: bytes, sha256Ok, durationMs});
    return bytes;
  } catch (error) {
    run.log.volumes.push({...outcome, restoredBytes: 0, sha256Ok: false, durationMs: 0});
    throw error;
  }
}

async function readyPod(target: Cluster, record: DumpRecord, signal: AbortSignal): Promise<string> {
  const {namespace} = record;
  return waitFor(
    async () => {
      const [pods, sets] = await Promise.all([
        listAll(target, CORE_TYPES.Pod, {namespace, signal}),
        listAll(target, CORE_TYPES.ReplicaSet, {namespace, signal}),
      ]);
      const replicaSets = new Map(sets.map(set => [`${set.metadata.namespace}/${set.metadata.name}`, set]));
      return pods.find(
        pod => workloadOf(pod, replicaSets) === record.workload && judgeHealth(pod).state === 'healthy',
      )?.metadata.name;
    },
    {waitingFor: `a ready pod of ${record.workload} in ${namespace}`, timeoutMs: POD_TIMEOUT_MS, signal},
  ).catch((error: unknown) => {
    if (!(error instanceof PraError) || error.code !== 'TIMEOUT') throw error;
    throw new PraError('VOLUME_RESTORE_FAILED', error.message, {cause: error});
  });
}
