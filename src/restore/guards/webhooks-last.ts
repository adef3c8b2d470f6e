import {keep, type Rule} from '../rules/rule.ts';

/** Guard 6: admission is asked only when what answers it is up. The order does it (order.ts); here it is recorded. */
export const webhooksLast: Rule = {
  name: 'webhooks-last',
  kinds: [
    'ValidatingWebhookConfiguration.admissionregistration.k8s.io',
    'MutatingWebhookConfiguration.admissionregistration.k8s.io',
  ],
  guard: 6,
  apply: () => keep('created after the groups are healthy'),
};
