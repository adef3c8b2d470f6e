import type {Cluster} from '../cluster/client.ts';
import type {FinishedRun} from '../drill/record.ts';
import {type RunDrillOptions, runDrill} from '../drill/run.ts';
import type {SnapshotChoice} from '../drill/run-state.ts';
import type {OpenStoreOptions} from '../repository/open.ts';
import type {Repository} from '../repository/repository.ts';
import {openProgress, type ProgressOptions} from '../view/progress.ts';
import {openRestic} from '../volume/restic.ts';
import {openPlanRepository, requireSource} from './wiring.ts';

export interface RehearseOptions extends Omit<RunDrillOptions, 'repository' | 'restic' | 'listener'> {
  where: {url: string; options: OpenStoreOptions};
  connectSource: () => Promise<Cluster>;
  view: ProgressOptions;
  note: (text: string) => void;
  /** Asks before anything is made or written, and says which recovery point was confirmed; what it throws ends the run. */
  confirm?: (repository: Repository) => Promise<SnapshotChoice>;
}

/**
 * Runs a drill or a recovery for a person or a CI job: checks the source before anything is made, opens the repository, and shows the
 * progress on stderr.
 * @throws PraError what was wrong before the run began; what goes wrong in it is in the record
 */
export async function rehearse({
  where,
  view,
  note,
  confirm,
  ...options
}: RehearseOptions): Promise<FinishedRun> {
  const {choice, connectSource, signal} = options;
  const fresh = choice.policy === 'fresh';
  if (fresh) {
    const source = await connectSource();
    await requireSource(source, signal).finally(() => source.close());
  }
  const opened = await openPlanRepository(where, {create: fresh, signal});
  const {repository} = opened;
  if (opened.created) note(`made a new repository at ${where.url}`);
  const confirmed = (await confirm?.(repository)) ?? choice;
  const restic = await openRestic({repository, store: opened.options, signal});
  const progress = openProgress(view);
  const run = runDrill({...options, choice: confirmed, repository, restic, listener: progress.listener});
  const finished = await run.finally(() => progress.end());
  for (const warning of finished.warnings) note(`warning: ${warning}`);
  for (const remark of finished.remarks) note(remark);
  return finished;
}
