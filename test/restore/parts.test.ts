import {describe, expect, test} from 'vitest';
import {quantityOf} from '../../src/cluster/quantity.ts';
import {reasonNotServed} from '../../src/restore/api-lifecycle.ts';
import {existingPolicyOf, parseExisting} from '../../src/restore/existing-policy.ts';
import {compileNamespaceMap} from '../../src/restore/namespace-map.ts';
import {EMPTY_POLICY as EMPTY} from '../../src/restore/policy.ts';
import {planRestore} from '../../src/restore/preview.ts';
import {compileUserRules} from '../../src/restore/user-rules.ts';
import {MIXED_SET} from './mixed-set.ts';
import {entry, kubeObject, target, workload} from './objects.ts';

describe('a quantity', () => {
  test.each([
    ['500m', 0.5],
    ['8Gi', 8 * 2 ** 30],
    ['1e3', 1000],
    ['2k', 2000],
    [3, 3],
    ['10', 10],
    ['1.5Ti', 1.5 * 2 ** 40],
    ['x', undefined],
    ['5Q', undefined],
    ['', undefined],
    [null, undefined],
  ])('%j is %j', (text, value) => {
    expect(quantityOf(text)).toBe(value);
  });
});

describe('what becomes of existing objects', () => {
  const web = workload('Deployment', 'web');
  test('is the policy of the kind, with or without its group, over that of all', () => {
    const policy = (...texts: string[]) => existingPolicyOf(parseExisting(texts, 'skip'))(web);
    expect(policy()).toBe('skip');
    expect(policy('update')).toBe('update');
    expect(policy('update', 'deployment=recreate')).toBe('recreate');
    expect(policy('Deployment.apps=recreate', 'deployment=skip')).toBe('recreate');
    expect(policy('secret=update')).toBe('skip');
  });

  test('is refused when it is none, with the nearest one', () => {
    expect(() => parseExisting(['updat'], 'skip')).toThrow('updat is not what can become');
  });
});

describe('a rule of the plan', () => {
  const web = workload('Deployment', 'web');
  test('counts by the first that fits, of each sort, in its modes', () => {
    const rules = compileUserRules(
      [
        {match: {kind: 'Deployment'}, modes: ['drill'], skip: 'only in drills'},
        {match: {name: 'web'}, wave: 'routes and budgets'},
        {match: {kind: 'Deployment'}, wave: 'operators', existing: 'skip', waitReady: true},
        {match: {kind: 'Secret'}, skip: 'not here'},
      ],
      'recover',
    );
    expect(
      rules.rule.apply(web, {
        mode: 'recover',
        inert: false,
        target: target(),
        policy: EMPTY,
        find: () => undefined,
      }),
    ).toBeUndefined();
    expect(rules.waveOf(web)).toBe('routes and budgets');
    expect(rules.existingOf(web)).toBe('skip');
    expect(rules.waitReady(web)).toBe(true);
    expect(rules.waitReady(kubeObject('v1', 'Secret', 's'))).toBe(false);
  });

  test('leaves objects out with its reason, and puts others into the wave that it names', async () => {
    const plan = await planRestore({
      objects: [
        entry(web),
        entry(kubeObject('v1', 'Secret', 'old')),
        entry(kubeObject('v1', 'ConfigMap', 'late')),
      ],
      mode: 'recover',
      target: target(),
      policy: {
        ...EMPTY,
        rules: [
          {match: {kind: 'Secret'}, skip: 'the target has its own'},
          {match: {name: 'late'}, wave: 'routes and budgets'},
        ],
      },
    });
    expect(plan.skipped).toMatchObject([{kind: 'Secret', reason: 'the target has its own'}]);
    const wave = plan.waves.find(({name}) => name === 'routes and budgets');
    expect(wave?.items.map(({ref}) => ref)).toEqual(['ConfigMap shop/late']);
  });
});

describe('a namespace map', () => {
  const move = compileNamespaceMap({shop: 'copy'});
  test.each([
    ['an object', kubeObject('v1', 'ConfigMap', 'a'), {metadata: {namespace: 'copy'}}],
    ['a Namespace', kubeObject('v1', 'Namespace', 'shop'), {metadata: {name: 'copy'}}],
    [
      'subjects of a binding',
      kubeObject('rbac.authorization.k8s.io/v1', 'ClusterRoleBinding', 'b', {
        subjects: [
          {kind: 'ServiceAccount', namespace: 'shop', name: 'a'},
          {kind: 'ServiceAccount', namespace: 'other', name: 'a'},
        ],
      }),
      {subjects: [{namespace: 'copy'}, {namespace: 'other'}]},
    ],
    [
      'the service of an API service',
      kubeObject('apiregistration.k8s.io/v1', 'APIService', 'v1.a', {
        spec: {service: {namespace: 'shop', name: 'a'}},
      }),
      {spec: {service: {namespace: 'copy'}}},
    ],
    [
      'the claim of a volume',
      kubeObject('v1', 'PersistentVolume', 'pv', {spec: {claimRef: {namespace: 'shop', name: 'a'}}}),
      {spec: {claimRef: {namespace: 'copy'}}},
    ],
  ])('covers %s', (_, object, expected) => {
    const moved = move(object);
    expect(moved.object).toMatchObject(expected);
    expect(moved.paths.length).toBeGreaterThan(0);
  });

  test('leaves the rest as it is, and lets no two namespaces become one', () => {
    const other = kubeObject('v1', 'ConfigMap', 'a', {metadata: {namespace: 'elsewhere'}});
    expect(move(other)).toEqual({object: other, paths: []});
    expect(() => compileNamespaceMap({a: 'x', b: 'x'})).toThrow('would both become x');
  });
});

test.each([
  ['policy/v1beta1', 'PodSecurityPolicy', '1.25', /no longer since 1\.25/],
  ['extensions/v1beta1', 'Ingress', 'v1.34.4', /no longer since 1\.22/],
  ['autoscaling/v2', 'HorizontalPodAutoscaler', '1.22', /only since 1\.23/],
  ['apps/v1', 'Deployment', '1.34', undefined],
  ['example.com/v1', 'Cart', '1.34', undefined],
])('whether %s %s is served by %s', (apiVersion, kind, version, expected) => {
  const reason = reasonNotServed(apiVersion, kind, version);
  if (expected) expect(reason).toMatch(expected);
  else expect(reason).toBeUndefined();
});

test('a plan made of outlines is the plan made of whole objects', async () => {
  const objects = MIXED_SET.map(entry);
  const whole = await planRestore({objects, mode: 'drill', target: target()});
  const outlined = await planRestore({
    objects: {
      objects: async function* (wants) {
        for (const object of objects) if (wants(object.type)) yield object;
      },
      read: async ({type, name, namespace}) => {
        const found = objects.find(
          ({object}) =>
            object.kind === type.kind &&
            object.metadata.name === name &&
            (object.metadata.namespace ?? '') === namespace,
        );
        if (!found) throw new Error(`no ${type.kind} ${name}`);
        return {object: found.object};
      },
    },
    mode: 'drill',
    target: target(),
  });
  const shape = ({load: _, rules: _rules, waves, groups, ...rest}: typeof whole) => ({
    ...rest,
    waves: waves.map(({name, layer, when, items}) => ({name, layer, when, items: items.map(({ref}) => ref)})),
    groups: groups.map(({name, operators, workloads, late}) => ({
      name,
      started: [...operators, ...workloads].map(({item, replicas}) => [item.ref, replicas]),
      late: late.map(({ref}) => ref),
    })),
  });
  expect(shape(outlined)).toEqual(shape(whole));
  for (const [index, item] of outlined.waves.flatMap(({items}) => items).entries()) {
    const other = whole.waves.flatMap(({items}) => items)[index];
    if (!other) throw new Error('another number of objects');
    expect((await outlined.load(item)).object, item.ref).toEqual((await whole.load(other)).object);
  }
});
