import type {PraError} from '../errors.ts';
import type {Repository} from '../repository/repository.ts';
import {readRoots, type SnapshotRoot} from '../repository/snapshot-root.ts';
import {readTags} from '../repository/tags.ts';

/** A snapshot in one line. */
export interface SnapshotSummary {
  id: string;
  createdAt: string;
  plan?: string | undefined;
  source: string;
  objects: number;
  namespaces: number;
  volumes: number;
  volumeBytes: number;
  /** What it added to the repository. */
  writtenBytes: number;
  durationMs: number;
  tags: string[];
}

/**
 * The snapshots of a repository, the newest first, of one plan or all, and what of them cannot be read: one that is
 * damaged must not hide the others.
 * @throws PraError STORE_*.
 */
export async function listSnapshots(
  repository: Repository,
  options: {plan?: string | undefined; signal?: AbortSignal | undefined} = {},
): Promise<{items: SnapshotSummary[]; errors: PraError[]}> {
  const errors: PraError[] = [];
  const tags = await readTags(repository, {onDamaged: error => errors.push(error), signal: options.signal});
  const {roots, damaged} = await readRoots(repository, options);
  return {
    items: roots.map(root => summaryOf(root, tags.get(root.id) ?? [])),
    errors: [...damaged, ...errors],
  };
}

function summaryOf(root: SnapshotRoot, tags: string[]): SnapshotSummary {
  return {
    id: root.id,
    createdAt: root.createdAt,
    plan: root.plan?.name,
    source: root.source.context,
    objects: root.counts.objects,
    namespaces: root.counts.namespaces,
    volumes: root.volumes.length,
    volumeBytes: root.volumes.reduce((sum, volume) => sum + volume.bytes, 0),
    writtenBytes: root.bytes.written,
    durationMs: Date.parse(root.finishedAt) - Date.parse(root.createdAt),
    tags,
  };
}
