import {reasonToExclude} from '../../snapshot/exclude.ts';
import {type Rule, skip} from './rule.ts';

/** What a cluster makes by itself stays out, also when an older snapshot holds it. */
export const never: Rule = {
  name: 'never-restored',
  kinds: 'all',
  apply: object => {
    const reason = reasonToExclude(object);
    return reason === undefined ? undefined : skip(reason);
  },
};
