import {mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import fc from 'fast-check';
import {afterAll, beforeAll, describe, expect, it} from 'vitest';
import type {KubeObject} from '../../src/cluster/object.ts';
import {FileStore} from '../../src/repository/file.ts';
import {open, seal} from '../../src/repository/key.ts';
import {readIndex} from '../../src/repository/object-set.ts';
import {initRepository, openRepository, type Repository} from '../../src/repository/repository.ts';
import {findRoot, listRoots, type SnapshotRoot} from '../../src/repository/snapshot-root.ts';
import {verifyPacks} from '../../src/repository/verify.ts';
import {canonicalJson} from '../../src/std/json.ts';
import {configMap, loadSnapshot, saveSnapshot} from './snapshots.ts';

const passphrase = 'correct horse';
let dir: string;
let repository: Repository;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'pra-repository-'));
  repository = await initRepository(new FileStore(dir), {passphrase});
});
afterAll(() => rmSync(dir, {recursive: true, force: true}));

const save = (objects: KubeObject[], parent?: SnapshotRoot, target = repository) =>
  saveSnapshot(target, objects, parent);
const load = (root: SnapshotRoot, filter = {}) => loadSnapshot(repository, root, filter);

const files = (folder: string): string[] =>
  readdirSync(folder, {recursive: true, withFileTypes: true})
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name));

describe('objects', () => {
  it('come back as they were, whatever they hold', async () => {
    const names = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,12}$/), {minLength: 1, maxLength: 20});
    await fc.assert(
      fc.asyncProperty(names, fc.jsonValue(), async (wanted, data) => {
        const objects = wanted.map(name => configMap('ns', name, JSON.parse(JSON.stringify(data))));
        const back = await load(await save(objects));
        const sorted = objects.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
        expect(back.map(canonicalJson)).toEqual(sorted.map(canonicalJson));
      }),
      {numRuns: 25},
    );
  });

  it('span many frames, and can be selected without the rest', async () => {
    const big = Array.from({length: 300}, (_, i) =>
      configMap(`ns-${i % 3}`, `m-${i}`, {text: `${i}`.repeat(20_000)}),
    );
    const root = await save(big);
    expect(root.counts).toEqual({objects: 300, kinds: 1, namespaces: 3});
    expect(await load(root)).toHaveLength(300);
    expect(await load(root, {namespaces: ['ns-1'], names: ['m-4']})).toEqual([big[4]]);
    expect((await readIndex(repository, root)).map(shard => shard.objects)).toEqual([100, 100, 100]);
  });

  it('that did not change are not written again', async () => {
    const objects = Array.from({length: 500}, (_, i) => configMap('same', `m-${i}`, {i}));
    const first = await save(objects);
    const before = files(join(dir, 'packs')).length;
    const second = await save(objects, first);
    expect([second.trees, second.bytes.written]).toEqual([first.trees, 0]);
    expect(files(join(dir, 'packs'))).toHaveLength(before);
    const third = await save([...objects.slice(1), configMap('same', 'm-0', {i: 'changed'})], second);
    expect(files(join(dir, 'packs'))).toHaveLength(before + 1);
    expect((await load(third, {names: ['m-0']}))[0]?.data).toEqual({i: 'changed'});
    expect(await load(third)).toHaveLength(500);
  });
});

describe('damage', () => {
  it('of a single bit is always found in sealed data', () => {
    const key = Buffer.alloc(32, 7);
    fc.assert(
      fc.property(fc.uint8Array({minLength: 1, maxLength: 200}), fc.nat(), (plain, at) => {
        const sealed = seal(key, plain, 'c');
        expect(open(key, sealed, 'c').equals(plain)).toBe(true);
        const bit = at % (sealed.length * 8);
        sealed.writeUInt8(sealed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
        expect(() => open(key, sealed, 'c')).toThrow();
        expect(() => open(key, seal(key, plain, 'c'), 'another context')).toThrow();
      }),
    );
  });

  it.each(['removed', 'cut off', 'changed'])(
    'of a pack or tree that was %s is found before a restore, and named',
    async how => {
      const own = mkdtempSync(join(tmpdir(), 'pra-damage-'));
      try {
        const fresh = await initRepository(new FileStore(own), {passphrase});
        const root = await save([configMap('a', 'b', {c: 'd'})], undefined, fresh);
        await verifyPacks(fresh, root);
        for (const file of [...files(join(own, 'packs')), ...files(join(own, 'trees'))]) {
          const content = readFileSync(file);
          if (how === 'removed') rmSync(file);
          else if (how === 'cut off') truncateSync(file, content.length - 1);
          else
            writeFileSync(
              file,
              Buffer.concat([content.subarray(0, -1), Buffer.from([(content.at(-1) ?? 0) ^ 1])]),
            );
          const key = file.slice(own.length + 1);
          await expect(verifyPacks(fresh, root)).rejects.toMatchObject({
            code: 'REPOSITORY_CORRUPT',
            message: expect.stringContaining(key),
          });
          writeFileSync(file, content);
        }
      } finally {
        rmSync(own, {recursive: true, force: true});
      }
    },
  );

  it('of a snapshot root is never left out in silence', async () => {
    const own = mkdtempSync(join(tmpdir(), 'pra-root-'));
    try {
      const fresh = await initRepository(new FileStore(own), {passphrase});
      const root = await save([configMap('a', 'b', {c: 'd'})], undefined, fresh);
      const file = join(own, 'snapshots', `${root.id}.json`);
      const text = readFileSync(file, 'utf8');
      expect(text).not.toContain('v1.34.4');
      writeFileSync(file, text.replace('"pra test"', '"pra"'));
      await expect(listRoots(fresh)).rejects.toMatchObject({
        code: 'REPOSITORY_CORRUPT',
        message: expect.stringContaining(root.id),
      });
    } finally {
      rmSync(own, {recursive: true, force: true});
    }
  });
});

describe('opening', () => {
  it('needs the passphrase', async () => {
    await openRepository(repository.store, {passphrase});
    await expect(openRepository(repository.store, {passphrase: 'wrong'})).rejects.toMatchObject({
      code: 'REPOSITORY_WRONG_KEY',
      exitCode: 12,
    });
  });

  it('says when there is none, and makes none over another', async () => {
    await expect(openRepository(new FileStore(join(dir, 'nowhere')), {passphrase})).rejects.toMatchObject({
      code: 'REPOSITORY_ABSENT',
      exitCode: 10,
    });
    await expect(initRepository(repository.store, {passphrase})).rejects.toMatchObject({
      code: 'REPOSITORY_EXISTS',
    });
  });

  it('refuses a newer format by name', async () => {
    const own = mkdtempSync(join(tmpdir(), 'pra-format-'));
    try {
      await initRepository(new FileStore(own), {passphrase});
      const file = join(own, 'pra.json');
      writeFileSync(file, readFileSync(file, 'utf8').replace('"format": 1', '"format": 2'));
      await expect(openRepository(new FileStore(own), {passphrase})).rejects.toMatchObject({
        code: 'REPOSITORY_FORMAT',
        message: expect.stringContaining('format 2'),
      });
    } finally {
      rmSync(own, {recursive: true, force: true});
    }
  });

  it('finds snapshots by id, by its beginning, and the latest', async () => {
    const root = await save([configMap('a', 'b', {})]);
    expect((await findRoot(repository, root.id)).id).toBe(root.id);
    expect((await findRoot(repository, root.id.slice(0, 20))).id).toBe(root.id);
    await expect(findRoot(repository, '1999')).rejects.toMatchObject({code: 'SNAPSHOT_NOT_FOUND'});
    await expect(findRoot(repository, 'latest', {plan: 'none'})).rejects.toMatchObject({
      code: 'SNAPSHOT_NOT_FOUND',
    });
  });
});

it('keeps no value in plain', async () => {
  await save([configMap('a', 'secret', {token: 'canary-4f1b9c'})]);
  for (const file of files(dir)) expect(readFileSync(file).includes('canary-4f1b9c')).toBe(false);
});
