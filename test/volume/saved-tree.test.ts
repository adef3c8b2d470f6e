import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {comparePaths, type ManifestEntry} from '../../src/volume/manifest.ts';
import type {StoredNode} from '../../src/volume/restic.ts';
import {findNotSaved} from '../../src/volume/saved-tree.ts';

const ROOT = '/pra/shop/data';
const dir = {type: 'dir', mode: '0755', uid: 0, gid: 0} as const;
const file = {...dir, type: 'file', size: 3} as const;

async function* each<T>(items: readonly T[]) {
  yield* items;
}
const node = ({path = '', type, size}: ManifestEntry): StoredNode => ({
  struct_type: 'node',
  type,
  path: path === '.' ? ROOT : `${ROOT}/${path}`,
  ...(size === undefined ? {} : {size}),
});
const find = (manifest: readonly ManifestEntry[], saved: readonly StoredNode[]) =>
  findNotSaved(each(manifest), each(saved), ROOT);

const tree: ManifestEntry[] = [
  {...dir, path: '.', unstable: true},
  {...dir, path: 'archive', unstable: true},
  {...file, path: 'archive/a'},
  {...file, path: 'archive/b', unstable: true},
  {...file, path: 'z'},
];
const above: StoredNode[] = ['/pra', '/pra/shop'].map(path => ({struct_type: 'node', type: 'dir', path}));

describe('what restic has not saved', () => {
  test('is nothing when it has all', async () => {
    expect(await find(tree, [...above, ...tree.map(node)])).toEqual({count: 0, shown: []});
  });

  test('is what was there all the time, not what came meanwhile', async () => {
    const renamed = [
      {...dir, path: '.'},
      {...dir, path: '2025'},
      {...file, path: 'z'},
    ].map(node);
    expect(await find(tree, [...above, ...renamed])).toEqual({count: 1, shown: ['"archive/a"']});
  });

  test('is a file of another size, and what is no file any more', async () => {
    const other = tree.map(entry => node(entry.path === 'z' ? {...file, path: 'z', size: 4} : entry));
    expect(await find(tree, other)).toMatchObject({count: 1, shown: ['"z"']});
    const link = tree.map(entry => node(entry.path === 'z' ? {...dir, type: 'symlink', path: 'z'} : entry));
    expect(await find(tree, link)).toMatchObject({count: 1});
  });

  test('is not looked for among names that are not UTF-8', async () => {
    expect(
      await find(
        [
          {...dir, path: '.'},
          {...file, path64: '/w=='},
        ],
        [],
      ),
    ).toMatchObject({count: 0});
  });

  test('is found whatever the names are, and never more than that', async () => {
    const name = fc.stringMatching(/^[a-zé.\u{1f600}-]{1,3}$/u).filter(text => text !== '.' && text !== '..');
    const names = fc.uniqueArray(name, {minLength: 1, maxLength: 12});
    await fc.assert(
      fc.asyncProperty(names, fc.nat(), async (paths, at) => {
        const bytes = (text: string) => Buffer.from(text, 'utf8').toString('latin1');
        const entries = paths
          .toSorted((a, b) => comparePaths(bytes(a), bytes(b)))
          .map((path): ManifestEntry => ({...file, path}));
        const all: ManifestEntry[] = [{...dir, path: '.'}, ...entries];
        expect((await find(all, all.map(node))).count).toBe(0);
        const lost = 1 + (at % entries.length);
        const {count, shown} = await find(all, all.filter((_, index) => index !== lost).map(node));
        expect({count, shown}).toEqual({count: 1, shown: [JSON.stringify(all[lost]?.path)]});
      }),
    );
  });
});
