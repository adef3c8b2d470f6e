import type {KubeObject} from '../../cluster/object.ts';
import {stringsAt, withoutAt} from '../../std/json-at.ts';
import {Change, type Rule} from '../rules/rule.ts';

/** Annotations that make external-dns write records outside the cluster. */
const DNS = /^external-dns\.alpha\.kubernetes\.io\//;

/** Guard 8: nothing asks for DNS records of the real world. */
export const externalDns: Rule = {
  name: 'external-dns',
  kinds: [
    'Service',
    'Ingress.networking.k8s.io',
    'Gateway.gateway.networking.k8s.io',
    'HTTPRoute.gateway.networking.k8s.io',
  ],
  guard: 8,
  apply: object => {
    const names = Object.keys(stringsAt(object, 'metadata', 'annotations')).filter(name => DNS.test(name));
    const bare = names.reduce<KubeObject>(
      (result, name) => withoutAt(result, ['metadata', 'annotations', name]),
      object,
    );
    return new Change(object)
      .to(bare, {path: 'metadata.annotations', reason: `dropped ${names.join(', ')}`})
      .verdict();
  },
};
