import {readdirSync, readFileSync} from 'node:fs';
import {dirname, join, relative} from 'node:path';
import {expect, test} from 'vitest';
import {packageRoot} from '../src/std/paths.ts';

/** The layers of ARCHITECTURE.md. A folder imports from those before its own, and from no other of its own. */
const LAYERS = [
  ['errors.ts', 'std'],
  ['plan', 'cluster', 'tool', 'evidence', 'terraform'],
  ['repository', 'image'],
  ['local', 'volume', 'probe'],
  ['snapshot'],
  ['restore', 'init'],
  ['drill'],
  ['quickstart'],
  ['view'],
  ['cli'],
  ['commands'],
];

/** The folders that may load a library; loading is what makes a command slow to start. */
const LIBRARIES: Record<string, readonly string[]> = {
  '@oclif/core': ['cli', 'commands'],
  '@kubernetes/client-node': ['cluster'],
  '@aws-sdk/client-s3': ['repository'],
  listr2: ['view'],
  yaml: ['plan', 'init', 'quickstart', 'snapshot'],
  pg: ['probe'],
  ws: ['cluster'],
  undici: ['cluster', 'tool'],
  execa: ['std'],
};

interface Import {
  file: string;
  from: string;
  to: string;
}

const root = join(packageRoot(), 'src');
const folderOf = (file: string) => relative(root, file).split('/')[0] ?? '';

const imports: Import[] = readdirSync(root, {recursive: true, withFileTypes: true})
  .filter(entry => entry.isFile() && entry.name.endsWith('.ts'))
  .flatMap(entry => {
    const file = join(entry.parentPath, entry.name);
    const found = readFileSync(file, 'utf8').matchAll(/(?:from|import\()\s*'([^']+)'/g);
    return [...found].map(([, name = '']) => ({
      file: relative(root, file),
      from: folderOf(file),
      to: name.startsWith('.') ? folderOf(join(dirname(file), name)) : name,
    }));
  });

const layerOf = (folder: string) => LAYERS.findIndex(folders => folders.includes(folder));

test('every folder has a layer', () => {
  expect(imports.length).toBeGreaterThan(500);
  const folders = new Set(imports.map(({from}) => from));
  expect([...folders].filter(folder => layerOf(folder) === -1)).toEqual([]);
});

test('imports point down the layers', () => {
  const wrong = imports.filter(
    ({from, to}) =>
      layerOf(to) !== -1 && to !== from && !LAYERS[0]?.includes(to) && layerOf(to) >= layerOf(from),
  );
  expect(wrong).toEqual([]);
});

test('a library is loaded by its own folder alone', () => {
  const wrong = imports.filter(({from, to}) => LIBRARIES[to] && !LIBRARIES[to].includes(from));
  expect(wrong).toEqual([]);
});

test('what the domain knows nothing of', () => {
  const wrong = imports.filter(
    ({from, to}) => ['@oclif/core', 'listr2'].includes(to) && layerOf(from) < layerOf('view'),
  );
  expect(wrong).toEqual([]);
});
