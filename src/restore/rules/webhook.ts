import type {KubeObject} from '../../cluster/object.ts';
import {arrayAt, isJsonObject, stringAt, stringsAt, withAt, withoutAt} from '../../std/json-at.ts';
import {Change, type Rule, type RuleRemark} from './rule.ts';

/** Tools that write the CA of a webhook into it; the CA of the source is left to them. */
const INJECTORS: readonly string[] = [
  'cert-manager.io/inject-ca-from',
  'cert-manager.io/inject-ca-from-secret',
  'service.beta.openshift.io/inject-cabundle',
];

/** Whether another controller writes the CA of webhooks into an object. */
export function hasInjectedCa(object: KubeObject): boolean {
  const annotations = stringsAt(object, 'metadata', 'annotations');
  return INJECTORS.some(name => annotations[name] !== undefined);
}

/** Admission webhooks: their backend must come back with them, and an injected CA is injected anew. */
export const webhook: Rule = {
  name: 'webhook',
  kinds: [
    'ValidatingWebhookConfiguration.admissionregistration.k8s.io',
    'MutatingWebhookConfiguration.admissionregistration.k8s.io',
  ],
  apply: (object, context) => {
    const change = new Change(object);
    for (const entry of arrayAt(object, 'webhooks')) {
      const namespace = stringAt(entry, 'clientConfig', 'service', 'namespace');
      const name = stringAt(entry, 'clientConfig', 'service', 'name');
      if (name === undefined || context.find('Service', namespace, name)) continue;
      change.remark(missingBackend(stringAt(entry, 'failurePolicy') ?? 'Fail', `${namespace}/${name}`));
    }
    if (hasInjectedCa(object)) {
      const webhooks = arrayAt(object, 'webhooks').map(entry =>
        isJsonObject(entry) ? withoutAt(entry, ['clientConfig', 'caBundle']) : entry,
      );
      change.to(withAt(object, ['webhooks'], webhooks), {
        path: 'webhooks[*].clientConfig.caBundle',
        reason: 'its injector writes the CA of the target',
      });
    }
    return change.verdict();
  },
};

function missingBackend(failurePolicy: string, service: string): RuleRemark {
  const blocks = failurePolicy === 'Fail';
  return {
    reason: `its backend, Service ${service}, is not in the snapshot${blocks ? ': with failurePolicy Fail it refuses every request that it matches' : ''}`,
    severity: blocks ? 'error' : 'warning',
  };
}
