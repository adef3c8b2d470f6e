import {isApiError} from '../cluster/api-error.ts';
import {deleteObject} from '../cluster/apply.ts';
import type {Cluster} from '../cluster/client.ts';
import {listObjects} from '../cluster/list.ts';
import {type KubeObject, objectRef, type ResourceType} from '../cluster/object.ts';
import type {ExistingPolicy} from '../plan/schema/existing.ts';
import {groupKind, reasonToExclude} from '../snapshot/exclude.ts';
import type {Selection} from '../snapshot/select.ts';
import {mapPool} from '../std/pool.ts';
import {NEVER_RECREATED} from './create.ts';
import {keyOf} from './index-objects.ts';
import type {RestorePlan} from './preview.ts';
import {isBuiltIn} from './rules/built-in.ts';
import type {RestoreTarget} from './rules/rule.ts';

/** Which part of the target the snapshot speaks for: only there something that it does not have is one too many. */
export interface PruneScope {
  /** Namespaces of the target that the snapshot covers. */
  namespaces: readonly string[];
  /** Kinds that the snapshot has objects of, or that were named. */
  covers(type: ResourceType): boolean;
  selection?: Selection | undefined;
}

export interface PruneOptions {
  cluster: Cluster;
  plan: RestorePlan;
  target: RestoreTarget;
  existing: (object: KubeObject) => ExistingPolicy;
  scope?: PruneScope | undefined;
  signal: AbortSignal;
}

export interface PrunedObject {
  ref: string;
  type: ResourceType;
  namespace: string;
  name: string;
  uid: string | undefined;
}

const CONCURRENCY = 8;

/**
 * Finds what a restore with `prune` would delete: objects of the covered namespaces and kinds that the snapshot does not
 * have, that nothing owns, and that no cluster makes itself. Cluster-scoped objects, claims and namespaces are never
 * among them: what hangs on them is worth more than a tidy target.
 * @throws PraError CLUSTER_*
 */
export async function findPruned(options: PruneOptions): Promise<PrunedObject[]> {
  const {scope, target} = options;
  if (!scope) return [];
  const types = target.resourceTypes.filter(
    type =>
      type.namespaced &&
      type.verbs.includes('delete') &&
      scope.covers(type) &&
      NEVER_RECREATED[groupKind(type)] === undefined &&
      (scope.selection?.type(type) ?? true),
  );
  const places = types.flatMap(type => scope.namespaces.map(namespace => ({type, namespace})));
  const planned = plannedKeys(options.plan);
  const skipped = new Set(options.plan.skipped.map(({ref}) => ref));
  const isPlanned = (object: KubeObject) => planned.has(keyOf(object)) || skipped.has(objectRef(object));
  const found = await mapPool(places, CONCURRENCY, place => surplus(options, place, isPlanned));
  return found.flat();
}

function plannedKeys(plan: RestorePlan): Set<string> {
  const items = [...plan.waves.flatMap(wave => wave.items), ...plan.groups.flatMap(group => group.late)];
  return new Set(items.map(({key}) => key));
}

async function surplus(
  {cluster, plan, existing, scope, signal}: PruneOptions,
  {type, namespace}: {type: ResourceType; namespace: string},
  isPlanned: (object: KubeObject) => boolean,
): Promise<PrunedObject[]> {
  const fits = scope?.selection?.names(type) ?? (() => true);
  const labels = scope?.selection?.labels ?? (() => true);
  const found: PrunedObject[] = [];
  for await (const {objects} of listObjects(cluster, type, {namespace, signal})) {
    for (const object of objects) {
      const {name, uid, ownerReferences = []} = object.metadata;
      const isForeign =
        isPlanned(object) ||
        ownerReferences.length > 0 ||
        reasonToExclude(object) !== undefined ||
        isMadeByCluster(object) ||
        !fits(name) ||
        !labels(object);
      const policy = plan.rules.existingOf(object) ?? existing(object);
      if (!isForeign && policy === 'prune') found.push({ref: objectRef(object), type, namespace, name, uid});
    }
  }
  return found;
}

const isMadeByCluster = (object: KubeObject) =>
  (object.kind === 'ServiceAccount' && object.metadata.name === 'default') || isBuiltIn(object);

/** What became of an object that was one too many. */
export interface PruneOutcome {
  ref: string;
  outcome: 'deleted' | 'failed';
  reason?: string | undefined;
}

/** Deletes what `findPruned` found, each only if it is still that very object. */
export function pruneObjects(
  objects: readonly PrunedObject[],
  {cluster, signal}: Pick<PruneOptions, 'cluster' | 'signal'>,
): Promise<PruneOutcome[]> {
  return mapPool(objects, CONCURRENCY, async ({ref, type, namespace, name, uid}): Promise<PruneOutcome> => {
    try {
      await deleteObject(cluster, type, {name, namespace}, {uid, signal});
      return {ref, outcome: 'deleted'};
    } catch (error) {
      if (!isApiError(error)) throw error;
      return {ref, outcome: 'failed', reason: error.why ?? error.message};
    }
  });
}
