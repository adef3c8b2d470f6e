import type {KubeObject} from '../../cluster/object.ts';
import {arrayAt, at, isJsonObject, numberAt, stringAt, withAt, withoutAt} from '../../std/json-at.ts';
import {Change, type Rule, type RuleContext} from './rule.ts';

/**
 * Cluster IPs are of the source's range, so the target allots new ones; `None` (headless) is a choice and stays. Node
 * ports stay too, unless another Service of the target has them.
 */
export const service: Rule = {
  name: 'service-addresses',
  kinds: ['Service'],
  apply: (object, context) => {
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
    const taken = takenPorts(object, context);
    if (taken.length > 0) {
      change.to(withoutNodePorts(change.object, new Set(taken.map(([port]) => port))), {
        path: 'spec.ports[*].nodePort',
        reason: `${taken.map(([port, by]) => `node port ${port} is taken by Service ${by}`).join(', ')}: the target allots another`,
        severity: 'warning',
      });
    }
    if (stringAt(object, 'spec', 'type') === 'LoadBalancer' && context.mode === 'recover')
      change.remark({reason: 'the load balancer gets a new address: DNS has to follow', severity: 'info'});
    return change.verdict();
  },
};

/** Node ports that another Service of the target has, with its name. */
function takenPorts(object: KubeObject, {target}: RuleContext): [port: number, by: string][] {
  const own = `${object.metadata.namespace}/${object.metadata.name}`;
  return arrayAt(object, 'spec', 'ports').flatMap(entry => {
    const port = numberAt(entry, 'nodePort');
    const by = port === undefined ? undefined : target.nodePorts?.get(port);
    const pair: [number, string][] = port === undefined || by === undefined || by === own ? [] : [[port, by]];
    return pair;
  });
}

function withoutNodePorts(object: KubeObject, taken: ReadonlySet<number>): KubeObject {
  const ports = arrayAt(object, 'spec', 'ports').map(entry =>
    isJsonObject(entry) && taken.has(numberAt(entry, 'nodePort') ?? 0)
      ? withoutAt(entry, ['nodePort'])
      : entry,
  );
  return withAt(object, ['spec', 'ports'], ports);
}
