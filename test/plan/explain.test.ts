import {mkdirSync, mkdtempSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {execa} from 'execa';
import {describe, expect, test} from 'vitest';
import {explainField, explainPlan} from '../../src/plan/explain.ts';
import {loadPlan} from '../../src/plan/load.ts';
import {planJsonSchema} from '../../src/plan/walk.ts';
import {load, PLAN, planFile, planWith} from './load.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const pra = (args: string[], cwd = ROOT) =>
  execa('node', [join(ROOT, 'bin/dev.js'), ...args], {cwd, reject: false, env: {NO_COLOR: '1'}});

describe('a field', () => {
  test.each([
    ['spec.objectives.rto', {type: 'duration', required: true}],
    ['spec.probes[0].policy.timeout', {field: 'spec.probes.policy.timeout', type: 'duration', default: '2m'}],
    ['spec.probes[].proves', {type: 'processUp|dataPresent|dataCurrent|functionWorks', required: true}],
    ['spec.source.hooks.select', {type: 'label selector', required: true}],
    ['spec.source.volumes.method', {notYet: [], supported: true}],
    ['spec.groups.onFailure', {notYet: ['pause'], supported: true}],
    ['spec.probes.compare.tolerance', {type: 'number or percentage', default: 0}],
    ['spec.probes.k8s.expect', {type: 'present|absent or mapping'}],
    ['spec.target.terraform.vars', {type: 'map', default: {}, fields: []}],
    ['spec.groups', {type: 'list of mapping', required: true}],
    ['spec.groups.dependsOn', {type: 'list of name', default: []}],
    ['spec.recoveryPoint', {default: {policy: 'fresh'}, required: false}],
    ['spec.schedule', {supported: false}],
    ['spec.schedule.cron', {supported: false, type: 'cron'}],
    ['apiVersion', {type: '"pra/v1"', required: true}],
  ])('%s is explained', (path, wanted) => {
    const explanation = explainField(path);
    expect(explanation).toMatchObject(wanted);
    expect(explanation.description).toBeTruthy();
  });

  test('a mapping is explained with its fields', () => {
    expect(explainField('spec.cleanup').fields).toEqual([
      expect.objectContaining({name: 'destroy', required: false, supported: true}),
      expect.objectContaining({name: 'keepOnFailure', type: 'duration', supported: false}),
      expect.objectContaining({name: 'verifyEmpty', type: 'boolean'}),
    ]);
  });

  test.each([
    ['spec.probe', 'pra plan explain spec.probes'],
    ['spec.probes.polcy.interval', 'pra plan explain spec.probes.policy'],
    ['spec.objectives.rto.hours', 'pra plan explain spec.objectives.rto'],
    ['spec.target.terraform.vars.node', 'pra plan explain spec.target.terraform.vars'],
    ['metdata', 'pra plan explain metadata'],
  ])('%s is none, and the nearest one is named', (path, next) => {
    expect(() => explainField(path)).toThrowError(
      expect.objectContaining({code: 'USAGE', message: `a plan has no field ${path}`, next: [next]}),
    );
  });
});

describe('a plan', () => {
  test('of the quickstart is explained in the order of its drill', async () => {
    const {plan} = await loadPlan(join(ROOT, 'plans/quickstart/plan.yaml'));
    const steps = explainPlan(plan);
    expect(steps[0]).toBe('Write a fresh canary into shop-db and its database.');
    expect(steps[1]).toBe(
      'Take a snapshot of shop, shop-db from context pra-quickstart into file:///var/lib/pra/quickstart.',
    );
    expect(steps[2]).toBe(
      'Save the data of {"app":"db"} by its dump command, pg_dump -Fc -Z0 -h /tmp -U postgres shop.',
    );
    expect(steps.filter(step => step.startsWith('Stage'))).toEqual([
      'Stage 1: start group data (shop-db), wait until it is healthy, bring back its data.',
      'Stage 2: start group app (shop) after data is healthy, wait until it is healthy, bring back its data.',
    ]);
    expect(steps.filter(step => step.startsWith('Probe '))).toHaveLength(plan.spec.probes.length);
    expect(steps.at(-1)).toBe('Destroy the target. The objectives are RTO 5m00s and RPO 1h00m.');
  });

  test('tells hooks before the snapshot that they run around', async () => {
    const {plan} = await load(
      planWith(
        'include: {',
        'hooks: [{name: cp, select: {app: db}, pre: [psql, -c, CHECKPOINT], post: [thaw, it]}]\n    include: {',
      ),
    );
    const [hook, snapshot] = explainPlan(plan);
    expect(hook).toBe(
      'Around the snapshot, run hook cp in the pods with {"app":"db"}: psql -c CHECKPOINT before it, thaw it after it, whatever happens.',
    );
    expect(snapshot).toMatch(/^Take a snapshot/);
    const latest = explainPlan({...plan, spec: {...plan.spec, recoveryPoint: {policy: 'latest'}}});
    expect(latest.join()).not.toContain('hook cp');
  });

  test('tells a preset by its name', async () => {
    const {plan} = await load(
      planWith(
        'include: {',
        'volumes: [{select: {a: b}, method: dump, dump: {preset: mysql, database: shop}}]\n    include: {',
      ),
    );
    expect(explainPlan(plan)).toContain('Save the data of {"a":"b"} by preset mysql, database shop alone.');
  });

  test('of a snapshot that exists is explained without one being taken', async () => {
    const {plan} = await load(`${PLAN}  recoveryPoint: {policy: id, id: 01KAR3}\n`);
    expect(explainPlan(plan)[0]).toBe('Use the 01KAR3 snapshot in file:///backups.');
    const latest = await load(`${PLAN}  recoveryPoint: {policy: latest}\n`);
    expect(explainPlan(latest.plan)[0]).toBe('Use the latest snapshot in file:///backups.');
  });

  test('tells steps, and everything as the choice of a group that chooses nothing', async () => {
    const {plan} = await load(planWith('select: {}', 'select: {}, steps: [{name: warm, run: ./warm.mjs}]'));
    expect(explainPlan(plan)).toContain(
      'Stage 1: start group base (everything), wait until it is healthy, bring back its data, then run warm.',
    );
  });
});

describe('the commands', () => {
  test('plan explain shows a field, also in a folder that has its name', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'pra-plan-'));
    mkdirSync(join(folder, 'spec'));
    const {stdout, exitCode} = await pra(['plan', 'explain', 'spec'], folder);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^spec <mapping> required\n {2}What is recovered/);
    expect(stdout).toMatch(/^schedule +mapping +When drills run by themselves \(not supported yet\)$/m);
  });

  test('plan explain shows what of a choice is not supported', async () => {
    const {stdout} = await pra(['plan', 'explain', 'spec.groups[].onFailure']);
    expect(stdout).toBe(
      [
        'spec.groups.onFailure <stop|continue|pause>',
        '  stop: what depends on it is not tried; continue: it is tried all the same; pause: a person decides',
        '  default: "stop"',
        '  not supported yet: pause',
      ].join('\n'),
    );
  });

  test('plan explain of no field ends with exit code 2', async () => {
    const {stderr, exitCode} = await pra(['plan', 'explain', 'spec.prob']);
    expect(exitCode).toBe(2);
    expect(stderr).toContain('pra plan explain spec.probes');
  });

  test('plan schema prints the schema', async () => {
    const {stdout} = await pra(['plan', 'schema']);
    expect(JSON.parse(stdout)).toEqual(planJsonSchema());
  });

  test('plan validate tells mistakes with file, line and column, and ends with exit code 2', async () => {
    const file = planFile(planWith('rto: 45m', 'rtoo: 45m'));
    const {stderr, exitCode} = await pra(['plan', 'validate', file]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(`${file}:5:16: unknown field \`rtoo\``);
    expect((await pra(['plan', 'validate', planFile(PLAN)])).exitCode).toBe(0);
  });
});
