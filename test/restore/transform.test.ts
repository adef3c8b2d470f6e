import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import type {KubeObject} from '../../src/cluster/object.ts';
import type {Transform} from '../../src/restore/policy.ts';
import {mapHost} from '../../src/restore/transform/hosts.ts';
import {mapImage} from '../../src/restore/transform/images.ts';
import {compileTransforms} from '../../src/restore/transform/index.ts';
import {compileMatch} from '../../src/restore/transform/match.ts';
import {parsePath, valuesAt, withoutPath} from '../../src/restore/transform/path.ts';
import {kubeObject, workload} from './objects.ts';

const apply = (object: KubeObject, ...transforms: Transform[]) =>
  compileTransforms(transforms, 'recover').apply(object);
const altered = (object: KubeObject, transform: Transform): KubeObject => {
  const verdict = apply(object, transform);
  if (verdict?.action !== 'change') throw new Error('nothing was altered');
  return verdict.object;
};

const claim = kubeObject('v1', 'PersistentVolumeClaim', 'data', {spec: {storageClassName: 'fast'}});
const ingress = kubeObject('networking.k8s.io/v1', 'Ingress', 'web', {
  metadata: {annotations: {'external-dns.alpha.kubernetes.io/hostname': 'a.example.com, b.example.org'}},
  spec: {
    rules: [{host: 'shop.example.com'}, {http: {}}],
    tls: [{hosts: ['shop.example.com'], secretName: 'tls'}],
  },
});
const web = workload('Deployment', 'web', {
  initContainers: [{name: 'init', image: 'busybox'}],
  containers: [{name: 'main', image: 'quay.io/shop/web:1'}],
  volumes: [{name: 'model', image: {reference: 'quay.io/shop/model:1'}}],
});

/** One row for each typed transform: what it makes of an object, and what the record says. */
const TYPED: readonly (readonly [name: string, KubeObject, Transform, expected: object, told: RegExp])[] = [
  [
    'patch',
    web,
    {patch: [{op: 'replace', path: '/spec/replicas', value: 5}]},
    {spec: {replicas: 5}},
    /transform 1 of the plan/,
  ],
  ['merge', web, {name: 'grow', merge: {spec: {replicas: 4}}}, {spec: {replicas: 4}}, /transform "grow"/],
  [
    'images, in containers, init containers and image volumes',
    web,
    {images: {'quay.io/shop': 'mirror.local/shop', busybox: 'mirror.local/busybox'}},
    {
      spec: {
        template: {
          spec: {
            initContainers: [{image: 'mirror.local/busybox'}],
            containers: [{image: 'mirror.local/shop/web:1'}],
            volumes: [{image: {reference: 'mirror.local/shop/model:1'}}],
          },
        },
      },
    },
    /quay\.io\/shop\/web:1 → mirror\.local\/shop\/web:1/,
  ],
  [
    'storageClasses of a claim',
    claim,
    {storageClasses: {fast: 'gold'}},
    {spec: {storageClassName: 'gold'}},
    /fast → gold/,
  ],
  [
    'storageClasses of claim templates',
    workload(
      'StatefulSet',
      'db',
      {},
      {volumeClaimTemplates: [{metadata: {name: 'd'}, spec: {storageClassName: 'fast'}}]},
    ),
    {storageClasses: {fast: 'gold'}},
    {spec: {volumeClaimTemplates: [{spec: {storageClassName: 'gold'}}]}},
    /volumeClaimTemplates\[\*\]/,
  ],
  [
    'hosts, in rules, TLS and what external-dns publishes',
    ingress,
    {hosts: {'shop.example.com': 'shop.dr.example.com', '.example.org': '.dr.example.org'}},
    {
      metadata: {
        annotations: {'external-dns.alpha.kubernetes.io/hostname': 'a.example.com,b.dr.example.org'},
      },
      spec: {rules: [{host: 'shop.dr.example.com'}, {http: {}}], tls: [{hosts: ['shop.dr.example.com']}]},
    },
    /shop\.example\.com → shop\.dr\.example\.com/,
  ],
  [
    'hosts of routes',
    kubeObject('gateway.networking.k8s.io/v1', 'HTTPRoute', 'web', {spec: {hostnames: ['a.example.com']}}),
    {hosts: {'.example.com': '.dr.example.com'}},
    {spec: {hostnames: ['a.dr.example.com']}},
    /a\.dr\.example\.com/,
  ],
  [
    'annotations, set and removed',
    ingress,
    {annotations: {'external-dns.alpha.kubernetes.io/hostname': null, site: 'dr'}},
    {metadata: {annotations: {site: 'dr'}}},
    /annotations/,
  ],
  ['replicas', web, {replicas: 1}, {spec: {replicas: 1}}, /2 → 1/],
  [
    'drop',
    web,
    {drop: ['spec.template.spec.initContainers', 'spec.replicas']},
    {spec: {selector: {}}},
    /replicas/,
  ],
];

describe('a typed transform', () => {
  test.each(TYPED)('%s', (_, object, transform, expected, told) => {
    const before = JSON.stringify(object);
    const verdict = apply(object, transform);
    expect(verdict?.action).toBe('change');
    if (verdict?.action !== 'change') return;
    expect(verdict.object).toMatchObject(expected);
    expect(verdict.notes.map(({reason}) => reason).join()).toMatch(told);
    expect(JSON.stringify(object)).toBe(before);
  });

  test.each(TYPED.filter(([name]) => name !== 'patch'))(
    '%s alters nothing the second time',
    (_, object, transform) => {
      expect(apply(altered(object, transform), transform)?.action ?? 'keep').toBe('keep');
    },
  );

  test('leaves what it does not speak about', () => {
    expect(apply(claim, {replicas: 3})).toBeUndefined();
    expect(apply(web, {storageClasses: {fast: 'gold'}})).toBeUndefined();
    expect(apply(claim, {storageClasses: {slow: 'gold'}})).toBeUndefined();
  });

  test('never tells a value of a Secret', () => {
    const secret = kubeObject('v1', 'Secret', 's', {data: {password: 'aHVudGVyMg=='}});
    for (const transform of [{merge: {data: {password: 'bmV3'}}}, {drop: ['data.password']}] as Transform[])
      expect(JSON.stringify(apply(secret, transform)?.notes)).not.toMatch(/aHVudGVyMg|bmV3/);
  });

  test('works in its modes, and one that cannot be carried out is an error and leaves the object', () => {
    expect(apply(web, {replicas: 1, modes: ['drill']})).toBeUndefined();
    const verdict = apply(web, {patch: [{op: 'remove', path: '/spec/none'}]});
    expect(verdict).toMatchObject({action: 'keep', notes: [{severity: 'error'}]});
  });

  test('that fits no object says so', () => {
    const transformer = compileTransforms(
      [
        {name: 'used', match: {kind: 'Deployment'}, replicas: 1},
        {name: 'mistyped', match: {kind: 'Deploymnet'}, replicas: 1},
      ],
      'recover',
    );
    transformer.apply(web);
    expect(transformer.unused()).toEqual(['transform "mistyped"']);
  });
});

describe('an image', () => {
  const MAP = {
    'quay.io/shop': 'mirror.local/shop',
    'docker.io': 'mirror.local/hub',
    'quay.io/shop/web': 'other.local/web',
  };
  test.each([
    ['quay.io/shop/api:1', 'mirror.local/shop/api:1'],
    ['quay.io/shop/web@sha256:aa', 'other.local/web@sha256:aa'],
    ['quay.io/shopping/api', 'quay.io/shopping/api'],
    ['nginx:1', 'mirror.local/hub/library/nginx:1'],
    ['bitnami/nginx', 'mirror.local/hub/bitnami/nginx'],
    ['localhost/app:1', 'localhost/app:1'],
    ['registry:5000/app', 'registry:5000/app'],
  ])('%s is %s', (image, expected) => {
    expect(mapImage(image, MAP)).toBe(expected);
  });

  test('is mapped once, also when its new name begins like the old one', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('quay.io', 'quay.io/a', 'a', 'docker.io'),
        fc.constantFrom('quay.io/mirror', 'mirror.local', 'quay.io/a/b'),
        fc.constantFrom('quay.io/a/x:1', 'a/x', 'x@sha256:00', 'quay.io/ab'),
        (from, to, image) => {
          const once = mapImage(image, {[from]: to});
          expect(mapImage(once, {[from]: to})).toBe(once);
        },
      ),
    );
  });
});

test.each([
  ['shop.example.com', 'shop.dr.net'],
  ['a.b.example.com', 'a.b.dr.example.com'],
  ['example.com', 'example.com'],
  ['notexample.com', 'notexample.com'],
])('the host %s is %s', (host, expected) => {
  const map = {'shop.example.com': 'shop.dr.net', '.example.com': '.dr.example.com'};
  expect(mapHost(host, map)).toBe(expected);
  expect(mapHost(expected, map)).toBe(expected);
});

describe('a path', () => {
  test.each([
    ['spec.containers[*].image', ['spec', 'containers', '*', 'image']],
    ['metadata.annotations["example.com/a.b"]', ['metadata', 'annotations', 'example.com/a.b']],
    ['spec.rules[0].host', ['spec', 'rules', 0, 'host']],
  ])('%s is read', (text, steps) => {
    expect(parsePath(text)).toEqual(steps);
  });

  test.each(['', '.spec', 'spec.', 'spec..a', 'spec[', 'spec[-1]', 'a["b]'])('%j is none', text => {
    expect(() => parsePath(text)).toThrow(/is no path/);
  });

  test('without what lies at it there is nothing at it, and the rest is as it was', () => {
    fc.assert(
      fc.property(
        fc.jsonValue(),
        fc.array(fc.oneof(fc.constantFrom('a', 'b', '*'), fc.nat(2)), {minLength: 1, maxLength: 3}),
        (value, steps) => {
          const before = JSON.stringify(value);
          const smaller = withoutPath(value, steps);
          expect(JSON.stringify(value)).toBe(before);
          if (valuesAt(value, steps).length === 0) expect(smaller).toEqual(value);
          else if (!steps.some(step => typeof step === 'number'))
            expect(valuesAt(smaller, steps)).toEqual([]);
        },
      ),
    );
  });
});

describe('a match', () => {
  const fits = (match: Parameters<typeof compileMatch>[0]) => compileMatch(match)(web);
  test.each([
    [{}, true],
    [{kind: 'Deployment', group: 'apps', namespace: 'shop', name: 'web'}, true],
    [{name: 'w*', namespace: 'sh?p'}, true],
    [{name: 'w'}, false],
    [{group: ''}, false],
    [{selector: 'app=web'}, true],
    [{selector: 'app!=web'}, false],
    [{fields: [{path: 'spec.replicas', equals: 2}]}, true],
    [{fields: [{path: 'spec.replicas', equals: '2'}]}, false],
    [{fields: [{path: 'spec.template.spec.containers[*].image', equals: 'quay.io/shop/web:1'}]}, true],
    [{fields: [{path: 'spec.paused'}]}, false],
    [{fields: [{path: 'spec.paused', exists: false}]}, true],
    [{kind: 'Deployment', fields: [{path: 'spec.replicas', equals: 3}]}, false],
  ])('%j: %s', (match, expected) => {
    expect(fits(match)).toBe(expected);
  });
});
