import {chmodSync, mkdtempSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {expect, test} from 'vitest';
import {load, mistakesOf, PLAN, planFile, planWith, refusalOf} from './load.ts';

const folder = mkdtempSync(join(tmpdir(), 'pra-plan-'));
const asRoot = process.getuid?.() === 0;

test.each([
  ['that does not exist', () => join(folder, 'nothing.yaml'), 'there is no such file'],
  ['that is a folder', () => folder, 'it is a folder'],
  ['below a file', () => join(planFile(PLAN), 'plan.yaml'), 'ENOTDIR'],
])('a plan %s is not found', async (_, file, why) => {
  const error = await refusalOf(file());
  expect(error).toMatchObject({code: 'PLAN_NOT_FOUND', why, exitCode: 2});
});

test.skipIf(asRoot)('a plan that may not be read is not found', async () => {
  const file = planFile(PLAN);
  chmodSync(file, 0o000);
  expect(await refusalOf(file)).toMatchObject({
    code: 'PLAN_NOT_FOUND',
    why: 'it may not be read by this user',
  });
});

const latin1 = Buffer.concat([Buffer.from('# a\n# caf'), Buffer.from([0xe9]), Buffer.from(`\n${PLAN}`)]);
const deep = (levels: number) =>
  planWith('dir: terraform/local', `dir: x, vars: {x: ${'['.repeat(levels)}${']'.repeat(levels)}}`);
const nines = (name: string) => Array(9).fill(name).join(', ');
const bomb = `a: &a [${nines('x')}]\nb: &b [${nines('*a')}]\nc: &c [${nines('*b')}]\nd: [${nines('*c')}]\n`;

test.each<[string, string | Uint8Array, string[]]>([
  ['an empty file', '', ['1:1 the file is empty']],
  ['nothing but a comment', '# later\n', ['1:1 the file is empty']],
  ['a tab as indentation', 'spec:\n\tgroups: 1\n', ['2:1 Tabs are not allowed as indentation']],
  [
    'a list that is not closed',
    'a: [1, 2\nb: 3\n',
    ['2:1 Flow sequence in block collection must be sufficiently indented and end with a ]'],
  ],
  ['the same key twice', planWith('kind: Plan', 'kind: Plan\nkind: Plan'), ['3:1 Map keys must be unique']],
  [
    'two keys twice',
    'a: 1\na: 2\nb: 3\nb: 4\n',
    ['2:1 Map keys must be unique', '4:1 Map keys must be unique'],
  ],
  ['a tag that YAML does not know', planWith('name: shop', 'name: !env SHOP'), ['3:18 Unresolved tag: !env']],
  [
    'a second document',
    `${PLAN}---\nkind: Plan\n`,
    ['15:1 one file holds one plan, and this is a second document'],
  ],
  [
    'an alias without an anchor',
    'a: 1\nb: {c: *d}\n',
    ['2:8 there is no anchor for the alias *d, which must be set before it'],
  ],
  [
    'an alias that stands in what it refers to',
    planWith('dir: terraform/local', 'dir: x, vars: &a {b: *a}'),
    ['9:45 nested too deep, or an alias stands in what it refers to'],
  ],
  ['aliases that multiply', bomb, ['4:37 aliases refer to each other too often']],
  [
    'a hundred lists in each other',
    deep(100),
    ['9:137 nested too deep, or an alias stands in what it refers to'],
  ],
  ['text that is not UTF-8', latin1, ['2:6 the file is not UTF-8 text']],
  ['UTF-16', Buffer.from(`\ufeff${PLAN}`, 'utf16le'), ['1:1 the file is not UTF-8 text']],
  [
    'more than 1 MiB',
    `${PLAN}#${'x'.repeat(1024 * 1024)}`,
    ['the file is larger than 1 MiB, which no plan is'],
  ],
  ['a text instead of a mapping', 'hello', ['1:1 the plan: must be a mapping']],
  ['a list instead of a mapping', '- 1', ['1:1 the plan: must be a mapping']],
  ['null', 'null', ['1:1 the plan: must be a mapping']],
])('%s is a mistake of the file', async (_, content, mistakes) => {
  expect(await mistakesOf(content)).toEqual({code: 'PLAN_INVALID', mistakes});
});

test.each([10_000, 200_000])('%i lists in each other are one mistake, not a crash', async levels => {
  const {mistakes} = await mistakesOf(deep(levels));
  expect(mistakes).toEqual([expect.stringMatching(/^9:\d+ nested too deep/)]);
});

test('a mark of the byte order, a document end and aliases are no mistakes', async () => {
  const {hash} = await load(PLAN);
  expect((await load(`\ufeff${PLAN}`)).hash).toBe(hash);
  expect((await load(`${PLAN}...\n`)).hash).toBe(hash);
  const aliased = planWith('{rto: 45m, rpo: 1h}', '{rto: &a 45m, rpo: *a}');
  expect((await load(aliased)).plan.spec.objectives).toMatchObject({rto: 2_700_000, rpo: 2_700_000});
});

test('comments, white space and the order of fields do not change the hash, values do', async () => {
  const {hash} = await load(PLAN);
  expect((await load(`# hello\n${planWith('{rto: 45m, rpo: 1h}', '{rpo:   60m, rto: 45m}')}`)).hash).toBe(
    hash,
  );
  expect((await load(planWith('rto: 45m', 'rto: 46m'))).hash).not.toBe(hash);
});

test('a file without an end is not read to its end', async () => {
  expect(await refusalOf('/dev/zero')).toMatchObject({
    code: 'PLAN_INVALID',
    message: 'the plan /dev/zero has a mistake',
  });
});
