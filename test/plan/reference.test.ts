import {readFileSync} from 'node:fs';
import {Ajv2020} from 'ajv/dist/2020.js';
import {describe, expect, test} from 'vitest';
import {parse} from 'yaml';
import {CATALOGUE, EXIT} from '../../src/errors.ts';
import {explainField} from '../../src/plan/explain.ts';
import {planReference} from '../../src/plan/reference.ts';
import {planSchema} from '../../src/plan/schema.ts';
import {planJsonSchema} from '../../src/plan/walk.ts';
import {everyField, exampleAt, examplePaths} from './example.ts';
import {exitCodeReference} from './exit-code-reference.ts';

const QUICKSTART = readFileSync(new URL('../../plans/quickstart/plan.yaml', import.meta.url), 'utf8');
const accepts = new Ajv2020({strict: false, validateFormats: false}).compile(planJsonSchema());

const pathsBelow = (path: string): string[] =>
  explainField(path).fields.flatMap(({name}) => {
    const own = path === '' ? name : `${path}.${name}`;
    return [own, ...pathsBelow(own)];
  });

/** As the formatter of the project writes it: lists of plain values on one line where they fit. */
const schemaText = () =>
  `${JSON.stringify(planJsonSchema(), null, 2)}\n`.replace(
    /^(.*)\[\n([^[\]{}]*?)\n *\](,?)$/gm,
    (all, start, items, end) => {
      const line = `${start}[${items.trim().replace(/\n */g, ' ')}]${end}`;
      return line.length <= 110 ? line : all;
    },
  );

describe('what is generated from the plan schema', () => {
  test('the schema for editors is current (vitest -u writes it)', async () => {
    await expect(schemaText()).toMatchFileSnapshot('../../plans/plan.schema.json');
  });

  test('the reference of the plan is current (vitest -u writes it)', async () => {
    await expect(planReference(exampleAt)).toMatchFileSnapshot('../../docs/reference/plan.md');
  });

  test('every field has an example, and every field is described', () => {
    const paths = pathsBelow('');
    expect(paths.length).toBeGreaterThan(200);
    expect(paths.filter(path => !examplePaths().includes(path))).toEqual([]);
    expect(paths.filter(path => !explainField(path).description)).toEqual([]);
  });

  test('the examples are right', () => {
    const value: unknown = everyField?.toJS();
    expect(planSchema.safeParse(value).error?.issues).toBeUndefined();
    expect(accepts(value), JSON.stringify(accepts.errors)).toBe(true);
  });
});

describe('the schema for editors', () => {
  test('accepts the plan of the quickstart, which names it on its first line', () => {
    expect(accepts(parse(QUICKSTART)), JSON.stringify(accepts.errors)).toBe(true);
    expect(QUICKSTART.split('\n')[0]).toBe('# yaml-language-server: $schema=../plan.schema.json');
  });

  test.each([
    ['an unknown field', 'scenario:', 'scenarioo:', 'additionalProperties'],
    [
      'an unknown field of a probe',
      'proves: processUp',
      'proves: processUp, requird: true',
      'additionalProperties',
    ],
    ['a wrong duration', 'rto: 5m', 'rto: 5 minutes', 'pattern'],
    ['a wrong choice', 'method: dump', 'method: dumb', 'enum'],
    ['a missing field', 'apiVersion: pra/v1', '', 'required'],
  ])('refuses %s', (_, from, to, keyword) => {
    const broken = QUICKSTART.replace(from, to.replace(', ', '\n      '));
    expect(broken).not.toBe(QUICKSTART);
    expect(accepts(parse(broken))).toBe(false);
    expect(accepts.errors?.map(error => error.keyword)).toContain(keyword);
  });
});

describe('the reference of exit codes', () => {
  test('is current (vitest -u writes it)', async () => {
    await expect(exitCodeReference()).toMatchFileSnapshot('../../docs/reference/exit-codes.md');
  });

  test('has every exit code and every error code', () => {
    const text = exitCodeReference();
    for (const code of Object.values(EXIT)) expect(text).toMatch(new RegExp(`^\\| ${code} `, 'm'));
    for (const code of Object.keys(CATALOGUE)) expect(text).toContain(`| \`${code}\` `);
  });
});
