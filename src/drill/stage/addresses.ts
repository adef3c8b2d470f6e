import {CORE_TYPES} from '../../cluster/core-types.ts';
import {listAll} from '../../cluster/list.ts';
import type {KubeObject} from '../../cluster/object.ts';
import {arrayAt, stringAt} from '../../std/json-at.ts';
import type {StepDefinition} from '../graph.ts';
import type {DrillRun} from '../run-state.ts';

const PUBLISHED = [CORE_TYPES.Service, CORE_TYPES.Ingress];

/** After a recovery: the addresses that load balancers got in the target, which DNS has to follow. */
export function addressesStep(run: DrillRun, dependsOn: string[]): StepDefinition {
  return {
    id: 'addresses',
    name: 'finally: addresses for DNS',
    phase: 'finally',
    dependsOn,
    always: true,
    run: async step => {
      const {target} = run;
      const namespaces = new Set(run.snapshot?.namespaces);
      if (!target || !run.restorePlan) return 'nothing was recovered';
      const found: string[] = [];
      for (const type of PUBLISHED)
        for (const object of await listAll(target, type, {signal: step.signal}))
          if (namespaces.has(object.metadata.namespace ?? '') && isPublished(object))
            found.push(tellOf(object));
      for (const sentence of found)
        run.log.finding({
          severity: 'info',
          title: sentence,
          cause: 'load balancers of another cluster have other addresses',
          next: 'let the DNS names that lead to it follow',
        });
      return found.length === 0 ? 'nothing is published' : found.join('; ');
    },
  };
}

const isPublished = (object: KubeObject) =>
  object.kind !== 'Service' || stringAt(object, 'spec', 'type') === 'LoadBalancer';

function tellOf(object: KubeObject): string {
  const {namespace, name} = object.metadata;
  const hosts = arrayAt(object, 'spec', 'rules').flatMap(rule => stringAt(rule, 'host') ?? []);
  const addresses = arrayAt(object, 'status', 'loadBalancer', 'ingress').flatMap(
    ingress => stringAt(ingress, 'ip') ?? stringAt(ingress, 'hostname') ?? [],
  );
  const at = addresses.length > 0 ? `is at ${addresses.join(', ')}` : 'has no address yet';
  const of = hosts.length > 0 ? ` (${hosts.join(', ')})` : '';
  return `${object.kind} ${namespace}/${name}${of} ${at}`;
}
