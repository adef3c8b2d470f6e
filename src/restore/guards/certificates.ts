import {objectAt, withAt} from '../../std/json-at.ts';
import {Change, type Rule} from '../rules/rule.ts';

/** Guard 11: a drill asks no public authority for certificates, whose rate limits production shares. */
export const selfSignedIssuers: Rule = {
  name: 'self-signed-issuer',
  kinds: ['Issuer.cert-manager.io', 'ClusterIssuer.cert-manager.io'],
  guard: 11,
  apply: object =>
    objectAt(object, 'spec', 'acme') &&
    new Change(object)
      .to(withAt(object, ['spec'], {selfSigned: {}}), {
        path: 'spec.acme',
        reason: 'issues self-signed certificates',
      })
      .verdict(),
};
