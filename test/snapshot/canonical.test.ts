import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import type {KubeObject} from '../../src/cluster/object.ts';
import {canonicalObject} from '../../src/snapshot/canonical.ts';
import {canonicalJson} from '../../src/std/json.ts';

const written = {
  uid: 'u',
  resourceVersion: '7',
  generation: 2,
  creationTimestamp: '2026-01-01T00:00:00Z',
  deletionTimestamp: '2026-01-01T00:00:00Z',
  deletionGracePeriodSeconds: 0,
  selfLink: '/x',
  managedFields: [],
};

describe('canonicalObject', () => {
  test('drops what the API server writes, and keeps what a user wrote', () => {
    const kept = {
      name: 'web',
      namespace: 'shop',
      labels: {a: 'b'},
      annotations: {c: 'd'},
      finalizers: ['x/y'],
    };
    const object: KubeObject = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {...kept, ...written},
      data: {k: 'v'},
      status: {x: 1},
    };
    const before = structuredClone(object);
    expect(canonicalObject(object)).toEqual({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: kept,
      data: {k: 'v'},
    });
    expect(object).toEqual(before);
  });

  test('drops the empty timestamps of templates and the finalizer of a namespace', () => {
    const template = {metadata: {creationTimestamp: null, labels: {a: 'b'}}};
    const deployment = canonicalObject({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: {name: 'x'},
      spec: {template},
    });
    expect(deployment.spec).toEqual({template: {metadata: {labels: {a: 'b'}}}});
    const namespace = canonicalObject({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: {name: 'x'},
      spec: {finalizers: ['kubernetes']},
    });
    expect(namespace).not.toHaveProperty('spec');
  });

  test('gives the same text whatever the order of keys and the cluster', () => {
    const json = fc.dictionary(fc.string(), fc.jsonValue());
    fc.assert(
      fc.property(json, fc.string(), (fields, uid) => {
        const data = JSON.parse(JSON.stringify(fields));
        const turned = Object.fromEntries(Object.entries(data).reverse());
        const one: KubeObject = {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: {name: 'a', ...written, uid},
          data,
        };
        const other: KubeObject = {
          data: turned,
          metadata: {uid: 'other', name: 'a'},
          kind: 'ConfigMap',
          apiVersion: 'v1',
        };
        expect(canonicalJson(canonicalObject(one))).toBe(canonicalJson(canonicalObject(other)));
      }),
    );
  });

  test('is the same when done twice', () => {
    const object: KubeObject = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {name: 'a', ...written},
      spec: {},
      status: {},
    };
    expect(canonicalObject(canonicalObject(object))).toEqual(canonicalObject(object));
  });
});
