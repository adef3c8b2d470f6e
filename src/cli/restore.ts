import {type Cluster, connectCluster} from '../cluster/client.ts';
import {readIdentity} from '../cluster/identity.ts';
import type {ResourceType} from '../cluster/object.ts';
import {PraError} from '../errors.ts';
import type {LoadedPlan} from '../plan/load.ts';
import type {Repository} from '../repository/repository.ts';
import type {SnapshotRoot} from '../repository/snapshot-root.ts';
import type {ExistingChoice} from '../restore/existing-policy.ts';
import {savedVolumes} from '../restore/findings.ts';
import type {NamespaceMap} from '../restore/namespace-map.ts';
import {EMPTY_POLICY, policyOfPlan, type RestorePolicy} from '../restore/policy.ts';
import {planRestore, type RestorePlan} from '../restore/preview.ts';
import type {PruneScope} from '../restore/prune.ts';
import type {RestoreMode, RestoreTarget} from '../restore/rules/rule.ts';
import {selectedSource} from '../restore/select.ts';
import {groupKind, groupKindOf} from '../snapshot/exclude.ts';
import {compileSelect, type SnapshotSelect} from '../snapshot/select.ts';
import {withDeadline} from '../std/wait.ts';

const TARGET_ANSWERS_MS = 15_000;

/** The cluster that a restore writes into. */
export interface OpenTarget {
  cluster: Cluster;
  uid: string;
  version: string;
}

/**
 * Connects to the target and asks who it is. A target is always named: a restore into whichever context happens to be
 * the current one is how the wrong cluster is overwritten.
 * @throws PraError USAGE when none is named, KUBECONFIG_INVALID, CLUSTER_*
 */
export async function connectTarget(
  named: {context?: string | undefined; kubeconfig?: string | undefined},
  userAgent: string,
  signal: AbortSignal,
): Promise<OpenTarget> {
  if (named.context === undefined && named.kubeconfig === undefined)
    throw new PraError('USAGE', 'no target was named', {
      why: 'the current context is never taken for it',
      next: ['name it: --to CONTEXT', 'or by its own file: --to-kubeconfig FILE'],
    });
  const cluster = await connectCluster({...named, userAgent});
  try {
    const identity = await readIdentity(cluster, {signal: withDeadline(TARGET_ANSWERS_MS, signal)});
    return {cluster, uid: identity.uid, version: identity.version};
  } catch (error) {
    await cluster.close();
    throw error;
  }
}

export interface PlanOptions {
  repository: Repository;
  root: SnapshotRoot;
  loaded: LoadedPlan | undefined;
  target: RestoreTarget;
  mode: RestoreMode;
  select: SnapshotSelect;
  namespaces: NamespaceMap;
  /** Claims whose data the snapshot does not hold may come back empty. */
  allowEmptyVolumes: boolean;
  signal: AbortSignal;
}

/** Works out a restore as the flags, and the plan file if there is one, say it. */
export async function planByFlags(options: PlanOptions): Promise<RestorePlan> {
  const {repository, root, loaded, target, mode, select, namespaces, signal} = options;
  const policy: RestorePolicy = loaded ? policyOfPlan(loaded.plan) : EMPTY_POLICY;
  const plan = await planRestore({
    objects: await selectedSource(repository, root, select, {signal}),
    mode,
    target,
    policy,
    namespaces,
    ...(options.allowEmptyVolumes ? {} : {volumes: movedVolumes(root, namespaces)}),
  });
  if (plan.expected === 0)
    throw new PraError('OBJECT_NOT_FOUND', `snapshot ${root.id} has no object that fits the selection`, {
      next: [`pra snapshot show ${root.id}`],
    });
  return plan;
}

/** Volumes under the namespaces that they come back in. */
const movedVolumes = (root: SnapshotRoot, namespaces: NamespaceMap) =>
  savedVolumes(root).map(({namespace, pvcs}) => ({namespace: namespaces[namespace] ?? namespace, pvcs}));

/** Where the restored part of the target ends, for what a restore with `prune` deletes. */
export function pruneScope(
  plan: RestorePlan,
  select: SnapshotSelect,
  existing: ExistingChoice,
): PruneScope | undefined {
  const named = Object.keys(existing.kinds).filter(kind => existing.kinds[kind] === 'prune');
  if (existing.all !== 'prune' && named.length === 0) return undefined;
  const items = plan.waves.flatMap(wave => wave.items);
  const kinds = new Set(items.map(({object}) => groupKindOf(object)));
  const namespaces = new Set(items.map(({namespace}) => namespace).filter(namespace => namespace !== ''));
  const isNamed = (type: ResourceType) =>
    named.includes(type.kind.toLowerCase()) || named.includes(groupKind(type).toLowerCase());
  return {
    namespaces: [...namespaces],
    covers: type => kinds.has(groupKind(type)) || isNamed(type),
    selection: compileSelect({...select, namespaces: ['*']}),
  };
}
