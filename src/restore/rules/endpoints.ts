import {at, objectAt} from '../../std/json-at.ts';
import {type Rule, skip} from './rule.ts';

/** Endpoints written by hand come back; those of a Service with a selector, or of no Service at all, do not. */
export const endpoints: Rule = {
  name: 'endpoints',
  kinds: ['Endpoints'],
  apply: (object, context) => {
    const owner = context.find('Service', object.metadata.namespace, object.metadata.name);
    if (owner === undefined) return skip('belongs to no Service of the snapshot');
    const selects = Object.keys(objectAt(owner, 'spec', 'selector') ?? {}).length > 0;
    return selects || at(object, 'subsets') === undefined ? skip('made from the Service') : undefined;
  },
};
