import {arrayAt, stringsAt, withoutAt} from '../../std/json-at.ts';
import {Change, type Rule} from './rule.ts';

/** Annotations by which a cloud gives pods of a service account a role outside the cluster. */
export const CLOUD_ROLE_ANNOTATIONS: readonly string[] = [
  'eks.amazonaws.com/role-arn',
  'iam.gke.io/gcp-service-account',
  'azure.workload.identity/client-id',
  'azure.workload.identity/tenant-id',
];

/** Token Secrets are not carried over, so neither are their names; a cloud role is reported. */
export const serviceAccount: Rule = {
  name: 'service-account',
  kinds: ['ServiceAccount'],
  apply: object => {
    const change = new Change(object);
    if (arrayAt(object, 'secrets').length > 0) {
      change.to(withoutAt(object, ['secrets']), {
        path: 'secrets',
        reason: 'the target issues its own tokens',
      });
    }
    const roles = CLOUD_ROLE_ANNOTATIONS.filter(
      name => stringsAt(object, 'metadata', 'annotations')[name] !== undefined,
    );
    if (roles.length > 0) {
      change.remark({
        reason: `is bound to a cloud role by ${roles.join(', ')}: the role must trust the new cluster`,
        severity: 'info',
      });
    }
    return change.verdict();
  },
};
