import type {Plan} from '../plan/schema.ts';
import type {Repository} from '../repository/repository.ts';
import type {SnapshotRoot} from '../repository/snapshot-root.ts';
import {savedVolumes} from '../restore/findings.ts';
import {policyOfPlan} from '../restore/policy.ts';
import {planRestore, type RestorePlan} from '../restore/preview.ts';
import type {RestoreMode, RestoreTarget} from '../restore/rules/rule.ts';
import {snapshotSource} from '../restore/source.ts';

export interface PlanRunOptions {
  repository: Repository;
  snapshot: SnapshotRoot;
  plan: Plan;
  mode: RestoreMode;
  target: RestoreTarget;
  signal: AbortSignal;
}

/** Works out what a run of a plan restores: the whole snapshot, by the policies of the plan. */
export async function planRun({
  repository,
  snapshot,
  plan,
  mode,
  target,
  signal,
}: PlanRunOptions): Promise<RestorePlan> {
  return planRestore({
    objects: await snapshotSource(repository, snapshot, {signal}),
    mode,
    target,
    policy: policyOfPlan(plan),
    volumes: savedVolumes(snapshot),
  });
}
