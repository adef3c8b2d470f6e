import {expect, it} from 'vitest';
import {copySnapshots} from '../../src/repository/copy.ts';
import {MemoryStore} from '../../src/repository/memory.ts';
import {initRepository} from '../../src/repository/repository.ts';
import {listRoots} from '../../src/repository/snapshot-root.ts';
import {changeTags, readTags} from '../../src/repository/tags.ts';
import {configMap, loadSnapshot, saveSnapshot} from './snapshots.ts';

const {signal} = new AbortController();
const copyVolume = () => Promise.reject(new Error('there are no volumes'));

it('copies snapshots in their order, each small, and only those that are not there', async () => {
  const from = await initRepository(new MemoryStore(), {passphrase: 'x'});
  const to = await initRepository(new MemoryStore(), {passphrase: 'y'});
  const objects = Array.from({length: 50}, (_, i) => configMap('a', `m-${i}`, {text: `${i}`.repeat(200)}));
  const first = await saveSnapshot(from, objects);
  const changed = [...objects.slice(1), configMap('a', 'm-0', {text: 'changed'})];
  const second = await saveSnapshot(from, changed, first);
  await changeTags(from, first.id, {add: ['keep', 'audit'], remove: []});

  expect(await copySnapshots(from, to, {copyVolume, signal})).toEqual([first.id, second.id]);
  const copies = await listRoots(to);
  expect(copies.map(({id, parent}) => [id, parent])).toEqual([
    [second.id, first.id],
    [first.id, undefined],
  ]);
  const sorted = (list: typeof objects) => list.map(object => JSON.stringify(object)).sort();
  for (const [copy, wanted] of [
    [copies[0], changed],
    [copies[1], objects],
  ] as const) {
    if (!copy) throw new Error('a copy is missing');
    expect(sorted(await loadSnapshot(to, copy))).toEqual(sorted(wanted));
  }
  expect([...(await readTags(to))]).toEqual([[first.id, ['audit', 'keep']]]);
  expect(copies[0]?.bytes.written).toBeLessThan(1500);
  expect(await copySnapshots(from, to, {copyVolume, signal})).toEqual([]);
});

it('a damaged snapshot is not copied, and those before it are', async () => {
  const store = new MemoryStore();
  const from = await initRepository(store, {passphrase: 'x'});
  const to = await initRepository(new MemoryStore(), {passphrase: 'y'});
  const good = await saveSnapshot(from, [configMap('a', 'good', {})]);
  const packs = new Set<string>();
  for await (const {key} of store.list('packs/')) packs.add(key);
  await saveSnapshot(from, [configMap('a', 'bad', {})]);
  for await (const {key} of store.list('packs/')) if (!packs.has(key)) await store.delete(key);
  await expect(copySnapshots(from, to, {copyVolume, signal})).rejects.toMatchObject({
    code: 'REPOSITORY_CORRUPT',
  });
  expect((await listRoots(to)).map(({id}) => id)).toEqual([good.id]);
});
