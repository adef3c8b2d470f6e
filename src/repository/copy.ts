import {Lock} from './lock.ts';
import {readObjects} from './object-set.ts';
import {ObjectSetWriter} from './object-set-writer.ts';
import type {Repository} from './repository.ts';
import {listRoots, rootKey, type SnapshotRoot, type VolumeRecord, writeRoot} from './snapshot-root.ts';
import {changeTags, readTags} from './tags.ts';
import {verifyPacks} from './verify.ts';

export type CopyEvent =
  | {type: 'copying'; id: string; objects: number}
  | {type: 'copied'; id: string; writtenBytes: number}
  | {type: 'skipped'; id: string};

/** Copies the data of a volume for a snapshot, and gives the record that it has in the other repository. */
export type CopyVolume = (volume: VolumeRecord, snapshot: string) => Promise<VolumeRecord>;

/**
 * Copies snapshots into another repository, whose keys are its own: the oldest first, each against the one before, so that
 * the copy is as small as the original. What is there already is left out. Everything is checked before it is copied.
 * @throws PraError REPOSITORY_CORRUPT when a snapshot is damaged; STORE_*; what was copied before stays
 */
export async function copySnapshots(
  from: Repository,
  to: Repository,
  options: {
    ids?: readonly string[] | undefined;
    plan?: string | undefined;
    copyVolume: CopyVolume;
    signal: AbortSignal;
    onEvent?: ((event: CopyEvent) => void) | undefined;
  },
): Promise<string[]> {
  const {ids, signal, onEvent} = options;
  const roots = (await listRoots(from, {plan: options.plan, signal})).reverse();
  const copied: string[] = [];
  const newest = new Map<string, SnapshotRoot>();
  const groupOf = (root: SnapshotRoot) => `${root.plan?.name ?? ''} ${root.source.uid}`;
  const there = new Map((await listRoots(to, {signal})).map(root => [root.id, root]));
  const [tags, tagsThere] = [await readTags(from, {signal}), await readTags(to, {signal})];
  /** One with the tag keep is to be kept in both. What was taken off here stays there. */
  const copyTags = async (id: string) => {
    const add = (tags.get(id) ?? []).filter(tag => !tagsThere.get(id)?.includes(tag));
    if (add.length > 0) await changeTags(to, id, {add, remove: []}, {signal});
  };
  for (const root of roots.filter(({id}) => !ids || ids.includes(id))) {
    const known = there.get(root.id);
    if (known) {
      onEvent?.({type: 'skipped', id: root.id});
      newest.set(groupOf(root), known);
      await copyTags(root.id);
      continue;
    }
    onEvent?.({type: 'copying', id: root.id, objects: root.counts.objects});
    const written = await copyOne(from, to, root, newest.get(groupOf(root)), options);
    newest.set(groupOf(root), written);
    await copyTags(root.id);
    copied.push(root.id);
    onEvent?.({type: 'copied', id: root.id, writtenBytes: written.bytes.written});
  }
  return copied;
}

async function copyOne(
  from: Repository,
  to: Repository,
  root: SnapshotRoot,
  parent: SnapshotRoot | undefined,
  {copyVolume, signal}: {copyVolume: CopyVolume; signal: AbortSignal},
): Promise<SnapshotRoot> {
  const lock = await Lock.take(to, 'append', {run: root.id, signal});
  try {
    await verifyPacks(from, root, {signal});
    const stillThere = parent && (await to.store.has(rootKey(parent.id), {signal})) ? parent : undefined;
    const writer = new ObjectSetWriter(to, {parent: stillThere, signal});
    await writer.open({checkPacks: true});
    for await (const {type, object, bytes, health} of readObjects(from, root, {signal}))
      await writer.addBytes(type, object, bytes, health);
    const {trees, counts, namespaces, bytes} = await writer.finish();
    const volumes: VolumeRecord[] = [];
    for (const volume of root.volumes) volumes.push(await copyVolume(volume, root.id));
    const {mac: _, parent: __, ...fields} = root;
    await lock.confirm(signal);
    return await writeRoot(
      to,
      {...fields, volumes, trees, counts, namespaces, bytes, ...(stillThere ? {parent: stillThere.id} : {})},
      {signal},
    );
  } finally {
    await lock.release();
  }
}
