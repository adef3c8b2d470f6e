import {arrayAt} from '../../std/json-at.ts';
import {keep, type Rule} from './rule.ts';

/** Finalizers that Kubernetes itself serves. */
const SERVED = /^(kubernetes|foregroundDeletion|orphan|([\w-]+\.)?kubernetes\.io\/.*)$/;

/** Finalizers stay; one that some controller must serve is told, since without it the object cannot be deleted. */
export const finalizers: Rule = {
  name: 'finalizers',
  kinds: 'all',
  apply: object => {
    const foreign = arrayAt(object, 'metadata', 'finalizers').filter(
      name => typeof name === 'string' && !SERVED.test(name),
    );
    if (foreign.length === 0) return undefined;
    return keep(
      `keeps the finalizers ${foreign.join(', ')}: it can be deleted only while their controller runs`,
      'info',
    );
  },
};
