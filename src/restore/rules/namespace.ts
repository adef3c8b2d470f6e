import {withoutAt} from '../../std/json-at.ts';
import {Change, type Rule} from './rule.ts';

/** Labels and annotations stay, Pod Security levels among them; the finalizer is set by the API server. */
export const namespace: Rule = {
  name: 'namespace',
  kinds: ['Namespace'],
  apply: object => {
    const bare = withoutAt(object, ['spec', 'finalizers']);
    return new Change(object).to(bare, {path: 'spec.finalizers', reason: 'set by the API server'}).verdict();
  },
};
