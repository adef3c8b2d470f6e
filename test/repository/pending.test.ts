import {randomBytes} from 'node:crypto';
import {expect, it} from 'vitest';
import {MemoryStore} from '../../src/repository/memory.ts';
import {ObjectSetWriter} from '../../src/repository/object-set-writer.ts';
import {readPending} from '../../src/repository/pending.ts';
import {pruneRepository} from '../../src/repository/prune.ts';
import {initRepository} from '../../src/repository/repository.ts';
import {configMap, configMaps, loadSnapshot, writeTestRoot} from './snapshots.ts';

const {signal} = new AbortController();

/** Too much for one pack, and nothing that compresses. */
const objects = Array.from({length: 24}, (_, i) =>
  configMap('big', `m-${String(i).padStart(2, '0')}`, {blob: randomBytes(768 * 1024).toString('base64')}),
);

async function begin(repository: Awaited<ReturnType<typeof initRepository>>, run: string) {
  const writer = new ObjectSetWriter(repository, {run});
  await writer.open();
  for (const object of objects) await writer.addObject(configMaps, object);
  return writer;
}

async function sizeOf(store: MemoryStore): Promise<number> {
  let sum = 0;
  for await (const {size} of store.list('packs/')) sum += size;
  return sum;
}

it('what a killed run has written is used by the next, and pruned when nobody does', async () => {
  const store = new MemoryStore();
  const repository = await initRepository(store, {passphrase: 'x'});
  await begin(repository, 'first'); // and is never finished
  await expect.poll(() => readPending(repository)).toHaveLength(1);
  const before = await sizeOf(store);
  expect(before).toBeGreaterThan(16e6);

  const second = await begin(repository, 'second');
  const root = await writeTestRoot(repository, await second.finish());
  expect((await sizeOf(store)) - before).toBeLessThan(before / 2);
  expect(await loadSnapshot(repository, root)).toEqual(objects);

  const {files} = await pruneRepository(repository, {waitMs: 0, signal});
  expect(files).toBeGreaterThan(0);
  expect(await readPending(repository)).toEqual([]);
  expect(await loadSnapshot(repository, root)).toEqual(objects);
});

it('what was noted and then damaged is written again', async () => {
  const store = new MemoryStore();
  const repository = await initRepository(store, {passphrase: 'x'});
  await begin(repository, 'first');
  await expect.poll(() => readPending(repository)).toHaveLength(1);
  for await (const {key} of store.list('packs/')) await store.delete(key);
  const second = await begin(repository, 'second');
  const root = await writeTestRoot(repository, await second.finish());
  expect(await loadSnapshot(repository, root)).toEqual(objects);
});
