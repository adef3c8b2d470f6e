import {utimes, writeFile} from 'node:fs/promises';
import {describe, expect, it} from 'vitest';
import {checkRepository} from '../../src/repository/check.ts';
import {forgetByRetention, forgetSnapshot} from '../../src/repository/forget.ts';
import {LOCK_TTL_MS, Lock} from '../../src/repository/lock.ts';
import {ObjectSetWriter} from '../../src/repository/object-set-writer.ts';
import {type PruneEvent, pruneRepository} from '../../src/repository/prune.ts';
import {initRepository, type Repository} from '../../src/repository/repository.ts';
import {listRoots, rootKey, type SnapshotRoot} from '../../src/repository/snapshot-root.ts';
import {changeTags, readTags} from '../../src/repository/tags.ts';
import {treeKey} from '../../src/repository/tree.ts';
import {errorOf} from '../bed/error-of.ts';
import {bothStores, keysIn} from './both-stores.ts';
import {configMap, configMaps, loadSnapshot, saveSnapshot, writeTestRoot} from './snapshots.ts';

const {signal} = new AbortController();
const prune = (repository: Repository, options: {waitMs?: number; dryRun?: boolean} = {}) =>
  pruneRepository(repository, {waitMs: 0, signal, ...options});

const state = (step: number, names = 10) =>
  Array.from({length: names}, (_, i) =>
    configMap('a', `m-${i}`, {text: `${i} of ${i === 0 ? step : 0}`.repeat(50)}),
  );

describe.each(bothStores())('pruning in %s', (_name, make) => {
  const repositoryAt = async () => {
    const place = await make();
    return {place, repository: await initRepository(place.store, {passphrase: 'p'})};
  };

  it('deletes what only forgotten snapshots needed, and nothing that others need', async () => {
    const {repository} = await repositoryAt();
    const first = await saveSnapshot(repository, state(1));
    const second = await saveSnapshot(repository, state(2), first);
    const third = await saveSnapshot(repository, [configMap('b', 'alone', {x: 'y'})]);
    expect(await prune(repository)).toMatchObject({files: 0, blockedBy: []});
    await forgetSnapshot(repository, first.id);
    await forgetSnapshot(repository, third.id);
    const before = await keysIn(repository.store);
    const tried = await prune(repository, {dryRun: true});
    expect(await keysIn(repository.store)).toEqual(before);
    const done = await prune(repository);
    expect(done).toEqual(tried);
    expect(done).toMatchObject({files: 2, volumes: 0, blockedBy: []}); // pack and tree of the third
    expect(await loadSnapshot(repository, second)).toEqual(state(2));
    expect((await checkRepository(repository, {readData: true})).unneeded.files).toBe(0);
    expect(await prune(repository)).toMatchObject({files: 0, bytes: 0});
  });

  it('waits for writers that are at work, and deletes nothing when they do not end', async () => {
    const {repository} = await repositoryAt();
    const gone = await saveSnapshot(repository, state(1));
    const writer = await Lock.take(repository, 'append', {run: 'at-work'});
    await forgetSnapshot(repository, gone.id);
    const before = await keysIn(repository.store, 'packs/');
    const blocked = await prune(repository, {waitMs: 700});
    expect(blocked).toMatchObject({files: 0, blockedBy: [expect.stringContaining('at-work')]});
    expect(await keysIn(repository.store, 'packs/')).toEqual(before);
    setTimeout(() => void writer.release(), 300);
    expect(await prune(repository, {waitMs: 20_000})).toMatchObject({files: 2, blockedBy: []});
  });

  it('nobody forgets a snapshot meanwhile: what prune saw stays until it is done', async () => {
    const {repository} = await repositoryAt();
    const kept = await saveSnapshot(repository, state(1));
    const pruner = await Lock.take(repository, 'prune', {run: 'pruning'});
    expect(await errorOf(forgetSnapshot(repository, kept.id))).toMatchObject({
      code: 'REPOSITORY_LOCKED',
      message: expect.stringContaining('somebody else prunes'),
    });
    expect(await loadSnapshot(repository, kept)).toEqual(state(1));
    await pruner.release();
    await forgetSnapshot(repository, kept.id);
    expect(await prune(repository)).toMatchObject({files: 2});
  });

  it('leaves what a writer came to need that was at work when it was noted', async () => {
    const {repository} = await repositoryAt();
    const parent = await saveSnapshot(repository, state(1));
    const lock = await Lock.take(repository, 'append', {run: 'late'});
    const writer = new ObjectSetWriter(repository, {parent, run: 'late'});
    await writer.open();
    // Forgotten while somebody goes on from it: all that it has is noted as unneeded.
    await forgetSnapshot(repository, parent.id);
    const marked: PruneEvent[] = [];
    const pruning = pruneRepository(repository, {
      waitMs: 30_000,
      signal,
      onEvent: event => {
        marked.push(event);
        if (event.type === 'waiting') void finish();
      },
    });
    const finished = Promise.withResolvers<Awaited<ReturnType<typeof writeTestRoot>>>();
    async function finish() {
      for (const object of state(2)) await writer.addObject(configMaps, object);
      finished.resolve(await writeTestRoot(repository, await writer.finish(), parent));
      await lock.release();
    }
    const root = await finished.promise;
    const {blockedBy} = await pruning;
    expect(marked[0]).toMatchObject({type: 'marked', files: 2});
    expect(blockedBy).toEqual([]);
    expect(await loadSnapshot(repository, root)).toEqual(state(2));
    expect((await checkRepository(repository, {readData: true})).findings).toEqual([]);
  });

  it('deletes nothing while a root or a tree cannot be read, as what it needs is not known', async () => {
    const {repository, place} = await repositoryAt();
    const first = await saveSnapshot(repository, state(1));
    const second = await saveSnapshot(repository, [configMap('b', 'other', {x: 'y'})]);
    await forgetSnapshot(repository, first.id);
    const keys = await keysIn(repository.store);
    for (const key of [rootKey(second.id), ...second.trees.map(({name}) => treeKey(name))]) {
      const content = await repository.store.get(key);
      const altered = Buffer.from(content);
      const at = altered.length - 2; // the directory of a tree is at its end
      altered.writeUInt8(altered.readUInt8(at) ^ 1, at);
      await writeFile(place.file(key), altered);
      expect(await errorOf(prune(repository)), key).toMatchObject({
        code: 'REPOSITORY_CORRUPT',
        message: expect.stringContaining(key),
      });
      expect(await keysIn(repository.store)).toEqual(keys);
      await writeFile(place.file(key), content);
    }
    expect(await prune(repository)).toMatchObject({files: 2});
  });

  it('removes locks of killed runs, and files that were never whole', async () => {
    const {repository, place} = await repositoryAt();
    await Lock.take(repository, 'append', {run: 'killed'});
    const [lock = ''] = await keysIn(place.store, 'locks/');
    const then = new Date(Date.now() - LOCK_TTL_MS - 60_000);
    await utimes(place.file(lock), then, then);
    expect(await prune(repository)).toMatchObject({files: 1});
    expect(await keysIn(place.store, 'locks/')).toEqual([]);
  });

  it('by rules spares what is tagged, also when others forget at the same time', async () => {
    const {repository} = await repositoryAt();
    const roots: SnapshotRoot[] = [];
    for (let step = 0; step < 5; step += 1)
      roots.push(await saveSnapshot(repository, state(step), roots.at(-1)));
    const [first] = roots;
    await changeTags(repository, first?.id ?? '', {add: ['keep', 'audit'], remove: []});
    await changeTags(repository, first?.id ?? '', {add: [], remove: ['audit']});
    expect([...(await readTags(repository))]).toEqual([[first?.id, ['keep']]]);
    const rules = {last: 2};
    await Promise.all([1, 2].map(() => forgetByRetention(repository, rules, {dryRun: false, signal})));
    await prune(repository);
    expect((await listRoots(repository)).map(({id}) => id)).toEqual([roots[4]?.id, roots[3]?.id, first?.id]);
    for (const [step, root] of [
      [0, first],
      [4, roots[4]],
    ] as const)
      if (root) expect(await loadSnapshot(repository, root)).toEqual(state(step));
  });

  it('by rules forgets nothing when a tag was altered, since it may have said keep', async () => {
    const {repository, place} = await repositoryAt();
    const first = await saveSnapshot(repository, state(1));
    await saveSnapshot(repository, state(2), first);
    await changeTags(repository, first.id, {add: ['keep'], remove: []});
    const [key = ''] = await keysIn(place.store, 'tags/');
    const text = Buffer.from(await place.store.get(key)).toString();
    await writeFile(place.file(key), text.replace('"keep"', '"kept"'));
    const error = await errorOf(forgetByRetention(repository, {last: 1}, {dryRun: false, signal}));
    expect(error).toMatchObject({code: 'REPOSITORY_CORRUPT', message: expect.stringContaining(key)});
    expect(await listRoots(repository)).toHaveLength(2);
  });
});
