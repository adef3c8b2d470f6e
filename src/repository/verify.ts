import {PraError} from '../errors.ts';
import {sha256} from '../std/json.ts';
import {packKey} from './pack.ts';
import type {Repository} from './repository.ts';
import {SnapshotIndex} from './snapshot-index.ts';
import type {SnapshotRoot} from './snapshot-root.ts';
import {treeKey} from './tree.ts';

/**
 * Reads every tree and pack that a snapshot needs and checks each against its name, so that damage is found before the
 * first write of a restore.
 * @returns how many packs there are, and their bytes.
 * @throws PraError REPOSITORY_CORRUPT that names the first that is missing, cut off or altered.
 */
export async function verifyPacks(
  repository: Repository,
  root: Pick<SnapshotRoot, 'trees'>,
  options: {signal?: AbortSignal | undefined} = {},
): Promise<{packs: number; bytes: number}> {
  for (const {name} of root.trees) await verifyFile(repository, treeKey(name), name, options.signal);
  const packs = (await SnapshotIndex.open(repository, root, options.signal)).packs();
  let bytes = 0;
  for (const pack of packs) bytes += await verifyFile(repository, packKey(pack), pack, options.signal);
  return {packs: packs.size, bytes};
}

/**
 * Reads a file and compares its digest with its name.
 * @returns its bytes
 * @throws PraError REPOSITORY_CORRUPT
 */
export async function verifyFile(
  repository: Repository,
  key: string,
  digest: string,
  signal: AbortSignal | undefined,
): Promise<number> {
  const damaged = (why: string, cause?: unknown) =>
    new PraError('REPOSITORY_CORRUPT', `${key} in ${repository.store.url} is damaged`, {
      why,
      cause,
      next: ['use another snapshot: pra snapshot list'],
    });
  const body = await repository.store.get(key, {signal}).catch((error: unknown) => {
    if (error instanceof PraError && error.code === 'STORE_MISSING') throw damaged('it is missing', error);
    throw error;
  });
  if (sha256(body) !== digest) throw damaged('its content is not what its name says');
  return body.length;
}
