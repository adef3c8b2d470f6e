import {at, stringAt, withoutAt} from '../../std/json-at.ts';
import {Change, type Rule} from './rule.ts';

/** Cluster IPs are of the source's range, so the target allots new ones; `None` (headless) is a choice and stays. */
export const service: Rule = {
  name: 'service-addresses',
  kinds: ['Service'],
  apply: object => {
    const change = new Change(object);
    if (stringAt(object, 'spec', 'clusterIP') !== 'None' && at(object, 'spec', 'clusterIP') !== undefined) {
      change.to(withoutAt(withoutAt(object, ['spec', 'clusterIP']), ['spec', 'clusterIPs']), {
        path: 'spec.clusterIP',
        reason: 'the target allots a cluster IP of its own',
      });
    }
    change.to(withoutAt(change.object, ['spec', 'healthCheckNodePort']), {
      path: 'spec.healthCheckNodePort',
      reason: 'the target allots it',
    });
    if (stringAt(object, 'spec', 'type') === 'LoadBalancer') {
      change.remark({
        reason: 'the load balancer gets a new address: DNS has to follow',
        path: 'status.loadBalancer',
      });
    }
    return change.verdict();
  },
};
