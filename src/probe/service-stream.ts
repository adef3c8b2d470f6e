import type {Duplex} from 'node:stream';
import type {Cluster} from '../cluster/client.ts';
import {forwardPort} from '../cluster/forward.ts';
import {resolveService} from '../cluster/resolve-service.ts';

/** A connection to a ready pod behind a Service, through the API server: no network path into the cluster is needed. */
export async function openService(
  cluster: Cluster,
  service: {namespace: string; name: string; port: number | string},
  signal: AbortSignal,
): Promise<Duplex> {
  const {pod, port} = await resolveService(cluster, {
    namespace: service.namespace,
    service: service.name,
    port: service.port,
    signal,
  });
  return forwardPort(cluster, {namespace: service.namespace, pod, port, signal});
}

/** Splits `namespace/name`. */
export function splitRef(reference: string): {namespace: string; name: string} {
  const slash = reference.indexOf('/');
  return {namespace: reference.slice(0, slash), name: reference.slice(slash + 1)};
}
