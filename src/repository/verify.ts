import {PraError} from '../errors.ts';
import {sha256} from '../std/json.ts';
import {packKey} from './pack.ts';
import type {Repository} from './repository.ts';
import type {SnapshotRoot} from './snapshot-root.ts';
import {readRootTree, readShard} from './tree.ts';

/**
 * Reads every tree and pack that a snapshot needs and checks each against its name, so that damage is found before the
 * first write of a restore.
 * @returns how many packs there are, and their bytes.
 * @throws PraError REPOSITORY_CORRUPT that names the first that is missing, cut off or altered.
 */
export async function verifyPacks(
  repository: Repository,
  root: SnapshotRoot,
  options: {signal?: AbortSignal | undefined} = {},
): Promise<{packs: number; bytes: number}> {
  const packs = new Set<string>();
  for (const reference of (await readRootTree(repository, root.tree, options.signal)).shards) {
    const shard = await readShard(repository, reference.tree, options.signal);
    for (const entry of shard.entries) packs.add(entry.l[0]);
  }
  let bytes = 0;
  for (const pack of packs) {
    const body = await repository.store.get(packKey(pack), options).catch((error: unknown) => {
      if (error instanceof PraError && error.code === 'STORE_MISSING')
        throw damaged(repository, pack, 'it is missing', error);
      throw error;
    });
    if (sha256(body) !== pack) throw damaged(repository, pack, 'its content is not what its name says');
    bytes += body.length;
  }
  return {packs: packs.size, bytes};
}

const damaged = (repository: Repository, pack: string, why: string, cause?: unknown) =>
  new PraError('REPOSITORY_CORRUPT', `${packKey(pack)} in ${repository.store.url} is damaged`, {
    why,
    cause,
    next: ['use another snapshot: pra snapshot list'],
  });
