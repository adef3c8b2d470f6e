import {mkdir, rm, writeFile} from 'node:fs/promises';
import {dirname} from 'node:path';
import {describe, expect, it} from 'vitest';
import {type CheckFinding, checkRepository} from '../../src/repository/check.ts';
import {MemoryStore} from '../../src/repository/memory.ts';
import {ObjectSetWriter} from '../../src/repository/object-set-writer.ts';
import {packKey} from '../../src/repository/pack.ts';
import {pruneRepository} from '../../src/repository/prune.ts';
import {initRepository, openRepository, type Repository} from '../../src/repository/repository.ts';
import {SnapshotIndex} from '../../src/repository/snapshot-index.ts';
import {listRoots, readRoots, rootKey, type SnapshotRoot} from '../../src/repository/snapshot-root.ts';
import {changeTags} from '../../src/repository/tags.ts';
import {treeKey} from '../../src/repository/tree.ts';
import {listSnapshots} from '../../src/snapshot/list.ts';
import {errorOf} from '../bed/error-of.ts';
import {seeded} from '../bench/mixed-objects.ts';
import {bothStores, keysIn, type Place} from './both-stores.ts';
import {configMap, loadSnapshot, saveSnapshot} from './snapshots.ts';

const passphrase = 'p';
const older = [configMap('a', 'old', {x: 'y'})];
const newer = Array.from({length: 20}, (_, i) => configMap('b', `m-${i}`, {text: `${i}`.repeat(99)}));
const newest = newer.with(3, configMap('b', 'm-3', {text: 'changed'}));
newer.sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
newest.sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));

interface Bed {
  repository: Repository;
  /** Two that share most, and one that shares nothing with them. */
  roots: {older: SnapshotRoot; newer: SnapshotRoot; newest: SnapshotRoot};
}

async function fill(store: Place['store']): Promise<Bed> {
  const repository = await initRepository(store, {passphrase});
  const roots = {
    older: await saveSnapshot(repository, older),
    newer: await saveSnapshot(repository, newer),
  };
  await changeTags(repository, roots.older.id, {add: ['audit'], remove: []});
  return {repository, roots: {...roots, newest: await saveSnapshot(repository, newest, roots.newer)}};
}

/** The snapshots that need each file. */
async function filesOf({repository, roots}: Bed): Promise<Map<string, string[]>> {
  const needed = new Map<string, string[]>();
  const note = (key: string, id: string) => needed.set(key, [...(needed.get(key) ?? []), id].sort());
  for (const root of Object.values(roots)) {
    note(rootKey(root.id), root.id);
    for (const {name} of root.trees) note(treeKey(name), root.id);
    for (const pack of (await SnapshotIndex.open(repository, root)).packs()) note(packKey(pack), root.id);
  }
  return needed;
}

const check = async (repository: Repository) =>
  (await checkRepository(repository, {readData: true})).findings;
const changes: [string, (content: Buffer, other: Buffer) => Buffer | undefined][] = [
  [
    'one bit of it flips',
    content => {
      const copy = Buffer.from(content);
      const at = copy.length >> 1;
      copy.writeUInt8(copy.readUInt8(at) ^ 1, at);
      return copy;
    },
  ],
  ['it is cut off', content => content.subarray(0, content.length - 2)],
  ['it is emptied', () => Buffer.alloc(0)],
  ['something is appended', content => Buffer.concat([content, Buffer.from('x')])],
  ['another file comes in its place', (_content, other) => other],
  ['it is lost', () => undefined],
];

describe.each(bothStores())('a repository in %s', (_name, make) => {
  it.each(changes)(
    'of which %s: check names it and what it concerns, and the rest can be read',
    async (_what, change) => {
      const place = await make();
      const bed = await fill(place.store);
      const {repository, roots} = bed;
      expect(await check(repository)).toEqual([]);
      const wanted = {[roots.older.id]: older, [roots.newer.id]: newer, [roots.newest.id]: newest};
      const files = await filesOf(bed);
      expect(files.size).toBeGreaterThanOrEqual(8);
      for (const [key, concerned] of files) {
        const content = Buffer.from(await place.store.get(key));
        const [folder = ''] = key.split('/');
        const [other = ''] = [...files.keys()].filter(name => name !== key && name.startsWith(folder));
        const changed = change(content, Buffer.from(await place.store.get(other)));
        if (changed) await writeFile(place.file(key), changed);
        else await rm(place.file(key));

        const findings = await check(repository);
        // A root that is lost is a snapshot that is not there: only the gap in the chain of evidence tells.
        if (changed || folder !== 'snapshots') {
          expect(
            findings.map(finding => finding.key),
            key,
          ).toContain(key);
          expect(new Set(findings.flatMap(({snapshots}) => snapshots)), key).toEqual(new Set(concerned));
        }
        for (const root of Object.values(roots)) {
          if (concerned.includes(root.id) && changed) continue;
          if (concerned.includes(root.id)) {
            if (folder !== 'snapshots')
              expect((await errorOf(loadSnapshot(repository, root))).code).toBe('REPOSITORY_CORRUPT');
            continue;
          }
          expect(await loadSnapshot(repository, root), key).toEqual(wanted[root.id]);
        }
        await writeFile(place.file(key), content);
      }
      expect(await check(repository)).toEqual([]);
    },
  );

  it('of which a root is damaged lists the others, and says which', async () => {
    const place = await make();
    const {repository, roots} = await fill(place.store);
    const key = rootKey(roots.newer.id);
    await writeFile(place.file(key), '{}');
    const {items, errors} = await listSnapshots(repository);
    expect(items.map(({id}) => id)).toEqual([roots.newest.id, roots.older.id]);
    expect(errors).toMatchObject([{code: 'REPOSITORY_CORRUPT', message: expect.stringContaining(key)}]);
    expect((await errorOf(listRoots(repository))).code).toBe('REPOSITORY_CORRUPT');
    expect((await readRoots(repository)).damaged).toHaveLength(1);
  });

  it('with files of others in it is used as if they were not there', async () => {
    const place = await make();
    const {repository, roots} = await fill(place.store);
    for (const folder of ['snapshots', 'packs', 'trees', 'tags', 'locks', 'pending']) {
      await mkdir(dirname(place.file(`${folder}/x`)), {recursive: true});
      for (const name of ['.nfs0000000000a1b2c3', '.DS_Store', '._x', 'Icon\r'])
        await writeFile(place.file(`${folder}/${name}`), 'junk');
    }
    expect(await check(repository)).toEqual([]);
    await saveSnapshot(repository, newest, roots.newest);
    await pruneRepository(repository, {waitMs: 0, signal: new AbortController().signal});
    expect(await listRoots(repository)).toHaveLength(4);
  });

  it('of which a file was made to be too much for a reader is damaged, and no more', async () => {
    const place = await make();
    const {repository, roots} = await fill(place.store);
    const key = rootKey(roots.newest.id);
    const {mac, ...rest} = JSON.parse(Buffer.from(await place.store.get(key)).toString());
    const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;
    await writeFile(place.file(key), `{"mac":"${mac}","deep":${deep},${JSON.stringify(rest).slice(1)}`);
    expect(await errorOf(listRoots(repository))).toMatchObject({
      code: 'REPOSITORY_CORRUPT',
      message: expect.stringContaining(key),
    });
  });

  it('is not gone on from where a pack of the newest snapshot is lost or cut off', async () => {
    const place = await make();
    const {repository, roots} = await fill(place.store);
    for (const [key, concerned] of await filesOf({repository, roots})) {
      if (!key.startsWith('packs/') || !concerned.includes(roots.newest.id)) continue;
      const content = Buffer.from(await place.store.get(key));
      await writeFile(place.file(key), content.subarray(0, -1));
      const open = () => new ObjectSetWriter(repository, {parent: roots.newest}).open({checkPacks: true});
      expect(await errorOf(open())).toMatchObject({message: expect.stringContaining(key), why: /cut off/});
      await rm(place.file(key));
      expect(await errorOf(open())).toMatchObject({
        message: expect.stringContaining(key),
        why: 'it is missing',
      });
      await writeFile(place.file(key), content);
      await open();
    }
  });
});

it('a change of any one bit of any file is found', async () => {
  const store = new MemoryStore();
  const bed = await fill(store);
  const {repository} = bed;
  const random = seeded(7);
  const names = async () => new Set((await check(repository)).map(({key}: CheckFinding) => key));
  for (const key of await keysIn(store)) {
    const content = Buffer.from(await store.get(key));
    // The ends and some between; opening takes a while, as it should.
    const opens = !/^(packs|trees|snapshots|tags)\//.test(key);
    const step = Math.max(1, Math.floor(content.length / (opens ? 30 : 150)));
    const isEnd = (at: number) => !opens && (at < 64 || content.length - at < 64);
    for (let at = 0; at < content.length; at += isEnd(at) ? 1 : step) {
      const altered = Buffer.from(content);
      altered.writeUInt8(altered.readUInt8(at) ^ (1 << Math.floor(random() * 8)), at);
      await store.put(key, altered);
      const what = `byte ${at} of ${key}`;
      if (!opens) expect(await names(), what).toContain(key);
      else {
        // What opens the repository: found by opening it, or it does not matter how it is written.
        const opened = await openRepository(store, {passphrase}).catch((error: unknown) => error);
        if (opened instanceof Error) expect(opened, what).toMatchObject({code: /^REPOSITORY_/});
      }
      await store.put(key, content);
    }
  }
  expect(await names()).toEqual(new Set());
});
