import {mkdtemp, readdir, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, beforeAll, expect, it} from 'vitest';
import {FileStore} from '../../src/repository/file.ts';
import {initRepository} from '../../src/repository/repository.ts';
import type {SnapshotRoot} from '../../src/repository/snapshot-root.ts';
import {runPra} from '../bed/cli.ts';
import {configMap, saveSnapshot} from '../repository/snapshots.ts';

let dir: string;
let url: string;
const roots: SnapshotRoot[] = [];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pra-cli-repository-'));
  url = `file://${dir}/one`;
  const repository = await initRepository(new FileStore(join(dir, 'one')), {passphrase: 'secret words'});
  for (let i = 0; i < 3; i += 1) {
    const objects = [configMap('a', 'same', {x: 'y'}), configMap('a', `m-${i}`, {i})];
    roots.push(await saveSnapshot(repository, objects));
  }
});
afterAll(() => rm(dir, {recursive: true}));

const pra = async (...args: string[]) => {
  const result = await runPra([...args, '--json'], {PRA_PASSPHRASE: 'secret words', PRA_REPOSITORY: url});
  expect(result.stdout + result.stderr).not.toContain('secret words');
  return {...result, document: JSON.parse(result.stdout)};
};
const ids = async () => (await pra('snapshot', 'list')).document.items.map(({id}: {id: string}) => id);

it('is looked after from the command line', async () => {
  const [first, second, third] = roots.map(({id}) => id);
  expect((await pra('repository', 'check', '--read-data')).document).toMatchObject({
    snapshots: 3,
    findings: [],
  });
  expect((await pra('snapshot', 'verify', 'latest')).document).toMatchObject({id: third, objects: 2});
  expect((await pra('snapshot', 'tag', first ?? '', '--add', 'keep')).document.tags).toEqual(['keep']);
  expect((await pra('snapshot', 'tag', first ?? '', '--add', 'with space')).exitCode).toBe(2);

  const rules = ['--keep-last', '1'];
  const tried = await pra('snapshot', 'forget', ...rules, '--dry-run');
  expect(tried.document.items).toEqual([
    {id: third, forgotten: false, reasons: ['newest', 'last']},
    {id: second, forgotten: true, reasons: []},
    {id: first, forgotten: false, reasons: ['tag keep']},
  ]);
  expect(await ids()).toHaveLength(3);

  const copied = await pra('repository', 'copy', '--to', `file://${dir}/two`, '--snapshot', 'latest');
  expect(copied.document.copied).toEqual([third]);

  const before = (await pra('repository', 'stats')).document;
  expect(before).toMatchObject({snapshots: 3, unneeded: {files: 0}});
  const pruned = (await pra('repository', 'prune', ...rules)).document;
  expect(pruned).toMatchObject({forgotten: [second], files: 2, blockedBy: []});
  expect(await ids()).toEqual([third, first]);
  expect((await pra('repository', 'check', '--read-data')).document.findings).toEqual([]);
});

it('tells of damage with exit code 3, and which snapshot it concerns', async () => {
  const folder = join(dir, 'one', 'packs');
  const files = await readdir(folder, {recursive: true, withFileTypes: true});
  const [pack] = files.filter(entry => entry.isFile());
  if (!pack) throw new Error('there is no pack');
  await writeFile(join(pack.parentPath, pack.name), 'damage');
  const {exitCode, document} = await pra('repository', 'check');
  expect(exitCode).toBe(3);
  expect(document.findings).toEqual([
    {
      key: `packs/${pack.name.slice(0, 2)}/${pack.name}`,
      why: expect.stringContaining('cut off'),
      snapshots: [expect.any(String)],
    },
  ]);
});

it('does nothing without ids or rules, and forgets none when one is wrong', async () => {
  expect((await pra('snapshot', 'forget')).exitCode).toBe(2);
  const before = await ids();
  const wrong = await pra('snapshot', 'forget', before[0], 'absent');
  expect([wrong.exitCode, wrong.document.code]).toEqual([2, 'SNAPSHOT_NOT_FOUND']);
  expect(await ids()).toEqual(before);
  expect((await pra('snapshot', 'forget', before[1])).exitCode).toBe(0);
  expect(await ids()).toEqual([before[0]]);
  expect((await pra('repository', 'unlock')).document.items).toEqual([]);
});
