import {reachableKeys} from './reachable.ts';
import type {Repository} from './repository.ts';
import {listRoots} from './snapshot-root.ts';

export interface RepositoryStats {
  snapshots: number;
  plans: number;
  /** All objects of all snapshots, as if each were kept whole. */
  objects: {count: number; rawBytes: number};
  files: Record<
    'packs' | 'trees' | 'snapshots' | 'evidence' | 'volumes' | 'other',
    {count: number; bytes: number}
  >;
  /** What pruning would free. */
  unneeded: {files: number; bytes: number};
  /** rawBytes for every byte in packs and trees. */
  ratio: number;
}

const AREAS = ['packs', 'trees', 'snapshots', 'evidence', 'volumes'] as const;

/** What a repository holds and how much room it takes. */
export async function repositoryStats(
  repository: Repository,
  options: {signal?: AbortSignal | undefined} = {},
): Promise<RepositoryStats> {
  const empty = () => ({count: 0, bytes: 0});
  const files: RepositoryStats['files'] = {
    packs: empty(),
    trees: empty(),
    snapshots: empty(),
    evidence: empty(),
    volumes: empty(),
    other: empty(),
  };
  const sizes = new Map<string, number>();
  for await (const {key, size} of repository.store.list('', options)) {
    const area = AREAS.find(name => key.startsWith(`${name}/`)) ?? 'other';
    files[area].count += 1;
    files[area].bytes += size;
    if (area === 'packs' || area === 'trees') sizes.set(key, size);
  }
  const roots = await listRoots(repository, options);
  const needed = await reachableKeys(repository, roots, options);
  const unneeded = [...sizes].filter(([key]) => !needed.has(key));
  const rawBytes = roots.reduce((sum, root) => sum + root.bytes.raw, 0);
  const kept = files.packs.bytes + files.trees.bytes;
  return {
    snapshots: roots.length,
    plans: new Set(roots.map(root => root.plan?.name)).size,
    objects: {count: roots.reduce((sum, root) => sum + root.counts.objects, 0), rawBytes},
    files,
    unneeded: {files: unneeded.length, bytes: unneeded.reduce((sum, [, size]) => sum + size, 0)},
    ratio: kept === 0 ? 0 : rawBytes / kept,
  };
}
