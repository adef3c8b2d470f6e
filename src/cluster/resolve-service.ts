import {PraError} from '../errors.ts';
import {arrayAt, at, numberAt, objectAt, stringAt} from '../std/json-at.ts';
import {readObject} from './apply.ts';
import type {Cluster} from './client.ts';
import {CORE_TYPES} from './core-types.ts';
import {listAll} from './list.ts';
import type {KubeObject} from './object.ts';

export interface ServiceRequest {
  namespace: string;
  service: string;
  /** A port of the Service, by number or name. */
  port: number | string;
  signal?: AbortSignal | undefined;
}

/** Where a connection to a Service ends. */
export interface ServiceBackend {
  pod: string;
  /** Of the pod. */
  port: number;
}

/**
 * Finds a ready pod behind a Service and the port of the pod that the Service's port leads to, as kube-proxy would;
 * works for headless Services and named ports.
 * @throws PraError PORT_FORWARD_FAILED that says what is missing: the Service, the port, or a ready pod
 */
export async function resolveService(cluster: Cluster, request: ServiceRequest): Promise<ServiceBackend> {
  const {namespace, service: name, signal} = request;
  const fail = (why: string, next: string[] = []) =>
    new PraError('PORT_FORWARD_FAILED', `no way to Service ${namespace}/${name} port ${request.port}`, {
      why,
      next,
    });
  const service = await readObject(cluster, CORE_TYPES.Service, {namespace, name}, {signal});
  if (!service) throw fail('there is no such Service');
  const port = servicePort(service, request.port);
  if (port === undefined) throw fail(`its ports are: ${portNames(service) || 'none'}`);
  const labelSelector = `kubernetes.io/service-name=${name}`;
  const slices = await listAll(cluster, CORE_TYPES.EndpointSlice, {namespace, labelSelector, signal});
  const backends = slices.flatMap(slice => backendsOf(slice, port));
  const ready = backends.find(backend => backend.ready);
  if (ready) return {pod: ready.pod, port: ready.port};
  throw fail(
    backends.length > 0
      ? `none of its ${backends.length} pods is ready: ${backends.map(backend => backend.pod).join(', ')}`
      : objectAt(service, 'spec', 'selector')
        ? 'no pod matches its selector'
        : 'it has no selector, so no pods are behind it',
    [`kubectl -n ${namespace} get endpointslices,pods`],
  );
}

interface ServicePort {
  /** Name of the port in the Service and in its EndpointSlices; empty when it has only one. */
  name: string;
  /** What the pod listens on, when no EndpointSlice says it (a headless Service without ports). */
  number: number | undefined;
}

function servicePort(service: KubeObject, wanted: number | string): ServicePort | undefined {
  const ports = arrayAt(service, 'spec', 'ports');
  const number = Number(wanted);
  const isNumber = Number.isInteger(number);
  if (ports.length === 0) return isNumber ? {name: '', number} : undefined;
  const found = ports.find(port => at(port, 'name') === wanted || (isNumber && at(port, 'port') === number));
  return found === undefined ? undefined : {name: stringAt(found, 'name') ?? '', number: undefined};
}

function portNames(service: KubeObject): string {
  return arrayAt(service, 'spec', 'ports')
    .map(port =>
      [numberAt(port, 'port'), stringAt(port, 'name')].filter(part => part !== undefined).join(' '),
    )
    .join(', ');
}

function backendsOf(slice: KubeObject, wanted: ServicePort): (ServiceBackend & {ready: boolean})[] {
  const named = arrayAt(slice, 'ports').find(port => (stringAt(port, 'name') ?? '') === wanted.name);
  const port = wanted.number ?? numberAt(named, 'port');
  if (port === undefined) return [];
  return arrayAt(slice, 'endpoints').flatMap(endpoint => {
    const pod = stringAt(endpoint, 'targetRef', 'name');
    if (pod === undefined || stringAt(endpoint, 'targetRef', 'kind') !== 'Pod') return [];
    return [{pod, port, ready: at(endpoint, 'conditions', 'ready') !== false}];
  });
}
