import type {KubeObject, ResourceType} from '../cluster/object.ts';
import {EXCLUDED_KINDS, groupKind, reasonToExclude} from '../snapshot/exclude.ts';
import {controllerOf} from '../snapshot/workload-of.ts';
import {arrayAt, at, stringAt} from '../std/json-at.ts';
import type {CustomResourceFact} from './facts.ts';

/** Custom resources that their controllers write: results and requests, which mean nothing in another cluster. */
const REMADE: ReadonlySet<string> = new Set([
  'Order.acme.cert-manager.io',
  'Challenge.acme.cert-manager.io',
  'CertificateRequest.cert-manager.io',
  'PolicyReport.wgpolicyk8s.io',
  'EphemeralReport.reports.kyverno.io',
  'VulnerabilityReport.aquasecurity.github.io',
  'ConfigAuditReport.aquasecurity.github.io',
  'ExposedSecretReport.aquasecurity.github.io',
  'RbacAssessmentReport.aquasecurity.github.io',
]);

/** The kinds that CustomResourceDefinitions define in namespaces, as they can be listed. */
export function customTypes(definitions: readonly KubeObject[]): {kept: ResourceType[]; remade: string[]} {
  const types = definitions.flatMap(typeOf);
  const remade = types.map(groupKind).filter(kind => REMADE.has(kind));
  const kept = types.filter(
    type => !REMADE.has(groupKind(type)) && !Object.hasOwn(EXCLUDED_KINDS, groupKind(type)),
  );
  return {kept, remade: remade.sort()};
}

function typeOf(definition: KubeObject): ResourceType[] {
  const group = stringAt(definition, 'spec', 'group');
  const kind = stringAt(definition, 'spec', 'names', 'kind');
  const plural = stringAt(definition, 'spec', 'names', 'plural');
  const served = arrayAt(definition, 'spec', 'versions').filter(version => at(version, 'served') === true);
  const chosen = served.find(version => at(version, 'storage') === true) ?? served[0];
  const version = stringAt(chosen, 'name');
  if (!group || !kind || !plural || !version || at(definition, 'spec', 'scope') !== 'Namespaced') return [];
  return [{group, version, kind, plural, namespaced: true, verbs: ['list'], shortNames: []}];
}

/** How many objects of a kind each namespace has, without those that another object makes. */
export function countByNamespace(type: ResourceType, objects: readonly KubeObject[]): CustomResourceFact[] {
  const kept = objects.filter(
    object => reasonToExclude(object) === undefined && controllerOf(object) === undefined,
  );
  const byNamespace = Map.groupBy(kept, object => object.metadata.namespace ?? '');
  return [...byNamespace].map(([namespace, {length: count}]) => ({
    kind: `${type.plural}.${type.group}`,
    plural: type.plural,
    namespace,
    count,
  }));
}
