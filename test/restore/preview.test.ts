import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {type KubeObject, objectRef} from '../../src/cluster/object.ts';
import {summarizeRestore} from '../../src/restore/completeness.ts';
import {EMPTY_POLICY, type GroupPolicy, type RestorePolicy} from '../../src/restore/policy.ts';
import {planRestore, type RestoreInput, type RestorePlan} from '../../src/restore/preview.ts';
import {entry, kubeObject, target, workload} from './objects.ts';

const group = (name: string, selector?: string, dependsOn: string[] = []): GroupPolicy => ({
  name,
  dependsOn,
  select: {namespaces: ['shop'], selector},
});

function preview(
  objects: readonly KubeObject[],
  policy: Partial<RestorePolicy> = {},
  rest: Partial<RestoreInput> = {},
) {
  return planRestore({
    objects: objects.map(entry),
    mode: 'drill',
    target: target(),
    policy: {...EMPTY_POLICY, ...policy},
    ...rest,
  });
}

const db = workload(
  'StatefulSet',
  'db',
  {
    serviceAccountName: 'db',
    volumes: [{name: 'c', configMap: {name: 'db-config', optional: true}}],
    containers: [
      {
        name: 'db',
        envFrom: [{secretRef: {name: 'db-credentials'}}],
        env: [{name: 'P', valueFrom: {secretKeyRef: {name: 'db-credentials', key: 'p'}}}],
      },
    ],
  },
  {serviceName: 'db'},
);
const account = kubeObject('v1', 'ServiceAccount', 'db');
const secret = kubeObject('v1', 'Secret', 'db-credentials');
const dbService = kubeObject('v1', 'Service', 'db', {spec: {clusterIP: 'None'}});
const namespace = kubeObject('v1', 'Namespace', 'shop');
const whole = [namespace, account, secret, dbService, db];
const errorsOf = (plan: RestorePlan) =>
  plan.findings.filter(({severity}) => severity === 'error').map(({message}) => message);

describe('what is missing is named', () => {
  test('nothing, when all is there', async () => {
    expect(errorsOf(await preview(whole))).toEqual([]);
  });
  test('a Secret, once, with the workload that needs it', async () => {
    const plan = await preview(whole.filter(object => object !== secret));
    expect(errorsOf(plan)).toEqual(['missing Secret shop/db-credentials, needed by StatefulSet shop/db']);
    expect(plan.findings[0]?.ref).toBe('apps/StatefulSet shop/db');
  });
  test('a ServiceAccount, but not an optional ConfigMap', async () => {
    expect(errorsOf(await preview(whole.filter(object => object !== account)))).toEqual([
      'missing ServiceAccount shop/db, needed by StatefulSet shop/db',
    ]);
  });
  test('an object that a rule leaves out is missing too', async () => {
    const token = kubeObject('v1', 'Secret', 'db-credentials', {
      type: 'kubernetes.io/service-account-token',
      metadata: {annotations: {'kubernetes.io/service-account.name': 'db'}},
    });
    expect(errorsOf(await preview([...whole.filter(object => object !== secret), token]))).toHaveLength(1);
  });
  test('a kind that the target does not serve and no definition brings', async () => {
    const cart = kubeObject('shop.example/v1', 'Cart', 'a');
    const definition = kubeObject(
      'apiextensions.k8s.io/v1',
      'CustomResourceDefinition',
      'carts.shop.example',
      {spec: {group: 'shop.example', names: {kind: 'Cart'}}},
    );
    expect(errorsOf(await preview([...whole, cart]))).toEqual([
      'the target does not serve shop.example/v1 Cart, and no definition in the snapshot brings it',
    ]);
    expect(errorsOf(await preview([...whole, cart, definition]))).toEqual([]);
  });
  test('a storage class, when there is no default either', async () => {
    const claim = kubeObject('v1', 'PersistentVolumeClaim', 'data', {spec: {storageClassName: 'gp3'}});
    expect(errorsOf(await preview([...whole, claim], {}, {target: target({storageClasses: []})}))).toEqual([
      expect.stringContaining('gp3'),
    ]);
    expect((await preview([...whole, claim])).findings).toContainEqual(
      expect.objectContaining({severity: 'warning', message: expect.stringContaining('gp3')}),
    );
    expect(errorsOf(await preview([...whole, claim], {storageClasses: {gp3: 'none-such'}}))).toEqual([
      expect.stringContaining('none-such'),
    ]);
  });
});

describe('volumes', () => {
  const claim = kubeObject('v1', 'PersistentVolumeClaim', 'data-db-0', {spec: {storageClassName: 'local'}});
  const set = {...db, spec: {...db.spec, volumeClaimTemplates: [{metadata: {name: 'data'}}]}};
  const objects = [...whole.filter(object => object !== db), set, claim];
  test('without data are an error', async () => {
    expect(errorsOf(await preview(objects, {}, {volumes: []}))).toEqual([
      expect.stringContaining('PersistentVolumeClaim shop/data-db-0'),
    ]);
  });
  test('with data, or waived by the labels of their pods, are none', async () => {
    expect(
      errorsOf(await preview(objects, {}, {volumes: [{namespace: 'shop', pvcs: ['data-db-0']}]})),
    ).toEqual([]);
    const waived = await preview(objects, {emptyVolumes: [{selector: 'app=db'}]}, {volumes: []});
    expect(errorsOf(waived)).toEqual([]);
    expect(waived.notTested).toContainEqual(
      expect.objectContaining({what: 'PersistentVolumeClaim shop/data-db-0'}),
    );
  });
});

describe('groups', () => {
  const web = workload('Deployment', 'web');
  const idle = workload('Deployment', 'idle', {}, {replicas: 0});
  const hpa = kubeObject('autoscaling/v2', 'HorizontalPodAutoscaler', 'web', {
    spec: {scaleTargetRef: {apiVersion: 'apps/v1', kind: 'Deployment', name: 'web'}},
  });
  const pod = kubeObject('v1', 'Pod', 'lone', {metadata: {labels: {app: 'web'}}, spec: {containers: []}});
  const cron = kubeObject('batch/v1', 'CronJob', 'mail', {spec: {jobTemplate: {}}});
  const objects = [...whole, web, idle, hpa, pod, cron];
  const policy = {groups: [group('data', 'app=db'), group('app', 'app in (web,idle)', ['data'])]};

  test('share out the workloads, autoscalers and pods', async () => {
    const plan = await preview(objects, policy);
    const refs = plan.groups.map(({name, workloads, late}) => [
      name,
      workloads.map(({item}) => item.ref),
      late.map(({ref}) => ref),
    ]);
    expect(refs).toEqual([
      ['data', ['apps/StatefulSet shop/db'], []],
      [
        'app',
        ['apps/Deployment shop/web'],
        ['Pod shop/lone', 'autoscaling/HorizontalPodAutoscaler shop/web'],
      ],
    ]);
    expect(plan.groups[1]?.workloads[0]).toMatchObject({
      replicas: 2,
      wake: {spec: {replicas: 2}, metadata: {annotations: {'pra.dev/replicas': null}}},
    });
    const inWaves = plan.waves.flatMap(wave => wave.items.map(({ref}) => ref));
    expect(inWaves).not.toContain('Pod shop/lone');
    expect(inWaves).toContain('batch/CronJob shop/mail');
  });
  test('CronJobs stay suspended in a drill, and go on in a recovery', async () => {
    expect((await preview(objects, policy)).notTested).toContainEqual({
      what: 'batch/CronJob shop/mail',
      reason: expect.any(String),
    });
    const recovery = await preview(objects, {groups: [group('all')]}, {mode: 'recover'});
    expect(recovery.groups[0]?.resumed.map(({item}) => item.ref)).toEqual(['batch/CronJob shop/mail']);
    expect(recovery.guards.filter(({number}) => number === 12)).toEqual([]);
  });
  test('a workload that no group selects, and a group that selects none, are warnings', async () => {
    const {findings} = await preview(objects, {
      groups: [group('data', 'app=db'), group('lost', 'app=nothing')],
    });
    const warnings = findings.map(({message}) => message);
    expect(warnings).toContainEqual(expect.stringContaining('apps/Deployment shop/web is in no group'));
    expect(warnings).toContainEqual(expect.stringContaining('group lost selects no workload'));
  });
  test('a drill without groups starts everything as one; a recovery without groups has nothing at rest', async () => {
    expect((await preview(objects)).groups.map(({name, workloads}) => [name, workloads.length])).toEqual([
      ['all', 2],
    ]);
    const recovery = await preview(objects, {}, {mode: 'recover'});
    expect(recovery.groups).toEqual([]);
    expect(
      recovery.waves.flatMap(wave => wave.items).find(({ref}) => ref === 'apps/Deployment shop/web')?.object
        .spec?.replicas,
    ).toBe(2);
  });
});

test('a conversion webhook is put back after the groups, and counted once', async () => {
  const definition = kubeObject('apiextensions.k8s.io/v1', 'CustomResourceDefinition', 'carts.shop.example', {
    spec: {group: 'shop.example', names: {kind: 'Cart'}, conversion: {strategy: 'Webhook', webhook: {}}},
  });
  const plan = await preview([...whole, definition]);
  const forms = plan.waves.flatMap(wave =>
    wave.items
      .filter(({object}) => object.kind === 'CustomResourceDefinition')
      .map(({object, followUp}) => [wave.when, object.spec?.conversion, followUp]),
  );
  expect(forms).toEqual([
    ['before-groups', {strategy: 'None'}, false],
    ['after-groups', {strategy: 'Webhook', webhook: {}}, true],
  ]);
  expect(
    summarizeRestore(plan, []).kinds.find(({kind}) => kind === 'CustomResourceDefinition')?.expected,
  ).toBe(1);
});

test('an owner that does not come back is dropped with a finding', async () => {
  const owned = kubeObject('v1', 'ConfigMap', 'c', {
    metadata: {ownerReferences: [{apiVersion: 'apps/v1', kind: 'Deployment', name: 'gone', uid: 'u'}]},
  });
  const plan = await preview([...whole, owned]);
  const item = plan.waves.flatMap(wave => wave.items).find(({ref}) => ref === 'ConfigMap shop/c');
  expect(item?.object.metadata.ownerReferences).toBeUndefined();
  expect(plan.findings).toContainEqual(
    expect.objectContaining({severity: 'warning', ref: 'ConfigMap shop/c'}),
  );
});

describe('completeness', () => {
  const anyObject = fc.constantFrom(
    ...whole,
    workload('Deployment', 'web'),
    kubeObject('v1', 'Pod', 'lone', {spec: {containers: []}}),
    kubeObject('v1', 'PersistentVolume', 'pv'),
    kubeObject('v1', 'Event', 'e'),
    kubeObject('batch/v1', 'CronJob', 'mail', {spec: {}}),
    kubeObject('shop.example/v1', 'Cart', 'c'),
  );
  const results = fc.constantFrom('created', 'changed', 'unchanged', 'skipped', 'failed', undefined);

  test('every object is restored, skipped or failed, whatever happens', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(anyObject),
        fc.array(results),
        fc.boolean(),
        async (objects, fates, hasGroups) => {
          const plan = await preview(objects, hasGroups ? {groups: [group('data', 'app=db')]} : {});
          const items = [
            ...plan.waves.flatMap(wave => wave.items),
            ...plan.groups.flatMap(each => each.late),
          ];
          const outcomes = items.flatMap(({ref, object}, index) => {
            const outcome = fates[index];
            return outcome ? [{ref, kind: object.kind, outcome}] : [];
          });
          const {kinds, failures, skips} = summarizeRestore(plan, outcomes);
          const sum = (field: 'expected' | 'restored' | 'skipped' | 'failed') =>
            kinds.reduce((total, kind) => total + kind[field], 0);
          expect(sum('expected')).toBe(objects.length);
          expect(sum('restored') + sum('skipped') + sum('failed')).toBe(objects.length);
          expect(failures).toHaveLength(sum('failed'));
          expect(skips).toHaveLength(sum('skipped'));
          const told = [...items.map(({ref}) => ref), ...plan.skipped.map(({ref}) => ref)].sort();
          expect(told).toEqual(objects.map(objectRef).sort());
        },
      ),
    );
  });
});
