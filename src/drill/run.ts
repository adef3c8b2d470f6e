import {join} from 'node:path';
import type {Cluster} from '../cluster/client.ts';
import type {DrillRecord} from '../evidence/record.ts';
import {orderGroups} from '../plan/graph.ts';
import type {LoadedPlan} from '../plan/load.ts';
import type {Repository} from '../repository/repository.ts';
import {type Clock, systemClock} from '../std/clock.ts';
import {stateDir} from '../std/paths.ts';
import {pidStartedAt} from '../std/pid.ts';
import type {Restic} from '../volume/restic.ts';
import {conclude} from './conclude.ts';
import {newDrillId, RunLog} from './context.ts';
import type {DrillEvent, DrillListener} from './event.ts';
import {identityOf, runGraph, type StepDefinition} from './graph.ts';
import {runDir} from './history.ts';
import {type Journal, openJournal} from './journal.ts';
import {lockPlan} from './lock.ts';
import type {FinishedRun} from './record.ts';
import type {Recovery} from './recovery.ts';
import {DrillRun, type SnapshotChoice} from './run-state.ts';
import {addressesStep} from './stage/addresses.ts';
import {cleanupStep} from './stage/cleanup.ts';
import {collectStep} from './stage/collect.ts';
import {connectStep} from './stage/existing-target.ts';
import {groupSteps} from './stage/group.ts';
import {probeSteps} from './stage/probe.ts';
import {lateObjectsStep, objectsStep, previewStep, verifyStep} from './stage/restore.ts';
import {snapshotStep} from './stage/snapshot.ts';
import {applyStep, guardStep} from './stage/target.ts';
import {volumesStep} from './stage/volumes.ts';

export interface RunDrillOptions {
  loaded: LoadedPlan;
  repository: Repository;
  restic: Restic;
  connectSource: () => Promise<Cluster>;
  choice: SnapshotChoice;
  /** Makes it a real recovery. */
  recovery?: Recovery | undefined;
  toolVersion: string;
  trigger: DrillRecord['identity']['trigger'];
  reason?: string | undefined;
  signal: AbortSignal;
  listener: DrillListener;
  /** Told the id as soon as there is one, for what Ctrl-C has to say. */
  onId?: (drillId: string) => void;
  clock?: Clock;
}

/**
 * Runs a drill from the recovery point to the destroyed target, or a recovery to the verified one, and writes its
 * evidence, whatever happens in between.
 * @returns the sealed record, the exit code that fits its verdict, and where the bundle lies.
 * @throws PraError DRILL_LOCKED, PLAN_CYCLE, DISK_FULL: what is wrong before anything was touched.
 */
export async function runDrill(options: RunDrillOptions): Promise<FinishedRun> {
  const clock = options.clock ?? systemClock;
  const {plan, hash, file} = options.loaded;
  const groupOrder = orderGroups(plan.spec.groups).flat();
  const startedAt = clock.now();
  const drillId = newDrillId(startedAt);
  const dir = runDir(drillId);
  const release = lockPlan(join(stateDir(), 'locks'), plan.metadata.name, drillId);
  const journal = openJournal(dir);
  try {
    options.onId?.(drillId);
    const pid = {pid: process.pid, pidStartedAt: pidStartedAt(process.pid) ?? 'unknown'};
    const mode = options.recovery ? 'recover' : 'drill';
    journal.append({
      act: 'run',
      drillId,
      mode,
      plan: plan.metadata.name,
      planFile: file,
      planHash: hash,
      ...pid,
    });
    const listener = journaling(journal, options.listener);
    const log = new RunLog(clock, journal, listener);
    const run = new DrillRun({
      drillId,
      dir,
      recovery: options.recovery,
      loaded: options.loaded,
      repository: options.repository,
      restic: options.restic,
      connectSource: options.connectSource,
      choice: options.choice,
      journal,
      log,
      userAgent: `pra/${options.toolVersion} ${mode}/${drillId}`,
      toolVersion: options.toolVersion,
      groupOrder,
    });
    const steps = defineSteps(run);
    listener({
      type: 'run-started',
      drillId,
      mode,
      plan: plan.metadata.name,
      runDir: dir,
      steps: steps.map(identityOf),
      at: startedAt.toISOString(),
    });
    const outcomes = await runGraph(steps, {signal: options.signal, clock, listener}).finally(() =>
      run.close(),
    );
    const finished = await conclude(run, outcomes, {
      trigger: options.trigger,
      reason: options.reason,
      aborted: options.signal.aborted,
      startedAt,
      clock,
    });
    journal.append({act: 'end', verdict: finished.record.verdict.result});
    listener({
      type: 'run-ended',
      drillId,
      mode,
      verdict: finished.record.verdict.result,
      at: clock.now().toISOString(),
    });
    return finished;
  } finally {
    journal.close();
    release();
  }
}

/**
 * Every step of a run. What runs side by side: Terraform brings up the target while the recovery point is verified. A
 * recovery differs in where it goes to, and in that the target stays.
 */
function defineSteps(run: DrillRun): StepDefinition[] {
  const groups = groupSteps(run);
  const unmounted = run.hasClaims ? [volumesStep(run, undefined)] : [];
  const afterGroups = [
    ...(groups.length > 0 ? groups.map(step => step.id) : ['objects']),
    ...unmounted.map(({id}) => id),
  ];
  const probes = probeSteps(run, ['late-objects']);
  const recovered = [...afterGroups, 'late-objects', ...probes.map(step => step.id)];
  const collect = collectStep(run, recovered);
  return [
    snapshotStep(run),
    targetStep(run, ['snapshot']),
    verifyStep(run, ['snapshot']),
    guardStep(run),
    previewStep(run),
    objectsStep(run),
    ...unmounted,
    ...groups,
    lateObjectsStep(run, afterGroups),
    ...probes,
    collect,
    ...(run.mode === 'drill' ? [cleanupStep(run, [collect.id])] : [addressesStep(run, recovered)]),
  ];
}

function targetStep(run: DrillRun, dependsOn: string[]): StepDefinition {
  const destination = run.recovery?.destination;
  return destination?.kind === 'cluster'
    ? connectStep(run, destination, dependsOn)
    : applyStep(run, dependsOn);
}

function journaling(journal: Journal, listener: DrillListener): DrillListener {
  const names = new Map<string, string>();
  return (event: DrillEvent) => {
    if (event.type === 'run-started') for (const step of event.steps) names.set(step.id, step.name);
    if (event.type === 'step-started')
      journal.append({act: 'step', id: event.id, name: names.get(event.id) ?? event.id});
    if (event.type === 'step-ended')
      journal.append({act: 'step-end', id: event.id, result: event.result, message: event.message});
    listener(event);
  };
}
