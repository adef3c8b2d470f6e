import type {Cluster} from '../cluster/client.ts';
import {planRun} from '../drill/plan-run.ts';
import type {SnapshotChoice} from '../drill/run-state.ts';
import {PraError} from '../errors.ts';
import type {LoadedPlan} from '../plan/load.ts';
import type {Repository} from '../repository/repository.ts';
import {findRoot, type SnapshotRoot} from '../repository/snapshot-root.ts';
import type {ExistingChoice} from '../restore/existing-policy.ts';
import {readTargetFacts} from '../restore/target-facts.ts';
import {parseDuration} from '../std/duration.ts';
import {renderDeclaration} from '../view/recover.ts';
import {confirmWord} from './confirm.ts';
import type {OpenTarget} from './restore.ts';
import {risksOf} from './restore-confirm.ts';

export interface ConfirmRecoveryOptions {
  loaded: LoadedPlan;
  repository: Repository;
  choice: SnapshotChoice;
  existing: ExistingChoice;
  /** The cluster that is recovered into; a new one when it is not given. */
  target: OpenTarget | undefined;
  /** What `--confirm` said. */
  given: string | undefined;
  note: (text: string) => void;
  signal: AbortSignal;
}

/**
 * Says loudly what is about to happen, and has it confirmed: by the name of the plan, and by that of the target where
 * that is in use.
 * @returns the choice, with the snapshot that was confirmed: a newer one may come meanwhile
 * @throws PraError USAGE, SNAPSHOT_NOT_FOUND, CLUSTER_*
 */
export async function confirmRecovery(options: ConfirmRecoveryOptions): Promise<SnapshotChoice> {
  const {loaded, repository, choice, existing, target, given, note, signal} = options;
  const {plan} = loaded;
  const reference = choice.policy === 'id' ? choice.id : 'latest';
  const snapshot = await findRoot(repository, reference, {plan: plan.metadata.name, signal});
  const {risks, findings} = target
    ? await lookAt(target.cluster, {...options, snapshot, uid: target.uid})
    : {risks: [], findings: []};
  const inUse = target !== undefined && risks.length > 0;
  const word = inUse ? target.cluster.context : plan.metadata.name;
  const declaration = renderDeclaration({
    plan,
    snapshot,
    now: new Date(),
    into: target
      ? `${target.cluster.context} (${target.cluster.server}, Kubernetes ${target.version}, kube-system ${target.uid})`
      : `a new cluster by ${plan.spec.target.terraform.dir}, which stays`,
    existing: inUse ? existing : undefined,
    risks,
    findings,
  });
  note(declaration);
  await confirmWord({word, given, what: inUse ? 'the target' : 'the plan', signal});
  return choice.policy === 'id' ? choice : {policy: 'latest', id: snapshot.id};
}

async function lookAt(
  cluster: Cluster,
  options: ConfirmRecoveryOptions & {snapshot: SnapshotRoot; uid: string},
): Promise<{risks: string[]; findings: string[]}> {
  const {repository, snapshot, loaded, existing, uid, signal} = options;
  const target = await readTargetFacts(cluster, {signal});
  const plan = await planRun({repository, snapshot, plan: loaded.plan, mode: 'recover', target, signal});
  const errors = plan.findings.filter(({severity}) => severity === 'error').map(({message}) => message);
  return {
    risks: risksOf({plan, target, existing, isSource: snapshot.source.uid === uid}),
    findings: [...new Set(errors)],
  };
}

/**
 * When the disaster was declared: a time, or how long ago that is, such as `20m`.
 * @throws PraError USAGE for what is neither, or lies in the future
 */
export function parseDeclaredAt(text: string, now: Date): Date {
  const ago = parseDuration(text);
  const at = ago === undefined ? new Date(text) : new Date(now.getTime() - ago);
  const next = ['such as 2026-01-31T03:12:00Z, or 20m for twenty minutes ago'];
  if (Number.isNaN(at.getTime()))
    throw new PraError('USAGE', `--declared-at ${text} is neither a time nor a duration`, {next});
  if (at > now) throw new PraError('USAGE', `--declared-at ${text} lies in the future`, {next});
  return at;
}
