import type {Plan} from '../plan/schema.ts';
import type {SnapshotSelect} from './select.ts';

/** What a plan takes into its snapshots. */
export function selectOfPlan({spec}: Plan): SnapshotSelect {
  const {include, exclude} = spec.source;
  return {
    namespaces: include.namespaces,
    excludeNamespaces: exclude?.namespaces,
    clusterScoped: include.clusterScoped,
    kinds: include.kinds,
    excludeKinds: exclude?.kinds,
    names: include.names,
    excludeNames: exclude?.names,
    selector: include.selector,
    excludeSelector: exclude?.selector,
  };
}
