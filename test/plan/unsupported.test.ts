import {expect, test} from 'vitest';
import {isMap, isSeq, parse, stringify} from 'yaml';
import {isUnsupported, UNSUPPORTED_FIELDS, UNSUPPORTED_VALUES} from '../../src/plan/unsupported.ts';
import {examples} from './example.ts';
import {mistakesOf, PLAN, planWith, pointedMistakesOf} from './load.ts';

const canary = 'canary: {namespace: shop, rotate: everySnapshot}';
const BASE = `${planWith('include: {', `${canary}\n    include: {`)}  recoveryPoint: {policy: fresh}\n`;
type Mapping = Record<string, unknown>;

const isMapping = (value: unknown): value is Mapping =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A whole plan with the example of one field; of lists, the first item of the examples that has it. */
function planWithField(pattern: string): string {
  const plan: unknown = parse(BASE);
  const parts = pattern.split('.');
  const grafted = examples.some(({contents}) => isMapping(plan) && graft(plan, contents, parts));
  if (!grafted) throw new Error(`test/plan/every-field.yaml has no ${pattern}`);
  return stringify(plan);
}

function graft(into: Mapping, from: unknown, [part = '', ...rest]: readonly string[]): boolean {
  const name = part.replace('[]', '');
  const node = isMap(from) ? from.get(name, true) : undefined;
  if (isSeq(node) && part.endsWith('[]')) {
    const item = node.items.find(candidate => isMap(candidate) && candidate.hasIn(namesOf(rest)));
    const old = into[name];
    if (isMap(item)) into[name] = [...(Array.isArray(old) ? old : []), item.toJSON()];
    return isMap(item);
  }
  if (node === undefined) return false;
  if (rest.length === 0) {
    into[name] = isMap(node) || isSeq(node) ? node.toJSON() : node;
    return true;
  }
  const child = into[name] ?? {};
  into[name] = child;
  return isMapping(child) && graft(child, node, rest);
}

/** Items of items are not looked into but for their first. */
const namesOf = (parts: readonly string[]) =>
  parts.flatMap(part => (part.endsWith('[]') ? [part.slice(0, -2), 0] : [part]));

test('the plan that the fields are put into is accepted without them', async () => {
  const {code, mistakes} = await mistakesOf(`${BASE}  schedule: {cron: "@daily"}\n`);
  expect({code, mistakes: mistakes.length}).toEqual({code: 'PLAN_UNSUPPORTED', mistakes: 1});
});

test.each(UNSUPPORTED_FIELDS)('%s is refused and not ignored', async (pattern, what) => {
  const name = pattern.split('.').at(-1);
  const {code, mistakes} = await pointedMistakesOf(planWithField(pattern));
  expect(code).toBe('PLAN_UNSUPPORTED');
  expect(mistakes).toEqual([expect.stringMatching(new RegExp(`^\\d+:${name} `))]);
  expect(mistakes[0]).toContain(`\`${name}\` is not supported yet (${what})`);
  expect(isUnsupported(pattern.replaceAll('[]', ''))).toBe(true);
});

const values = UNSUPPORTED_VALUES.flatMap(([pattern, refused]) =>
  refused.map(value => [pattern, value] as const),
);

const VALUE_PLANS: Record<string, (value: string) => string> = {
  'spec.source.volumes[].method': value =>
    planWith('include: {', `volumes: [{select: {app: db}, method: ${value}}]\n    include: {`),
  'spec.recoveryPoint.policy': value =>
    `${PLAN}  recoveryPoint: {policy: ${value}${value === 'at' ? ', at: "2026-11-23T03:00:00Z"' : ''}}\n`,
  'spec.groups[].onFailure': value => planWith('select: {}', `select: {}, onFailure: ${value}`),
};

test.each(values)('%s: %s is refused and not ignored', async (pattern, value) => {
  const name = pattern.split('.').at(-1);
  const content = VALUE_PLANS[pattern]?.(value) ?? `there is no test of ${pattern}`;
  const {code, mistakes} = await pointedMistakesOf(content);
  expect(code).toBe('PLAN_UNSUPPORTED');
  expect(mistakes).toEqual([expect.stringContaining(`:${name} \`${name}: ${value}\` is not supported yet`)]);
});

test('all of them are told at once, of every item of a list', async () => {
  const two = planWith(
    'select: {}',
    'select: {}, onFailure: pause}\n    - {name: app, select: {}, onFailure: pause',
  );
  expect(await mistakesOf(`${two}  notify: [{on: [failed]}]\n`)).toEqual({
    code: 'PLAN_UNSUPPORTED',
    mistakes: [
      '11:32 `onFailure: pause` is not supported yet (pausing)',
      '12:31 `onFailure: pause` is not supported yet (pausing)',
      '15:3 `notify` is not supported yet (notifications)',
    ],
  });
});

test('what is beside or above such a field is supported', () => {
  expect(isUnsupported('spec.schedule.cron')).toBe(true);
  expect(isUnsupported('spec.probes.script.run')).toBe(true);
  for (const path of ['spec', 'spec.probes', 'spec.probes.http', 'spec.repository.locker']) {
    expect(isUnsupported(path)).toBe(false);
  }
});
