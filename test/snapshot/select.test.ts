import {describe, expect, test} from 'vitest';
import {matchGlobs} from '../../src/snapshot/glob.ts';
import {compileSelect} from '../../src/snapshot/select.ts';
import {parseSelector, selectorText} from '../../src/snapshot/selector.ts';
import {kubeObject, typeOf} from '../restore/objects.ts';

describe('parseSelector', () => {
  test.each([
    ['', {}, true],
    ['app=db', {app: 'db'}, true],
    ['app==db', {app: 'db'}, true],
    ['app=db', {app: 'web'}, false],
    ['app=db', {}, false],
    ['app=', {app: ''}, true],
    ['app!=db', {app: 'web'}, true],
    ['app!=db', {}, true],
    ['app!=db', {app: 'db'}, false],
    ['app in (db, web)', {app: 'web'}, true],
    ['app in (db,web)', {}, false],
    ['app notin (db,web)', {}, true],
    ['app notin (db,web)', {app: 'db'}, false],
    ['app', {app: 'x'}, true],
    ['app', {}, false],
    ['!app', {}, true],
    ['!app', {app: 'x'}, false],
    ['app=db,tier in (a,b),!legacy', {app: 'db', tier: 'b'}, true],
    ['app=db,tier in (a,b),!legacy', {app: 'db', tier: 'b', legacy: '1'}, false],
    ['app.kubernetes.io/name=db', {'app.kubernetes.io/name': 'db'}, true],
  ])('%s of %o is %s', (text, labels, expected) => {
    expect(parseSelector(text)(labels)).toBe(expected);
  });

  test.each(['app=db,', 'app in db', 'a b', '=x', 'app=db;drop', ','])('refuses %s', text => {
    expect(() => parseSelector(text)).toThrow('is not a label selector');
  });

  test('takes labels as text', () => {
    expect(selectorText({app: 'db', tier: 'a'})).toBe('app=db,tier=a');
    expect(selectorText('app')).toBe('app');
  });
});

test('globs stand for whole names, and dots for dots', () => {
  const fits = matchGlobs(['shop-*', 'db', 'a.b']);
  expect(['shop-1', 'shop-', 'db', 'a.b'].every(fits)).toBe(true);
  expect(['myshop-1', 'db2', 'axb'].some(fits)).toBe(false);
  expect(matchGlobs(['team-?'])('team-ab')).toBe(false);
});

describe('compileSelect', () => {
  const scope = {namespaces: ['*'], clusterScoped: 'none'} as const;

  test('takes system namespaces only by name', () => {
    expect(compileSelect(scope).namespace('kube-system')).toBe(false);
    expect(compileSelect({...scope, namespaces: ['*', 'kube-system']}).namespace('kube-system')).toBe(true);
    expect(compileSelect({...scope, excludeNamespaces: ['tmp-*']}).namespace('tmp-1')).toBe(false);
  });

  test('knows kinds by all their names, and never takes what is made again', () => {
    const deployment = {...typeOf('apps/v1', 'Deployment'), shortNames: ['deploy']};
    for (const name of ['Deployment', 'deployments', 'deployments.apps', 'deploy']) {
      expect(compileSelect({...scope, kinds: [name]}).type(deployment), name).toBe(true);
      expect(compileSelect({...scope, excludeKinds: [name]}).type(deployment), name).toBe(false);
    }
    expect(compileSelect({...scope, kinds: ['deployments.extensions']}).type(deployment)).toBe(false);
    expect(compileSelect(scope).type(typeOf('coordination.k8s.io/v1', 'Lease'))).toBe(false);
    expect(compileSelect(scope).type({...deployment, verbs: ['get', 'list']})).toBe(false);
  });

  test('takes objects by names, of all kinds or of one', () => {
    const secret = typeOf('v1', 'Secret');
    const configMap = {...typeOf('v1', 'ConfigMap'), shortNames: ['cm']};
    const only = compileSelect({...scope, names: ['Secret/db-*', 'cm/web']});
    expect(only.names(secret)('db-1')).toBe(true);
    expect(only.names(secret)('web')).toBe(false);
    expect(only.names(configMap)('web')).toBe(true);
    expect(only.names(configMap)('db-1')).toBe(false);
    expect(only.names(typeOf('v1', 'Service'))('anything')).toBe(true);
    const without = compileSelect({...scope, names: ['*'], excludeNames: ['scratch-?', 'secrets/sh.helm.*']});
    expect(without.names(secret)('sh.helm.release.v1')).toBe(false);
    expect(without.names(configMap)('sh.helm.release.v1')).toBe(true);
    expect(without.names(configMap)('scratch-1')).toBe(false);
    expect(without.names(configMap)('scratch-10')).toBe(true);
  });

  test('takes objects by labels', () => {
    const labelled = kubeObject('v1', 'ConfigMap', 'a', {metadata: {labels: {backup: 'no', app: 'web'}}});
    expect(compileSelect({...scope, selector: 'app=web'}).labels(labelled)).toBe(true);
    expect(
      compileSelect({...scope, selector: 'app=web', excludeSelector: 'backup=no'}).labels(labelled),
    ).toBe(false);
  });
});
