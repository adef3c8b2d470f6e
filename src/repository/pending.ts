import {createHmac} from 'node:crypto';
import {z} from 'zod';
import {PraError} from '../errors.ts';
import {canonicalJson} from '../std/json.ts';
import {encode, isGenuine, type Repository, readJson} from './repository.ts';
import {rootKey} from './snapshot-root.ts';
import {type TreeReference, treeReferenceSchema} from './tree.ts';
import {conflictIsFine} from './write-once.ts';

const pendingSchema = z.object({
  run: z.string().regex(/^[\w-]+$/),
  tree: treeReferenceSchema,
  mac: z.string().regex(/^[0-9a-f]{64}$/),
});

/** What a run that has no root yet has written: the next one uses it if this one is killed. */
export interface Pending {
  key: string;
  run: string;
  tree: TreeReference;
}

/** Notes that the objects of a tree lie in the store already. */
export async function writePending(
  repository: Repository,
  run: string,
  tree: TreeReference,
  options: {signal?: AbortSignal | undefined} = {},
): Promise<void> {
  const body = {run, tree};
  await conflictIsFine(
    repository.store.put(
      `pending/${run}/${tree.name}.json`,
      encode({...body, mac: macOf(repository, body)}),
      {
        ifAbsent: true,
        signal: options.signal,
      },
    ),
  );
}

/** What runs have noted that never got a root; others are left out, and so is what was altered. */
export async function readPending(
  repository: Repository,
  options: {signal?: AbortSignal | undefined} = {},
): Promise<Pending[]> {
  const found: Pending[] = [];
  for await (const {key} of repository.store.list('pending/', options)) {
    const pending = await readOne(repository, key, options.signal);
    if (pending && !(await repository.store.has(rootKey(pending.run), options))) found.push(pending);
  }
  return found;
}

/** Removes the notes of a run. Who may not delete leaves them to pruning. */
export async function clearPending(repository: Repository, run: string): Promise<void> {
  try {
    for await (const {key} of repository.store.list(`pending/${run}/`)) await repository.store.delete(key);
  } catch (error) {
    if (!(error instanceof PraError)) throw error;
  }
}

async function readOne(
  repository: Repository,
  key: string,
  signal: AbortSignal | undefined,
): Promise<Pending | undefined> {
  try {
    const {mac, ...body} = await readJson(repository.store, key, pendingSchema, signal);
    const genuine = isGenuine(mac, () => macOf(repository, body));
    return genuine && key.startsWith(`pending/${body.run}/`) ? {key, ...body} : undefined;
  } catch (error) {
    // Nothing depends on it: without it some objects are written again.
    if (error instanceof PraError && ['REPOSITORY_CORRUPT', 'STORE_MISSING'].includes(error.code))
      return undefined;
    throw error;
  }
}

const macOf = (repository: Repository, body: object) =>
  createHmac('sha256', repository.macKey)
    .update(`pending\n${canonicalJson(body)}`)
    .digest('hex');
