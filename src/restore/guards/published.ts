import type {KubeObject} from '../../cluster/object.ts';
import type {Json} from '../../std/json.ts';
import {arrayAt, isJsonObject, stringAt, withAt, withoutAt} from '../../std/json-at.ts';
import {Change, type Rule, type RuleVerdict} from '../rules/rule.ts';

/** Guard 12: no Service is reachable from outside the cluster. */
export const serviceUnpublished: Rule = {
  name: 'service-cluster-ip',
  kinds: ['Service'],
  guard: 12,
  apply: object => {
    const change = new Change(object);
    const type = stringAt(object, 'spec', 'type') ?? 'ClusterIP';
    if (type === 'LoadBalancer' || type === 'NodePort') {
      change.to(asClusterIp(object), {path: 'spec.type', reason: `was ${type}, is ClusterIP`});
    }
    return change
      .to(withoutAt(change.object, ['spec', 'externalIPs']), {
        path: 'spec.externalIPs',
        reason: 'addresses outside the cluster dropped',
      })
      .verdict();
  },
};

/** Fields that only a LoadBalancer or NodePort Service may have. */
const OUTSIDE = [
  'loadBalancerIP',
  'loadBalancerClass',
  'loadBalancerSourceRanges',
  'allocateLoadBalancerNodePorts',
  'externalTrafficPolicy',
  'healthCheckNodePort',
];

function asClusterIp(object: KubeObject): KubeObject {
  const inside = OUTSIDE.reduce<KubeObject>((result, field) => withoutAt(result, ['spec', field]), object);
  const ports = arrayAt(object, 'spec', 'ports').map(port =>
    isJsonObject(port) ? withoutAt(port, ['nodePort']) : port,
  );
  return withAt(withAt(inside, ['spec', 'ports'], ports), ['spec', 'type'], 'ClusterIP');
}

/** Guard 12: hosts lead nowhere, `shop.example.com` becomes `shop.example.com.invalid` (RFC 2606). */
export const ingressHosts: Rule = {
  name: 'ingress-host',
  kinds: ['Ingress.networking.k8s.io'],
  guard: 12,
  apply: object => {
    const rules = arrayAt(object, 'spec', 'rules').map(rule => mapHost(rule));
    const tls = arrayAt(object, 'spec', 'tls').map(entry =>
      isJsonObject(entry) && Array.isArray(entry.hosts)
        ? {...entry, hosts: entry.hosts.map(invalidHost)}
        : entry,
    );
    const withRules = rules.length > 0 ? withAt(object, ['spec', 'rules'], rules) : object;
    const withTls = tls.length > 0 ? withAt(withRules, ['spec', 'tls'], tls) : withRules;
    return hostVerdict(
      object,
      withTls,
      arrayAt(object, 'spec', 'rules').map(rule => stringAt(rule, 'host')),
    );
  },
};

/** Guard 12 for the Gateway API. */
export const gatewayHosts: Rule = {
  name: 'gateway-host',
  kinds: ['HTTPRoute', 'GRPCRoute', 'TLSRoute', 'Gateway'].map(kind => `${kind}.gateway.networking.k8s.io`),
  guard: 12,
  apply: object => {
    const names = arrayAt(object, 'spec', 'hostnames');
    const listeners = arrayAt(object, 'spec', 'listeners');
    const routed = names.length > 0 ? withAt(object, ['spec', 'hostnames'], names.map(invalidHost)) : object;
    const changed = listeners.some(listener => stringAt(listener, 'hostname') !== undefined)
      ? withAt(
          routed,
          ['spec', 'listeners'],
          listeners.map(listener => mapHost(listener, 'hostname')),
        )
      : routed;
    return hostVerdict(object, changed, [
      ...names,
      ...listeners.map(listener => stringAt(listener, 'hostname')),
    ]);
  },
};

const isHost = (host: unknown): host is string =>
  typeof host === 'string' && host !== '' && !host.endsWith('.invalid');
const invalidHost = (host: Json): Json => (isHost(host) ? `${host}.invalid` : host);

function mapHost(entry: Json, field = 'host'): Json {
  return isJsonObject(entry) && isHost(entry[field]) ? {...entry, [field]: `${entry[field]}.invalid`} : entry;
}

function hostVerdict(
  before: KubeObject,
  after: KubeObject,
  hosts: readonly unknown[],
): RuleVerdict | undefined {
  const real = hosts.filter(isHost);
  if (real.length === 0) return undefined;
  return new Change(before).to(after, {path: 'spec', reason: `${real.join(', ')} became .invalid`}).verdict();
}
