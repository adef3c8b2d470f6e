import type {Cluster} from '../cluster/client.ts';
import {discoverResources} from '../cluster/discover.ts';
import {readIdentity} from '../cluster/identity.ts';
import {listAll} from '../cluster/list.ts';
import {groupKind} from '../snapshot/exclude.ts';
import {stringAt} from '../std/json-at.ts';
import type {RestoreTarget} from './rules/rule.ts';

const IS_DEFAULT = 'storageclass.kubernetes.io/is-default-class';

/**
 * Reads what a restore must know of the cluster that it writes into; discovery is fresh each time.
 * @throws PraError CLUSTER_*.
 */
export async function readTargetFacts(
  cluster: Cluster,
  {signal}: {signal: AbortSignal},
): Promise<RestoreTarget> {
  const [resourceTypes, identity] = await Promise.all([
    discoverResources(cluster, {signal}),
    readIdentity(cluster, {signal}),
  ]);
  const storageType = resourceTypes.find(type => groupKind(type) === 'StorageClass.storage.k8s.io');
  const classes = storageType ? await listAll(cluster, storageType, {signal}) : [];
  const storageClasses = classes.map(object => ({
    name: object.metadata.name,
    isDefault: stringAt(object, 'metadata', 'annotations', IS_DEFAULT) === 'true',
  }));
  return {resourceTypes, storageClasses, version: identity.version};
}
