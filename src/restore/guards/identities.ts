import type {KubeObject} from '../../cluster/object.ts';
import {stringsAt, withoutAt} from '../../std/json-at.ts';
import {Change, type Rule} from '../rules/rule.ts';
import {CLOUD_ROLE_ANNOTATIONS} from '../rules/service-account.ts';

/** Guard 13: pods of a drill cannot take a role of production in the cloud. */
export const cloudRoles: Rule = {
  name: 'cloud-role-dropped',
  kinds: ['ServiceAccount'],
  guard: 13,
  apply: object => {
    const names = CLOUD_ROLE_ANNOTATIONS.filter(
      name => stringsAt(object, 'metadata', 'annotations')[name] !== undefined,
    );
    const bare = names.reduce<KubeObject>(
      (result, name) => withoutAt(result, ['metadata', 'annotations', name]),
      object,
    );
    return new Change(object)
      .to(bare, {path: 'metadata.annotations', reason: `dropped ${names.join(', ')}`})
      .verdict();
  },
};
