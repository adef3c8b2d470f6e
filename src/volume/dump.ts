import {PassThrough, type Readable, type Writable} from 'node:stream';
import {pipeline} from 'node:stream/promises';
import {messageOf, PraError} from '../errors.ts';
import type {DumpRecord} from '../repository/snapshot-root.ts';
import type {Restic} from './restic.ts';

/** Runs a command in a container; `execInPod` of src/cluster bound to a cluster. */
export type Exec = (options: {
  namespace: string;
  pod: string;
  container?: string;
  command: string[];
  stdin?: Readable;
  stdout?: Writable;
  signal?: AbortSignal;
}) => Promise<{exitCode: number; stderr: string}>;

/** A workload whose data is to be dumped, and the pod of it that runs. */
export interface DumpRequest {
  namespace: string;
  pod: string;
  container: string;
  /** Such as StatefulSet/db. */
  workload: string;
  pvcs: string[];
  command: string[];
  restoreCommand: string[];
}

export const dumpFileName = (namespace: string, workload: string) =>
  `${namespace}_${workload.replaceAll('/', '_')}.dump`;

/**
 * Streams the output of a dump command into restic, with no copy in between. Only when the command ended well does restic
 * save anything: a dump that was cut off never becomes a snapshot.
 * @throws PraError VOLUME_DUMP_FAILED with the last words of the command.
 */
export async function dumpVolume(options: {
  exec: Exec;
  restic: Pick<Restic, 'backup'>;
  request: DumpRequest;
  tags: readonly string[];
  signal: AbortSignal;
}): Promise<DumpRecord> {
  const {exec, restic, request, signal} = options;
  const {namespace, pod, container, workload, command} = request;
  const began = performance.now();
  const output = new PassThrough();
  // exec ends its stdout after the last byte; restic may see that end only once the exit code is known.
  const held = new PassThrough();
  const flowing = pipeline(output, held, {end: false, signal});
  flowing.catch(() => undefined); // awaited below; until then a failure must not count as unhandled
  const dumping = (async () => {
    try {
      const result = await exec({namespace, pod, container, command: [...command], stdout: output, signal});
      if (result.exitCode !== 0) throw failed(request, `exit code ${result.exitCode}`, result.stderr);
      // The exit code may come before the last bytes have gone through; ending now would cut them off.
      await flowing;
      held.end();
    } catch (error) {
      const shown =
        error instanceof PraError && error.code === 'VOLUME_DUMP_FAILED'
          ? error
          : failed(request, 'it could not be run to its end', wordsOf(error), error);
      held.destroy(shown);
      throw shown;
    }
  })();
  const saving = restic.backup(held, {
    filename: dumpFileName(namespace, workload),
    tags: options.tags,
    signal,
  });
  // Nobody reads any more then, and the command would wait for a reader without end.
  saving.catch(() => output.destroy());
  const [dumped, saved] = await Promise.allSettled([dumping, saving]);
  // When the command was first to fail, its error is also why nothing was saved.
  if (saved.status === 'rejected') throw saved.reason;
  if (dumped.status === 'rejected') throw dumped.reason;
  return {
    method: 'dump',
    namespace,
    workload,
    pvcs: request.pvcs,
    container,
    dumpCommand: [...command],
    restoreCommand: [...request.restoreCommand],
    resticSnapshot: saved.value.snapshotId,
    bytes: saved.value.bytes,
    sha256: saved.value.sha256,
    durationMs: Math.round(performance.now() - began),
  };
}

/**
 * Streams a dump from restic into its restore command.
 * @returns what arrived, compared with what was saved.
 * @throws PraError VOLUME_RESTORE_FAILED with the last words of the command.
 */
export async function restoreDump(options: {
  exec: Exec;
  restic: Pick<Restic, 'restore'>;
  record: DumpRecord;
  pod: string;
  signal: AbortSignal;
}): Promise<{bytes: number; sha256Ok: boolean; durationMs: number}> {
  const {exec, restic, record, pod, signal} = options;
  const began = performance.now();
  const {stream, done} = restic.restore({
    snapshotId: record.resticSnapshot,
    filename: dumpFileName(record.namespace, record.workload),
    signal,
  });
  const running = exec({
    namespace: record.namespace,
    pod,
    container: record.container,
    command: [...record.restoreCommand],
    stdin: stream,
    signal,
  });
  // Without a reader restic would wait without end.
  running.then(
    ({exitCode}) => exitCode === 0 || stream.destroy(),
    () => stream.destroy(),
  );
  const [command, read] = await Promise.allSettled([running, done]);
  if (command.status === 'fulfilled' && command.value.exitCode !== 0) {
    throw new PraError(
      'VOLUME_RESTORE_FAILED',
      `the data of ${record.workload} in ${record.namespace} could not be restored: ${record.restoreCommand[0]} ended with exit code ${command.value.exitCode}${firstWords(command.value.stderr)}`,
      {why: command.value.stderr.trim() || undefined},
    );
  }
  if (signal.aborted && signal.reason instanceof PraError) throw signal.reason;
  // A command that ends breaks the stream too, but then restic has nothing to say about it.
  if (read.status === 'rejected' && read.reason instanceof PraError) throw restoreFailed(record, read.reason);
  if (command.status === 'rejected') throw restoreFailed(record, command.reason);
  if (read.status === 'rejected') throw restoreFailed(record, read.reason);
  const {bytes, sha256} = read.value;
  if (bytes !== record.bytes || sha256 !== record.sha256) {
    throw new PraError(
      'VOLUME_RESTORE_FAILED',
      `the data of ${record.workload} in ${record.namespace} is not what was saved`,
      {why: `${bytes} bytes came back of ${record.bytes}`},
    );
  }
  return {bytes, sha256Ok: true, durationMs: Math.round(performance.now() - began)};
}

/** The first line of what a command had to say: what went wrong first is the cause. */
function firstWords(stderr: string): string {
  const [first] = stderr.trim().split('\n');
  return first ? `: ${first}` : '';
}

function failed(request: DumpRequest, what: string, why: string, cause?: unknown): PraError {
  return new PraError(
    'VOLUME_DUMP_FAILED',
    `the dump of ${request.workload} in ${request.namespace} failed: ${what}`,
    {
      why: why.trim() || undefined,
      cause,
      next: [byHand(request)],
    },
  );
}

/** The command to paste; of a script of many lines, which is that of a preset, a shell in its place. */
function byHand({namespace, pod, container, command}: DumpRequest): string {
  const kubectl = (options: string) => `kubectl exec ${options} ${namespace} ${pod} -c ${container} --`;
  return command.some(word => word.includes('\n'))
    ? `look around where it runs: ${kubectl('-it -n')} sh`
    : `try it by hand: ${kubectl('-n')} ${command.join(' ')}`;
}

const wordsOf = (error: unknown) =>
  error instanceof PraError && error.why ? `${error.message}: ${error.why}` : messageOf(error);

export function restoreFailed(record: Pick<DumpRecord, 'workload' | 'namespace'>, error: unknown): PraError {
  return new PraError(
    'VOLUME_RESTORE_FAILED',
    `the data of ${record.workload} in ${record.namespace} could not be restored`,
    {why: wordsOf(error), next: error instanceof PraError ? [...error.next] : [], cause: error},
  );
}
