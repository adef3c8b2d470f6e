import {expect, test} from 'vitest';
import {CORE_TYPES} from '../../src/cluster/core-types.ts';
import {sourcePermissions} from '../../src/snapshot/permissions.ts';
import {arrayAt} from '../../src/std/json-at.ts';
import {load, planWith} from '../plan/load.ts';

/** The rules of the Roles of a plan that captures ConfigMaps only, by namespace. */
async function rulesOf(more: string) {
  const content = planWith(
    '{namespaces: [shop]}',
    `{namespaces: [shop, db], kinds: [ConfigMap]}\n    ${more}`,
  );
  const {plan} = await load(content);
  const roles = sourcePermissions({
    plan,
    types: Object.values(CORE_TYPES),
    namespaces: ['db', 'other', 'shop'],
    subject: {kind: 'User', name: 'pra'},
  }).filter(({kind}) => kind === 'Role');
  return Object.fromEntries(roles.map(role => [role.metadata.namespace, arrayAt(role, 'rules')]));
}

const exec = {apiGroups: [''], resources: ['pods/exec'], verbs: ['create', 'get']};

test('a plan with hooks may list pods and run commands in all of its namespaces, and in no other', async () => {
  const rules = await rulesOf('hooks: [{name: x, select: {app: db}, pre: [sync]}]');
  const lists = {
    apiGroups: [''],
    resources: ['configmaps', 'persistentvolumeclaims', 'pods'],
    verbs: ['list'],
  };
  expect(rules).toEqual({db: [lists, exec], shop: [lists, exec]});
});

test('a plan without commands may run none, and lists no pods', async () => {
  const lists = {apiGroups: [''], resources: ['configmaps', 'persistentvolumeclaims'], verbs: ['list']};
  expect(await rulesOf('hooks: []')).toEqual({db: [lists], shop: [lists]});
});

test('dumps list what they need whatever is captured', async () => {
  const rules = await rulesOf(
    'volumes: [{select: {app: db}, namespaces: [db], method: dump, dump: {command: [a], restore: [b]}}]',
  );
  const core = {
    apiGroups: [''],
    resources: ['configmaps', 'persistentvolumeclaims', 'pods'],
    verbs: ['list'],
  };
  const apps = {apiGroups: ['apps'], resources: ['replicasets'], verbs: ['list']};
  expect(rules).toEqual({db: [core, apps, exec], shop: [core, apps]});
});
