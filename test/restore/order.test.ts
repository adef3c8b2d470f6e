import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import type {KubeObject} from '../../src/cluster/object.ts';
import {indexObjects} from '../../src/restore/index-objects.ts';
import {restoreItem} from '../../src/restore/item.ts';
import {findOperators} from '../../src/restore/operators.ts';
import {orderItems} from '../../src/restore/order.ts';
import {entry, kubeObject, typeOf, workload} from './objects.ts';

const RBAC = 'rbac.authorization.k8s.io/v1';

/** Objects of a shop in `count` namespaces, with an operator and custom resources that own each other in a chain. */
function shops(count: number): KubeObject[] {
  const definition = kubeObject('apiextensions.k8s.io/v1', 'CustomResourceDefinition', 'carts.shop.example', {
    spec: {group: 'shop.example', names: {kind: 'Cart', plural: 'carts'}},
  });
  const role = kubeObject(RBAC, 'ClusterRole', 'operator', {
    rules: [{apiGroups: ['shop.example'], resources: ['*'], verbs: ['*']}],
  });
  const webhook = kubeObject('admissionregistration.k8s.io/v1', 'ValidatingWebhookConfiguration', 'hook', {
    webhooks: [],
  });
  return [
    definition,
    role,
    webhook,
    kubeObject('storage.k8s.io/v1', 'StorageClass', 'fast'),
    ...Array.from({length: count}, (_, index) => shop(`shop-${index}`)).flat(),
  ];
}

function shop(namespace: string): KubeObject[] {
  const metadata = {namespace};
  const owned = (kind: string, name: string) => ({
    namespace,
    ownerReferences: [{apiVersion: kind === 'Cart' ? 'shop.example/v1' : 'v1', kind, name, uid: 'old'}],
  });
  const objects = [
    kubeObject('v1', 'Secret', 'db', {metadata: owned('Cart', 'c')}),
    kubeObject('v1', 'ServiceAccount', 'operator', {metadata}),
    kubeObject('v1', 'PersistentVolumeClaim', 'data', {metadata, spec: {storageClassName: 'fast'}}),
    kubeObject('v1', 'Service', 'web', {metadata}),
    kubeObject('v1', 'ResourceQuota', 'quota', {metadata}),
    kubeObject(RBAC, 'ClusterRoleBinding', `operator-${namespace}`, {
      roleRef: {kind: 'ClusterRole', name: 'operator'},
      subjects: [{kind: 'ServiceAccount', namespace, name: 'operator'}],
    }),
    kubeObject('shop.example/v1', 'Cart', 'a', {metadata: owned('Cart', 'b')}),
    kubeObject('shop.example/v1', 'Cart', 'b', {metadata: owned('Cart', 'c')}),
    kubeObject('shop.example/v1', 'Cart', 'c', {metadata}),
    kubeObject('shop.example/v1', 'Cart', 'ring-1', {metadata: owned('Cart', 'ring-2')}),
    kubeObject('shop.example/v1', 'Cart', 'ring-2', {metadata: owned('Cart', 'ring-1')}),
    workload('Deployment', 'operator', {serviceAccountName: 'operator'}),
    workload('Deployment', 'web'),
    kubeObject('autoscaling/v2', 'HorizontalPodAutoscaler', 'web', {metadata}),
    kubeObject('networking.k8s.io/v1', 'Ingress', 'web', {metadata}),
  ].map(object =>
    object.kind === 'Deployment' ? {...object, metadata: {...object.metadata, namespace}} : object,
  );
  return [kubeObject('v1', 'Namespace', namespace), ...objects];
}

function wavesOf(objects: readonly KubeObject[]) {
  const index = indexObjects(objects.map(entry));
  const items = index.all.map(({type, object}) => restoreItem(type, object));
  return orderItems(items, findOperators(index));
}

/** Pairs of references: the first must be in an earlier wave than the second. */
function dependencies(namespace: string): [string, string][] {
  const carts = (name: string) => `shop.example/Cart ${namespace}/${name}`;
  return [
    [`Namespace ${namespace}`, `ServiceAccount ${namespace}/operator`],
    ['apiextensions.k8s.io/CustomResourceDefinition carts.shop.example', carts('c')],
    ['storage.k8s.io/StorageClass fast', `PersistentVolumeClaim ${namespace}/data`],
    [`ResourceQuota ${namespace}/quota`, `apps/Deployment ${namespace}/web`],
    [`ServiceAccount ${namespace}/operator`, `apps/Deployment ${namespace}/operator`],
    [`Secret ${namespace}/db`, `apps/Deployment ${namespace}/web`],
    [`PersistentVolumeClaim ${namespace}/data`, `apps/Deployment ${namespace}/web`],
    [`Service ${namespace}/web`, `networking.k8s.io/Ingress ${namespace}/web`],
    [`apps/Deployment ${namespace}/operator`, carts('c')],
    [carts('c'), carts('b')],
    [carts('b'), carts('a')],
    [carts('a'), `apps/Deployment ${namespace}/web`],
    [`apps/Deployment ${namespace}/web`, `autoscaling/HorizontalPodAutoscaler ${namespace}/web`],
    [
      `networking.k8s.io/Ingress ${namespace}/web`,
      'admissionregistration.k8s.io/ValidatingWebhookConfiguration hook',
    ],
  ];
}

describe('orderItems', () => {
  const objects = shops(3);
  const shuffled = fc.shuffledSubarray(objects, {minLength: objects.length});

  test('gives the same waves for the same objects in any order', () => {
    const expected = JSON.stringify(wavesOf(objects));
    fc.assert(
      fc.property(shuffled, order => {
        expect(JSON.stringify(wavesOf(order))).toBe(expected);
      }),
      {numRuns: 50},
    );
  });

  test('puts each object into one wave, also of circles and of owners that are absent', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(objects), some => {
        const refs = wavesOf(some).flatMap(wave => wave.items.map(item => item.key));
        expect(new Set(refs).size).toBe(refs.length);
        expect(refs).toHaveLength(some.length);
      }),
    );
  });

  test('puts every dependency before its dependents', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(objects), some => {
        const place = new Map(
          wavesOf(some).flatMap((wave, index) => wave.items.map(item => [item.ref, index] as const)),
        );
        for (const [before, after] of [0, 1, 2].flatMap(index => dependencies(`shop-${index}`))) {
          const [first, second] = [place.get(before), place.get(after)];
          if (first !== undefined && second !== undefined && !isOperatorWithoutProof(before, some)) {
            expect(first, `${before} before ${after}`).toBeLessThan(second);
          }
        }
      }),
    );
    expect(wavesOf(objects).flatMap(wave => wave.items)).toHaveLength(objects.length);
  });

  test('is after the groups for admission only', () => {
    const late = wavesOf(objects).filter(wave => wave.when === 'after-groups');
    expect(late.map(wave => wave.name)).toEqual(['admission']);
  });
});

/** Without its definition, role and binding, a Deployment cannot be told to be an operator. */
function isOperatorWithoutProof(ref: string, objects: readonly KubeObject[]): boolean {
  const [, namespace] = /^apps\/Deployment (.*)\/operator$/.exec(ref) ?? [];
  if (namespace === undefined) return false;
  const has = (kind: string, name: string) =>
    objects.some(object => object.kind === kind && object.metadata.name === name);
  return !(
    has('CustomResourceDefinition', 'carts.shop.example') &&
    has('ClusterRole', 'operator') &&
    has('ClusterRoleBinding', `operator-${namespace}`)
  );
}

test('a group with a dot is custom unless it is Kubernetes’ own', () => {
  const lone = (apiVersion: string, kind: string) =>
    wavesOf([{apiVersion, kind, metadata: {name: 'x', namespace: 'shop'}}])[0]?.name;
  expect(typeOf('shop.example/v1', 'Cart').plural).toBe('carts');
  expect(lone('shop.example/v1', 'Cart')).toBe('custom resources');
  expect(lone('discovery.k8s.io/v1', 'EndpointSlice')).toBe('network');
  expect(lone('snapshot.storage.k8s.io/v1', 'VolumeSnapshotClass')).toBe('custom resources');
  expect(lone('gateway.networking.k8s.io/v1', 'HTTPRoute')).toBe('routes and budgets');
});
