import {rm} from 'node:fs/promises';
import {join} from 'node:path';
import {PraError} from '../errors.ts';
import {isSameProcess} from '../std/pid.ts';
import {waitFor} from '../std/wait.ts';
import {destroyTarget} from '../terraform/run.ts';
import {removeStrayLocalCluster} from './clean-local.ts';
import {type DrillSummary, listDrills, mayHaveTarget, runDir} from './history.ts';
import {openJournal, readJournal} from './journal.ts';
import {TARGET_KUBECONFIG} from './recovery.ts';

const TERRAFORM_STOP_MS = 150_000;

export interface CleanOptions {
  signal: AbortSignal;
  timeoutMs: number;
  /** Destroys the target of a real recovery too, which is meant to stay. */
  recovery?: boolean;
  onProgress?: (message: string) => void;
}

/** Runs whose process is gone and that may have left a target. */
export async function listLeftovers(): Promise<DrillSummary[]> {
  const drills = await listDrills();
  return drills.filter(drill => drill.dirty && drill.state !== 'running');
}

/**
 * Destroys what an interrupted run left, from its journal alone: waits for or stops a terraform that outlived it,
 * destroys the target, and marks the run as cleaned. Calling it again does no harm.
 * @throws PraError CLEANUP_FAILED; the run stays listed and can be cleaned again.
 */
export async function cleanDrill(drillId: string, options: CleanOptions): Promise<void> {
  const dir = runDir(drillId);
  const entries = readJournal(dir);
  const run = entries.find(entry => entry.act === 'run');
  if (run && isSameProcess(run.pid, run.pidStartedAt)) {
    throw new PraError('DRILL_LOCKED', `drill ${drillId} is running`, {
      next: [`stop it first: kill -INT ${run.pid}`],
    });
  }
  await rm(join(dir, TARGET_KUBECONFIG), {force: true});
  if (!mayHaveTarget(entries)) return;
  if (run?.mode === 'recover' && !options.recovery)
    throw new PraError('USAGE', `${drillId} is a recovery: its target is in service`, {
      next: [`if it is really to be destroyed: pra drill clean ${drillId} --confirm ${run.plan}`],
    });
  for (const entry of entries) {
    if (entry.act === 'terraform') await stopTerraform(entry.pid, entry.pidStartedAt, options);
  }
  const target = entries.find(entry => entry.act === 'target');
  if (!target) return;
  const journal = openJournal(dir);
  try {
    options.onProgress?.(`terraform destroy of ${target.moduleDir}`);
    await destroyTarget(
      {...target},
      {
        signal: options.signal,
        timeoutMs: options.timeoutMs,
        onLine: line => options.onProgress?.(line),
        onSpawn: () => undefined,
      },
    );
    await removeStrayLocalCluster(target, options.signal);
    journal.append({act: 'destroyed'});
  } catch (error) {
    throw new PraError('CLEANUP_FAILED', `what drill ${drillId} left could not be removed`, {
      why: error instanceof PraError ? `${error.message}${error.why ? `: ${error.why}` : ''}` : undefined,
      next: [`pra drill clean ${drillId}`, `the state of the target is in ${target.dir}`],
      cause: error,
    });
  } finally {
    journal.close();
  }
}

/** A terraform that outlived its run is asked to stop, because only its own orderly end writes a state that names all it made. */
async function stopTerraform(pid: number, startedAt: string, options: CleanOptions): Promise<void> {
  if (!isSameProcess(pid, startedAt)) return;
  options.onProgress?.(`stopping terraform (pid ${pid}) that outlived its run`);
  process.kill(pid, 'SIGINT');
  await waitFor(async () => (isSameProcess(pid, startedAt) ? undefined : true), {
    waitingFor: `terraform (pid ${pid}) to stop`,
    timeoutMs: TERRAFORM_STOP_MS,
    signal: options.signal,
  });
}
