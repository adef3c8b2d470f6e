import {join} from 'node:path';
import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {stringify} from 'yaml';
import {PraError} from '../../src/errors.ts';
import {loadPlan} from '../../src/plan/load.ts';
import {load, mistakesOf, PLAN, planWith, refusal} from './load.ts';

const ROOT = join(import.meta.dirname, '..', '..');

test('the plan of the quickstart loads', async () => {
  const {plan, hash, dir, locate} = await loadPlan(join(ROOT, 'plans/quickstart/plan.yaml'));
  expect(plan.metadata.name).toBe('quickstart');
  expect(plan.spec.objectives).toMatchObject({rto: 300_000, rpo: 3_600_000});
  expect(plan.spec.target.terraform.dir).toBe(join(ROOT, 'terraform/local'));
  expect(dir).toBe(join(ROOT, 'plans/quickstart'));
  expect(hash).toMatch(/^[0-9a-f]{64}$/);
  expect(locate(['spec', 'scenario'])).toMatchObject({line: 8, column: 13});
});

test('what is left out gets its default', async () => {
  const {plan} = await load(PLAN);
  const [proof] = plan.spec.probes;
  expect(plan.spec).toMatchObject({
    objectives: {clock: 'declared'},
    source: {kubeconfig: {}, include: {clusterScoped: 'referenced'}, volumes: []},
    recoveryPoint: {policy: 'fresh'},
    target: {terraform: {vars: {}}},
    isolation: {profile: 'bubble', waive: []},
    transforms: [],
    groups: [{name: 'base', dependsOn: [], onFailure: 'stop'}],
    finally: [],
    cleanup: {destroy: 'always', verifyEmpty: true},
  });
  expect(proof).toMatchObject({
    required: true,
    exec: {expect: {exitCode: 0}},
    policy: {interval: 2000, successes: 1, failureLimit: 3, errorLimit: 5, timeout: 120_000},
  });
});

test('the default of http, compare and promql probes is what the reference says', async () => {
  const http = '    - {name: a, proves: functionWorks, http: {service: shop/web}}\n';
  const sql =
    '    - {name: b, proves: dataPresent, sql: {secretRef: a/b, query: q}, compare: {baseline: snapshot}}\n';
  const {plan} = await load(PLAN + http + sql);
  expect(plan.spec.probes[1]?.http).toEqual({
    service: 'shop/web',
    path: '/',
    scheme: 'http',
    expect: {status: 200},
  });
  expect(plan.spec.probes[2]?.compare).toEqual({baseline: 'snapshot', tolerance: 0});
});

describe('a plan that proves no data', () => {
  test.each([
    ['only that something runs', 'proves: processUp'],
    ['only in a probe that is not required', 'proves: dataCurrent, required: false'],
    ['only in a recovery', 'proves: dataCurrent, modes: [recover]'],
  ])('is refused when it proves data %s', async (_, text) => {
    const error = await refusal(planWith('proves: dataPresent', text));
    expect(error).toMatchObject({code: 'PLAN_NO_DATA_PROOF', location: {line: 13, column: 5}});
    expect(error.next.join()).toContain('dataProof');
  });

  test('is accepted with a waiver', async () => {
    const waiver = '  isolation: {waive: [{guard: dataProof, name: shop, reason: it has no data}]}\n';
    const {plan} = await load(planWith('dataPresent', 'processUp') + waiver);
    expect(plan.spec.isolation.waive).toHaveLength(1);
  });

  test('is told together with what is not supported', async () => {
    const content = `${planWith('dataPresent', 'processUp')}  schedule: {cron: "@daily"}\n`;
    expect(await mistakesOf(content)).toEqual({
      code: 'PLAN_UNSUPPORTED',
      mistakes: [
        expect.stringMatching(/^13:5 no required probe proves data/),
        '14:3 `schedule` is not supported yet (schedules)',
      ],
    });
  });
});

test('a circle of groups is named, with its place', async () => {
  const content = planWith(
    '{name: base, select: {}}',
    '{name: base, select: {}}\n    - {name: a, select: {}, dependsOn: [b]}\n    - {name: b, select: {}, dependsOn: [c, base]}\n    - {name: c, select: {}, dependsOn: [b]}',
  );
  expect(await refusal(content)).toMatchObject({
    code: 'PLAN_CYCLE',
    message: 'groups depend on each other in a circle: b → c → b',
    location: {line: 13, column: 40},
  });
  expect(await refusal(planWith('select: {}', 'select: {}, dependsOn: [base]'))).toMatchObject({
    code: 'PLAN_CYCLE',
    message: 'groups depend on each other in a circle: base → base',
  });
});

test('relative paths start from the folder of the plan, and what is not there is said with its place', async () => {
  const terraform = planWith('dir: terraform/local', 'dir: ./target, varFile: a.tfvars');
  const refused = await load(terraform).catch((error: unknown) => error);
  if (!(refused instanceof PraError)) throw new Error('it was not refused');
  expect(refused.code).toBe('PLAN_INVALID');
  expect(refused.findings.map(({message}) => message)).toEqual([
    expect.stringMatching(/^there is no folder \/.*\/target$/),
    expect.stringMatching(/^there is no file \/.*\/a\.tfvars$/),
  ]);
  for (const {location} of refused.findings) expect(location?.line).toBeGreaterThan(1);
  const {plan, dir} = await load(planWith('include: {', 'kubeconfig: {path: k}\n    include: {'));
  expect(plan.spec.source.kubeconfig.path).toBe(join(dir, 'k'));
});

describe('whatever is in the file, the loader ends with a plan or a PraError', () => {
  const ends = async (content: string | Uint8Array) => {
    const error = await load(content).catch((caught: unknown) => caught);
    if (error instanceof Error && !(error instanceof PraError)) throw error;
    if (error instanceof PraError) expect(error.code).toMatch(/^PLAN_/);
  };

  test('any JSON', () => fc.assert(fc.asyncProperty(fc.json(), ends), {numRuns: 300}));

  test('any bytes', () => fc.assert(fc.asyncProperty(fc.uint8Array({maxLength: 300}), ends), {numRuns: 300}));

  test('any text of the characters of YAML', () => {
    const text = fc.string({unit: fc.constantFrom(...'-?:,[]{}#&*!|>\'"%@`\n\t ab~<.0'), maxLength: 60});
    return fc.assert(fc.asyncProperty(text, ends), {numRuns: 500});
  });

  test('any value in the place of any field of a plan', () => {
    const field = fc.constantFrom(
      'metadata',
      'objectives',
      'source',
      'repository',
      'recoveryPoint',
      'target',
      'isolation',
      'transforms',
      'groups',
      'probes',
      'evidence',
      'notify',
    );
    const change = fc.tuple(field, fc.jsonValue()).map(([name, value]) => {
      const text = stringify({[name]: value}, {indentSeq: true});
      return name === 'metadata' ? PLAN.replace('metadata: {name: shop}\n', text) : changed(name, text);
    });
    return fc.assert(fc.asyncProperty(change, ends), {numRuns: 300});
  });
});

/** The plan with one part of its spec replaced or added. */
function changed(name: string, text: string): string {
  const part = new RegExp(`^ {2}${name}:.*\\n(?: {4}.*\\n)*`, 'm');
  return PLAN.replace(part, '') + text.replace(/^(?=.)/gm, '  ');
}
