import type {VolumeRecord} from '../repository/snapshot-root.ts';
import {dumpFileName, restoreFailed} from './dump.ts';
import type {Restic} from './restic.ts';
import {serveResticLocally} from './restic-http.ts';

export interface CopyVolumeOptions<Record extends VolumeRecord> {
  from: Restic;
  to: Restic;
  record: Record;
  tags: readonly string[];
  signal: AbortSignal;
}

/**
 * Copies the data of a volume from one repository into another.
 * @returns its record there
 * @throws PraError VOLUME_RESTORE_FAILED, RESTIC_FAILED, STORE_*
 */
export async function copyVolume(options: CopyVolumeOptions<VolumeRecord>): Promise<VolumeRecord> {
  const {record, from, to, signal} = options;
  if (record.method === 'dump') {
    const filename = dumpFileName(record.namespace, record.workload);
    const resticSnapshot = await copyFile(options, {snapshotId: record.resticSnapshot, filename, ...record});
    return {...record, resticSnapshot};
  }
  const {manifest} = record;
  const list = await copyFile(options, {...manifest, snapshotId: manifest.resticSnapshot});
  // restic copies files only between repositories that it can reach with the same credentials: it gets this one from here.
  const served = await serveResticLocally(from.repository.store, signal);
  try {
    const password = from.repository.volumePassword();
    const resticSnapshot = await to.copyFrom(served.url, {password, snapshotId: record.resticSnapshot});
    return {...record, resticSnapshot, manifest: {...manifest, resticSnapshot: list}};
  } finally {
    served.close();
  }
}

interface SavedFile {
  snapshotId: string;
  filename: string;
  sha256: string;
}

/** Copies one file that was saved as a stream. @returns the snapshot that holds it there */
async function copyFile(
  {from, to, record, tags, signal}: CopyVolumeOptions<VolumeRecord>,
  {snapshotId, filename, sha256}: SavedFile,
): Promise<string> {
  const about = {namespace: record.namespace, workload: record.workload ?? record.pvcs[0] ?? ''};
  const {stream, done} = from.restore({snapshotId, filename, signal});
  const [read, saved] = await Promise.allSettled([done, to.backup(stream, {filename, tags, signal})]);
  signal.throwIfAborted();
  if (read.status === 'rejected') throw restoreFailed(about, read.reason);
  if (saved.status === 'rejected') throw saved.reason;
  // What came short is saved all the same, but no snapshot names it.
  if (saved.value.sha256 !== sha256)
    throw restoreFailed(
      about,
      new Error(`${saved.value.bytes} bytes came, which are not those that were saved`),
    );
  return saved.value.snapshotId;
}
