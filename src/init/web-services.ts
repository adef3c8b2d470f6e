import type {KubeObject} from '../cluster/object.ts';
import {arrayAt, at, numberAt, stringAt} from '../std/json-at.ts';
import type {ContainerFact, WebServiceFact, WorkloadFact} from './facts.ts';
import {workloadsBehind} from './select.ts';

const WEB_PORT = /^(http|web)(-|$)/;

/** Services that speak HTTP: those that an Ingress leads to, and those with a port called http. */
export function findWebServices(
  services: readonly KubeObject[],
  ingresses: readonly KubeObject[],
  workloads: readonly WorkloadFact[],
): WebServiceFact[] {
  const backends = ingresses.flatMap(backendsOf);
  return services.flatMap(service => {
    const {name, namespace = ''} = service.metadata;
    const behind = backends.find(backend => backend.namespace === namespace && backend.service === name);
    const ports = arrayAt(service, 'spec', 'ports').filter(port => (at(port, 'protocol') ?? 'TCP') === 'TCP');
    const port =
      ports.find(one => behind && (at(one, 'name') === behind.port || at(one, 'port') === behind.port)) ??
      ports.find(one => WEB_PORT.test(stringAt(one, 'name') ?? ''));
    const number = numberAt(port, 'port');
    if (number === undefined) return [];
    const running = workloadsBehind(service, workloads).filter(({replicas}) => replicas !== 0);
    if (running.length === 0) return [];
    const containers = running.flatMap(workload => workload.containers);
    const isTls = number === 443 || stringAt(port, 'name') === 'https';
    return [
      {
        namespace,
        name,
        port: number,
        scheme: isTls ? 'https' : 'http',
        path: readinessPath(containers, String(at(port, 'targetPort') ?? number)) ?? '/',
        reason: behind
          ? `Ingress ${namespace}/${behind.ingress} leads to it`
          : `its port is called ${stringAt(port, 'name')}`,
      },
    ];
  });
}

interface Backend {
  ingress: string;
  namespace: string;
  service: string;
  port: unknown;
}

function backendsOf(ingress: KubeObject): Backend[] {
  const paths = arrayAt(ingress, 'spec', 'rules').flatMap(rule => arrayAt(rule, 'http', 'paths'));
  return [at(ingress, 'spec', 'defaultBackend'), ...paths.map(path => at(path, 'backend'))].flatMap(
    backend => {
      const service = stringAt(backend, 'service', 'name');
      if (service === undefined) return [];
      const port = at(backend, 'service', 'port', 'number') ?? at(backend, 'service', 'port', 'name');
      return [{ingress: ingress.metadata.name, namespace: ingress.metadata.namespace ?? '', service, port}];
    },
  );
}

/** The page that shows that the pods behind a port are ready: one that is known to answer well. */
function readinessPath(containers: readonly ContainerFact[], targetPort: string): string | undefined {
  for (const {ports, readiness} of containers) {
    if (!readiness?.path.startsWith('/')) continue;
    const numberOf = (port: string) => String(ports.find(({name}) => name === port)?.number ?? port);
    if (numberOf(readiness.port) === numberOf(targetPort)) return readiness.path;
  }
  return undefined;
}
