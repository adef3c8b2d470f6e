import {mkdtemp, readdir, readFile, rm, stat, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, expect, test} from 'vitest';
import {parse} from 'yaml';
import type {KubeObject} from '../../src/cluster/object.ts';
import {FileStore} from '../../src/repository/file.ts';
import {initRepository} from '../../src/repository/repository.ts';
import {exportSnapshot} from '../../src/snapshot/export.ts';
import {canonicalJson} from '../../src/std/json.ts';
import {runProcess} from '../../src/std/process.ts';
import {runPra} from '../bed/cli.ts';
import {configMap, saveSnapshot} from '../repository/snapshots.ts';

const {signal} = new AbortController();
const PITFALLS = {
  yes: 'yes',
  octal: '0777',
  exponent: '1e3',
  empty: '',
  tilde: '~',
  lines: 'one\n  two\n\nthree',
  noEnd: 'a\nb',
  unicode: 'é 日本 \u2028 \u0007',
  colon: 'a: b # c',
  date: '2026-11-23',
  sexagesimal: '1:20:30',
  null: 'null',
  long: 'x '.repeat(500),
};
const secret: KubeObject = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: {
    name: 'db',
    namespace: 'shop',
    annotations: {'kubectl.kubernetes.io/last-applied-configuration': '{"data":{"password":"cGxhbnRlZA=="}}'},
  },
  data: {password: 'cGxhbnRlZA=='},
};
const objects = [
  configMap('shop', 'pitfalls', PITFALLS),
  configMap('shop', 'Case', {a: '1'}),
  configMap('shop', 'case', {a: '2'}),
  configMap('shop', '../../../escape', {}),
  configMap('shop', 'system:role', {}),
  configMap('shop', '.hidden', {}),
  secret,
];

let dir: string;
let repository: Awaited<ReturnType<typeof initRepository>>;
let root: Awaited<ReturnType<typeof saveSnapshot>>;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pra-export-'));
  repository = await initRepository(new FileStore(join(dir, 'repository')), {passphrase: 'p'});
  root = await saveSnapshot(repository, objects);
});
afterEach(() => rm(dir, {recursive: true}));

async function filesIn(folder: string): Promise<string[]> {
  const found = await readdir(folder, {recursive: true, withFileTypes: true});
  return found.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name));
}

test('each object is a file that gives it back, whatever is in it and however it is named', async () => {
  const to = join(dir, 'out');
  const result = await exportSnapshot({repository, root, to, secrets: 'include', signal});
  expect(result).toEqual({to, objects: objects.length, omitted: 0});
  const files = await filesIn(to);
  const yaml = files.filter(file => file.endsWith('.yaml'));
  expect(files).toHaveLength(objects.length + 2);
  for (const version of ['1.1', '1.2'] as const) {
    const read = await Promise.all(yaml.map(async file => parse(await readFile(file, 'utf8'), {version})));
    expect(read.map(canonicalJson).sort()).toEqual(objects.map(canonicalJson).sort());
  }
  expect(new Set(yaml.map(file => file.toLowerCase())).size).toBe(objects.length);
  for (const file of files) expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(await readdir(dir)).toEqual(['out', 'repository']);
});

test('values of Secrets are left out unless they are asked for', async () => {
  const texts = async (to: string) =>
    (await Promise.all((await filesIn(to)).map(file => readFile(file, 'utf8')))).join('\n');
  await exportSnapshot({repository, root, to: join(dir, 'redacted'), secrets: 'redact', signal});
  expect(await texts(join(dir, 'redacted'))).not.toContain('cGxhbnRlZA');
  const {omitted} = await exportSnapshot({
    repository,
    root,
    to: join(dir, 'omitted'),
    secrets: 'omit',
    signal,
  });
  expect(omitted).toBe(1);
  expect(await texts(join(dir, 'omitted'))).not.toMatch(/cGxhbnRlZA|kind: Secret/);
});

test('a tar has the same, and is the same every time', async () => {
  const [one, two] = [join(dir, 'one.tar'), join(dir, 'two.tar')];
  for (const to of [one, two]) await exportSnapshot({repository, root, to, secrets: 'redact', signal});
  expect(Buffer.compare(await readFile(one), await readFile(two))).toBe(0);
  const {stdout} = await runProcess('tar', ['-tf', one], {signal});
  expect(stdout).toContain(`snapshot-${root.id}/shop/ConfigMap/pitfalls.yaml`);
});

test('nothing is written over', async () => {
  await writeFile(join(dir, 'there.tar'), 'x');
  for (const to of [join(dir, 'there.tar'), dir])
    await expect(exportSnapshot({repository, root, to, secrets: 'redact', signal})).rejects.toMatchObject({
      code: 'USAGE',
    });
});

test('from the command line: get, diff and export', async () => {
  const env = {PRA_PASSPHRASE: 'p', PRA_REPOSITORY: `file://${dir}/repository`};
  const pra = (...args: string[]) => runPra(['snapshot', ...args], env);
  const one = await pra('get', 'cm/case');
  expect([one.exitCode, parse(one.stdout)]).toEqual([0, configMap('shop', 'case', {a: '2'})]);
  const hidden = await pra('get', 'secret', 'db');
  expect(hidden.stdout).toContain('<redacted, 7 bytes>');
  expect(hidden.stdout).not.toContain('cGxhbnRlZA');
  expect((await pra('get', 'secret', 'db', '--show-secrets')).stdout).toContain('password: cGxhbnRlZA==');
  const near = await pra('get', 'cm', 'cases');
  expect([near.exitCode, near.stderr]).toEqual([2, expect.stringContaining('perhaps case')]);
  expect((await pra('get', 'widgets')).exitCode).toBe(2);
  expect((await pra('get', 'configmaps', '-o', 'name')).stdout.split('\n')).toContain('configmaps/Case');
  const later = await saveSnapshot(repository, objects.slice(1), root);
  const diff = await pra('diff', root.id, later.id, '--exit-code');
  expect([diff.exitCode, diff.stdout]).toEqual([7, expect.stringContaining('- ConfigMap pitfalls')]);
  expect((await pra('diff', later.id, '--exit-code')).exitCode).toBe(0);
  const exported = await pra('export', later.id, '--to', join(dir, 'cli.tar.gz'), '--json');
  expect(JSON.parse(exported.stdout)).toMatchObject({objects: objects.length - 1});
});
