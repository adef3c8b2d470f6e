import {execFile} from 'node:child_process';
import {mkdir, mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {Readable} from 'node:stream';
import {promisify} from 'node:util';
import fc from 'fast-check';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {resolveTool} from '../../src/tool/resolve.ts';
import {compareManifests, comparePaths, type ManifestEntry, readManifest} from '../../src/volume/manifest.ts';
import {errorOf} from '../bed/error-of.ts';

const run = promisify(execFile);
let dir: string;
let agent: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pra-manifest-'));
  agent = (await resolveTool('pra-mover')).path;
});
afterAll(() => rm(dir, {recursive: true, force: true}));

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

/** Bytes of a name as manifests are ordered by. */
const nameOf = ({path, path64}: ManifestEntry) =>
  (path === undefined ? Buffer.from(path64 ?? '', 'base64') : Buffer.from(path)).toString('latin1');

async function listed(root: string): Promise<ManifestEntry[]> {
  const {stdout} = await run(agent, ['manifest', root], {env: {TMPDIR: dir}, maxBuffer: 1 << 26});
  return all(readManifest(Readable.from([stdout])));
}

/** Names that sort in other ways than one expects: prefixes of each other, bytes below and above the slash, no UTF-8. */
const name = fc
  .array(fc.constantFrom('a', 'b', '-', '.', '!', '0', ' ', 'é', '\u{1F600}', '\uFFFD', '\xff'), {
    minLength: 1,
    maxLength: 3,
  })
  .map(parts => Buffer.concat(parts.map(part => (part === '\xff' ? Buffer.from([255]) : Buffer.from(part)))))
  .filter(bytes => !['.', '..'].includes(bytes.toString()));
const paths = fc.array(fc.array(name, {minLength: 1, maxLength: 3}), {maxLength: 12});

describe('the order of a manifest', () => {
  test('is that in which the agent walks', async () => {
    let trees = 0;
    await fc.assert(
      fc.asyncProperty(paths, async files => {
        trees += 1;
        const root = join(dir, `tree-${trees}`);
        await mkdir(root);
        for (const parts of files) {
          const path = parts.reduce(
            (above, part) => Buffer.concat([above, Buffer.from('/'), part]),
            Buffer.from(root),
          );
          // What is a file already is no folder.
          await mkdir(path, {recursive: true}).catch(() => undefined);
          await writeFile(Buffer.concat([path, Buffer.from('/f')]), 'x').catch(() => undefined);
        }
        const names = (await listed(root)).map(nameOf);
        expect(names[0]).toBe('.');
        expect(names.toSorted(comparePaths)).toEqual(names);
        expect(new Set(names).size).toBe(names.length);
      }),
      {numRuns: 30},
    );
  });

  test('is a total order', () => {
    const path = fc
      .array(fc.constantFrom('a', 'a-', 'a.b', 'b', '\xff'), {minLength: 1, maxLength: 3})
      .map(parts => parts.join('/'));
    const any = fc.oneof(path, fc.constant('.'));
    fc.assert(
      fc.property(any, any, any, (a, b, c) => {
        expect(Math.sign(comparePaths(a, b))).toBe(-Math.sign(comparePaths(b, a)) + 0);
        expect(comparePaths(a, b) === 0).toBe(a === b);
        if (comparePaths(a, b) <= 0 && comparePaths(b, c) <= 0)
          expect(comparePaths(a, c)).toBeLessThanOrEqual(0);
      }),
    );
  });
});

const hex = fc.string({unit: fc.constantFrom(...'0123456789abcdef'), minLength: 64, maxLength: 64});
const entry = fc.record({
  type: fc.constant('file'),
  mode: fc.constantFrom('0644', '0600', '4755'),
  uid: fc.nat(70_000),
  gid: fc.nat(70_000),
  size: fc.nat(),
  mtime: fc.constantFrom('2026-01-01T00:00:00Z', '2026-01-01T00:00:00.000000001Z'),
  sha256: hex,
});
/** A folder with files, in order. */
const manifest = fc
  .uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g'), {minLength: 1})
  .chain(names =>
    fc.tuple(
      ...names
        .toSorted()
        .map(path => entry.map((fields): ManifestEntry => ({...fields, path: `dir/${path}`}))),
    ),
  )
  .map((files): ManifestEntry[] => [
    {path: '.', type: 'dir', mode: '0755', uid: 0, gid: 0},
    {path: 'dir', type: 'dir', mode: '0755', uid: 0, gid: 0, mtime: '2026-01-01T00:00:00Z'},
    ...files,
  ]);
const chosen = fc.tuple(manifest, fc.nat()).map(([entries, at]) => ({
  entries,
  index: 2 + (at % (entries.length - 2)),
}));

async function* each<T>(items: readonly T[]) {
  yield* items;
}
const compare = (saved: readonly ManifestEntry[], restored: readonly ManifestEntry[], ownRoot = true) =>
  compareManifests(each(saved), each(restored), {ownRoot});

const CHANGES: Record<string, (entry: ManifestEntry) => ManifestEntry> = {
  type: one => ({...one, type: 'symlink'}),
  mode: one => ({...one, mode: '0777'}),
  owner: one => ({...one, uid: one.uid + 1}),
  'owner by group': one => ({...one, gid: one.gid + 1}),
  size: one => ({...one, size: (one.size ?? 0) + 1}),
  content: one => ({...one, sha256: '0'.repeat(63)}),
  target: one => ({...one, target: 'eA=='}),
  'target of a device': one => ({...one, rdev: 259}),
  time: one => ({...one, mtime: '1999-01-01T00:00:00Z'}),
  link: one => ({...one, linkTo: 'eA=='}),
  'extended attributes': one => ({...one, xattrs: {'user.origin': 'eA=='}}),
};

const replaced = (
  entries: readonly ManifestEntry[],
  index: number,
  change: (one: ManifestEntry) => ManifestEntry,
) => entries.map((one, i) => (i === index ? change(one) : one));
const without = (entries: readonly ManifestEntry[], index: number) => entries.filter((_, i) => i !== index);
const unstable = (one: ManifestEntry): ManifestEntry => ({...one, unstable: true});

describe('a comparison', () => {
  test('of a manifest with itself finds nothing, and counts', async () => {
    await fc.assert(
      fc.asyncProperty(manifest, async entries => {
        const {differing, differences, expected, found} = await compare(entries, entries);
        expect({differing, differences}).toEqual({differing: 0, differences: []});
        const bytes = entries.reduce((sum, {size = 0}) => sum + size, 0);
        expect(found).toEqual({entries: entries.length, files: entries.length - 2, bytes, unstable: 0});
        expect(expected).toEqual(found);
      }),
    );
  });

  test.each(Object.entries(CHANGES))('finds another %s', async (field, change) => {
    await fc.assert(
      fc.asyncProperty(chosen, async ({entries, index}) => {
        const {differing, differences} = await compare(entries, replaced(entries, index, change));
        expect(differing).toBe(1);
        const [word = ''] = field.split(' of a | by ');
        expect(differences).toEqual([
          `${JSON.stringify(entries[index]?.path)} has another ${word.replace(/ (by|of a) .*/, '')}`,
        ]);
      }),
      {numRuns: 20},
    );
  });

  test('finds what is missing and what was not there', async () => {
    await fc.assert(
      fc.asyncProperty(chosen, async ({entries, index}) => {
        const path = JSON.stringify(entries[index]?.path);
        const less = without(entries, index);
        expect((await compare(entries, less)).differences).toEqual([`${path} is missing`]);
        expect((await compare(less, entries)).differences).toEqual([`${path} was not in the volume`]);
      }),
    );
  });

  test('lets what changed while it was saved differ, and nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(chosen, async ({entries, index}) => {
        const saved = replaced(entries, index, unstable);
        for (const change of Object.values(CHANGES).slice(1)) {
          const {differing, expected} = await compare(saved, replaced(entries, index, change));
          expect([differing, expected.unstable]).toEqual([0, 1]);
        }
        expect((await compare(saved, without(entries, index))).differing).toBe(0);
        // A new file may be in a folder that changed, and in no other.
        const busy = without(replaced(entries, 1, unstable), index);
        expect((await compare(busy, entries)).differing).toBe(0);
        expect((await compare(without(entries, index), entries)).differing).toBe(1);
      }),
    );
  });

  test('counts what came and went, and misses what was there all the time, also below a folder that went', async () => {
    const folder = {type: 'dir', mode: '0755', uid: 0, gid: 0} as const;
    const file = {...folder, type: 'file', mtime: '2026-01-01T00:00:00Z', size: 1};
    const saved: ManifestEntry[] = [
      {...folder, path: '.', unstable: true},
      {...folder, path: 'archive', unstable: true},
      {...file, path: 'archive/new', unstable: true},
      {...file, path: 'archive/old'},
    ];
    const restored: ManifestEntry[] = [
      {...folder, path: '.'},
      {...folder, path: '2025'},
      {...file, path: '2025/old'},
    ];
    expect(await compare(saved, restored)).toMatchObject({
      differences: ['"archive/old" is missing'],
      tolerated: 4,
    });
    expect(await compare(saved, saved)).toMatchObject({differing: 0, tolerated: 0});
  });

  test('leaves the root of a volume out for who cannot set it', async () => {
    const saved: ManifestEntry[] = [{path: '.', type: 'dir', mode: '0755', uid: 0, gid: 0}];
    const other = replaced(saved, 0, one => ({...one, uid: 1000, mode: '0777'}));
    expect((await compare(saved, other)).differences).toEqual(['"." has another mode, owner']);
    expect((await compare(saved, other, false)).differing).toBe(0);
  });

  test('leaves labels of the node out', async () => {
    const saved: ManifestEntry[] = [{path: '.', type: 'dir', mode: '0755', uid: 0, gid: 0}];
    const labelled = replaced(saved, 0, one => ({
      ...one,
      xattrs: {'security.selinux': 'eA==', 'trusted.x': 'eA=='},
    }));
    expect((await compare(saved, labelled)).differing).toBe(0);
  });

  test('tells ten differences, counts all, and shows hostile names harmlessly', async () => {
    const root: ManifestEntry = {path: '.', type: 'dir', mode: '0755', uid: 0, gid: 0};
    const names = Array.from({length: 30}, (_, i) => `\u001b[31m${String(i).padStart(2, '0')}`);
    const saved = [root, ...names.map((path): ManifestEntry => ({...root, path, type: 'file'}))];
    const {differing, differences} = await compare(saved, [root]);
    expect([differing, differences.length]).toEqual([30, 10]);
    expect(differences.join('')).not.toContain('\u001b');
  });
});

test.each(['{"path":"a"', '{"path":"a","type":"file","mode":"0644","uid":"0","gid":0}', '[]'])(
  'a manifest with the line %s is an error',
  async line => {
    const error = await errorOf(all(readManifest(Readable.from([`${line}\n`]))));
    expect(error.code).toBe('VOLUME_RESTORE_FAILED');
  },
);

test('a manifest that breaks off is an error, not a short one', async () => {
  const broken = Readable.from(
    (async function* () {
      yield '{"path":".","type":"dir","mode":"0755","uid":0,"gid":0}\n';
      throw new Error('the connection was lost');
    })(),
  );
  await expect(all(readManifest(broken))).rejects.toThrow('the connection was lost');
});
