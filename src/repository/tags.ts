import {createHmac, randomBytes} from 'node:crypto';
import {z} from 'zod';
import {PraError} from '../errors.ts';
import {canonicalJson} from '../std/json.ts';
import {encode, isGenuine, type Repository, readJson} from './repository.ts';

/** Words for people and retention: letters, digits and a few signs. */
export const tagSchema = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._=:-]{0,62}$/);

const changeSchema = z.object({
  snapshot: z.string(),
  at: z.iso.datetime(),
  add: z.array(tagSchema),
  remove: z.array(tagSchema),
  mac: z.string().regex(/^[0-9a-f]{64}$/),
});

/**
 * Adds tags to a snapshot and takes others off. Each change is a file of its own, because roots are never rewritten; so
 * it needs no right to delete.
 */
export async function changeTags(
  repository: Repository,
  snapshot: string,
  change: {add: readonly string[]; remove: readonly string[]},
  options: {signal?: AbortSignal | undefined} = {},
): Promise<void> {
  const at = new Date().toISOString();
  const body = {snapshot, at, add: [...change.add], remove: [...change.remove]};
  const stamp = `${at.replaceAll(/[-:.]/g, '')}-${randomBytes(4).toString('hex')}`;
  await repository.store.put(
    `tags/${snapshot}/${stamp}.json`,
    encode({...body, mac: macOf(repository, body)}),
    {ifAbsent: true, signal: options.signal},
  );
}

/**
 * The tags of all snapshots, or of one.
 * @throws PraError REPOSITORY_CORRUPT for a change that nobody with the key made
 */
export async function readTags(
  repository: Repository,
  options: {
    snapshot?: string | undefined;
    /** Told of changes that are damaged, which then do not count, for who can go on without them. */
    onDamaged?: ((error: PraError) => void) | undefined;
    signal?: AbortSignal | undefined;
  } = {},
): Promise<Map<string, string[]>> {
  const tags = new Map<string, string[]>();
  const prefix = options.snapshot === undefined ? 'tags/' : `tags/${options.snapshot}/`;
  for await (const {key} of repository.store.list(prefix, options)) {
    const change = await readTagChange(repository, key, options.signal).catch((error: unknown) => {
      const isDamage = error instanceof PraError && error.code === 'REPOSITORY_CORRUPT';
      if (!isDamage || !options.onDamaged) throw error;
      options.onDamaged(error);
    });
    if (!change) continue;
    const {snapshot, add, remove} = change;
    const kept = (tags.get(snapshot) ?? []).filter(tag => !remove.includes(tag));
    tags.set(snapshot, [...new Set([...kept, ...add])].sort());
  }
  return tags;
}

/** @throws PraError REPOSITORY_CORRUPT for one that nobody with the key made, and for one that is damaged */
export async function readTagChange(
  repository: Repository,
  key: string,
  signal: AbortSignal | undefined,
): Promise<Omit<z.infer<typeof changeSchema>, 'mac'>> {
  const {mac, ...body} = await readJson(repository.store, key, changeSchema, signal);
  const genuine = isGenuine(mac, () => macOf(repository, body));
  if (genuine && key.startsWith(`tags/${body.snapshot}/`)) return body;
  throw new PraError('REPOSITORY_CORRUPT', `${key} in ${repository.store.url} was altered`, {
    next: [`delete ${key}, and find out who can write to the repository`],
  });
}

const macOf = (repository: Repository, body: object) =>
  createHmac('sha256', repository.macKey)
    .update(`tags\n${canonicalJson(body)}`)
    .digest('hex');
