import {EXIT, type ExitCode, PraError} from '../errors.ts';
import type {LoadedPlan} from '../plan/load.ts';
import type {OpenStoreOptions} from '../repository/open.ts';
import type {Repository} from '../repository/repository.ts';
import {type SnapshotRoot, volumeName} from '../repository/snapshot-root.ts';
import {verifyPacks} from '../repository/verify.ts';
import {planClaims} from '../restore/claim-groups.ts';
import {type ExecuteOptions, executeRestore, type RestoreResult} from '../restore/execute.ts';
import {existingPolicyOf} from '../restore/existing-policy.ts';
import {VolumeFilling} from '../restore/fill-volumes.ts';
import {type ReadRestore, RestoreJournal} from '../restore/journal.ts';
import type {RestorePlan} from '../restore/preview.ts';
import type {RestoreRequest} from '../restore/request.ts';
import {readTargetFacts} from '../restore/target-facts.ts';
import type {ProgressOptions} from '../view/progress.ts';
import {openRestoreProgress} from '../view/restore-progress.ts';
import {DEFAULT_MOVER_SETTINGS, moverSettings} from '../volume/mover/settings.ts';
import {openRestic} from '../volume/restic.ts';
import {type OpenTarget, planByFlags, pruneScope} from './restore.ts';
import {confirmRisks, risksOf} from './restore-confirm.ts';

export interface RunRestoreOptions {
  repository: Repository;
  /** How its store was opened. */
  store: OpenStoreOptions;
  root: SnapshotRoot;
  loaded: LoadedPlan | undefined;
  target: OpenTarget;
  request: RestoreRequest;
  /** The restore that is gone on with; a new one when it is not given. */
  earlier: ReadRestore | undefined;
  /** What `--confirm` said. */
  confirm: string | undefined;
  despiteFindings: boolean;
  readyTimeoutMs: number;
  waitMs: number | undefined;
  signal: AbortSignal;
  view: ProgressOptions;
  note: (text: string) => void;
  /** Told the id as soon as there is one, for what Ctrl-C has to say. */
  onId: (id: string) => void;
}

export interface FinishedRestore extends RestoreResult {
  id: string;
  plan: RestorePlan;
}

/**
 * Carries a restore out for a person or a script: checks every byte, works out the plan, refuses what would not be whole, has
 * the target confirmed, and shows the progress on stderr.
 * @throws PraError what stands against it before the first write; what goes wrong later is in the result
 */
export async function runRestore(options: RunRestoreOptions): Promise<FinishedRestore> {
  const {repository, root, loaded, target, request, earlier, signal, note} = options;
  note(`checking every byte of snapshot ${root.id}`);
  await verifyPacks(repository, root, {signal});
  const facts = await readTargetFacts(target.cluster, {signal});
  const plan = await planByFlags({...request, repository, root, loaded, target: facts, signal});
  refuseUnwhole(plan, options);
  if (!earlier) {
    const {context, server} = target.cluster;
    const isSource = root.source.uid === target.uid;
    await confirmRisks(risksOf({plan, target: facts, existing: request.existing, isSource}), {
      word: context,
      given: options.confirm,
      where: `${context} (${server}, Kubernetes ${target.version}, kube-system ${target.uid})`,
      signal,
    });
  }
  const journal = earlier ? await RestoreJournal.resume(earlier.id) : await RestoreJournal.begin(request);
  options.onId(journal.id);
  const volumes = await volumesOf(plan, options, journal.id);
  const progress = openRestoreProgress(options.view, plan);
  const result = await executeRestore({
    cluster: target.cluster,
    plan,
    target: facts,
    existing: existingPolicyOf(request.existing),
    prune: pruneScope(plan, request.select, request.existing),
    volumes,
    journal,
    done: earlier?.done,
    readyTimeoutMs: options.readyTimeoutMs,
    waitMs: options.waitMs,
    signal,
    onEvent: event => progress.listener(event),
    onHealth: health => progress.onHealth(health),
  }).finally(async () => {
    await progress.end();
    await journal.close();
  });
  return {...result, id: journal.id, plan};
}

/** The claims that get their data; what moves it is started only when there are any. */
async function volumesOf(
  plan: RestorePlan,
  {repository, store, root, loaded, target, request, signal, note}: RunRestoreOptions,
  run: string,
): Promise<ExecuteOptions['volumes']> {
  if (request.withoutVolumes) return undefined;
  const claims = await planClaims(plan, root.volumes);
  const restored = new Set(plan.waves.flatMap(({items}) => items.map(item => placeOf(item.origin ?? item))));
  const dumps = root.volumes
    .filter(
      ({method, namespace, pvcs}) =>
        method === 'dump' && pvcs.some(name => restored.has(placeOf({namespace, name}))),
    )
    .map(volumeName);
  if (dumps.length > 0)
    note(`dumps come back with pra recover or a drill, when their workloads run: ${dumps.join(', ')}`);
  if (claims.length === 0) return undefined;
  const restic = await openRestic({repository, store, signal});
  const settings = loaded ? moverSettings(loaded.plan) : DEFAULT_MOVER_SETTINGS;
  const filling = new VolumeFilling({
    cluster: target.cluster,
    restic,
    settings,
    run,
  });
  return {claims, filling};
}

const placeOf = ({namespace, name}: {namespace: string; name: string}) => `${namespace}/${name}`;

/** @throws PraError RESTORE_REFUSED when the restore could not be whole, and nobody said to begin nevertheless */
function refuseUnwhole({findings}: RestorePlan, {despiteFindings, note}: RunRestoreOptions): void {
  const errors = [
    ...new Set(findings.filter(({severity}) => severity === 'error').map(({message}) => message)),
  ];
  if (errors.length === 0) return;
  if (despiteFindings) {
    for (const message of errors) note(`finding: ${message}`);
    return;
  }
  throw new PraError('RESTORE_REFUSED', 'the restore would not be whole, so it was not begun', {
    why: errors.slice(0, 5).join('; ') + (errors.length > 5 ? `; and ${errors.length - 5} more` : ''),
    next: [
      'see all of it: pra restore preview',
      ...(errors.some(message => message.includes('holds no data'))
        ? ['let volumes come back empty: --allow-empty-volumes']
        : []),
      'begin nevertheless: --despite-findings',
    ],
  });
}

/** Why a restore ended before its end, in one sentence; undefined when it did not, or a signal ended it. */
export const endOf = ({error}: RestoreResult): string | undefined =>
  error instanceof PraError ? [error.message, error.why].filter(Boolean).join(': ') : undefined;

/** The exit code that fits how a restore ended. */
export function exitOf({result}: RestoreResult): ExitCode {
  if (result === 'interrupted') return EXIT.interrupted;
  return result === 'incomplete' ? EXIT.failed : EXIT.ok;
}
