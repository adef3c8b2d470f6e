import {PraError} from '../../errors.ts';
import {verifyPacks} from '../../repository/verify.ts';
import {planClaims} from '../../restore/claim-groups.ts';
import {type RestoreEvent, restoreWaves} from '../../restore/run.ts';
import {readTargetFacts} from '../../restore/target-facts.ts';
import type {StepDefinition, StepHandle} from '../graph.ts';
import {planRun} from '../plan-run.ts';
import type {DrillRun} from '../run-state.ts';
import {fillVolumes} from './volumes.ts';

/** Reads the whole recovery point before anything is written, so that a damaged one is found while nothing is lost. */
export function verifyStep(run: DrillRun, dependsOn: string[]): StepDefinition {
  return {
    id: 'verify',
    name: 'restore: verify the recovery point',
    phase: 'restore',
    dependsOn,
    run: async step => {
      const snapshot = run.needSnapshot();
      await verifyPacks(run.repository, snapshot, {signal: step.signal});
      return `${snapshot.counts.objects} objects, every byte as it was written`;
    },
  };
}

/** Works out what will be created, in which order and changed how, for exactly this target. */
export function previewStep(run: DrillRun): StepDefinition {
  return {
    id: 'preview',
    name: 'restore: plan the order',
    phase: 'restore',
    dependsOn: ['verify', 'guard'],
    run: async step => {
      const {target} = run.needTarget();
      const facts = await readTargetFacts(target, {signal: step.signal});
      const plan = await planRun({
        repository: run.repository,
        snapshot: run.needSnapshot(),
        plan: run.plan,
        mode: run.mode,
        target: facts,
        signal: step.signal,
      });
      run.restorePlan = plan;
      run.claimsBefore = facts.claims ?? new Set();
      run.claims = await planClaims(plan, run.needSnapshot().volumes);
      for (const ref of run.claims.flatMap(({refs}) => refs)) run.unfilled.add(ref);
      for (const finding of plan.findings) {
        run.log.finding({
          severity:
            finding.severity === 'error' ? 'critical' : finding.severity === 'warning' ? 'medium' : 'info',
          title: finding.message,
          cause: finding.message,
          object: finding.ref,
          next:
            finding.severity === 'error'
              ? run.mode === 'drill'
                ? 'mend it in the source or in the plan, take a new snapshot and drill again'
                : 'mend it in the target; what stands against it is in the failures of this record'
              : 'check whether this is what you want',
        });
        if (finding.severity === 'error') run.failures.push(finding.message);
      }
      for (const [number, name, items] of guardsByNumber(plan.guards)) {
        run.log.guard({
          number,
          name,
          state: 'applied',
          detail: [...new Set(items.map(item => item.what))].join('; '),
          count: items.length,
        });
      }
      for (const entry of plan.notTested) run.log.notTested.push(entry);
      return `${plan.waves.length} waves, ${plan.changes.length} changes, ${plan.skipped.length} left out`;
    },
  };
}

function guardsByNumber<T extends {number: number; name: string}>(
  guards: readonly T[],
): [number, string, T[]][] {
  return [...Map.groupBy(guards, guard => guard.number)].map(([number, items]) => [
    number,
    items[0]?.name ?? '',
    items,
  ]);
}

/** Creates every object that has to be there before workloads start. */
export function objectsStep(run: DrillRun): StepDefinition {
  return {
    id: 'objects',
    name: 'restore: objects',
    phase: 'restore',
    dependsOn: ['preview'],
    run: async step => {
      const {target} = run.needTarget();
      const outcomes = await restoreWaves({
        cluster: target,
        plan: run.needRestorePlan(),
        existing: run.existing,
        when: 'before-groups',
        uids: run.uids,
        signal: step.signal,
        onEvent: event => tell(step, event),
      });
      for (const outcome of outcomes) run.outcomes.push(outcome);
      const failed = outcomes.filter(outcome => outcome.outcome === 'failed');
      run.failures.push(
        ...failed.map(
          outcome => `${outcome.ref} could not be restored: ${outcome.reason ?? 'no reason given'}`,
        ),
      );
      if (failed.length > 0 && failed.length === outcomes.length) {
        throw new PraError('RESTORE_FAILED', 'none of the objects could be restored', {
          why: failed[0]?.reason,
        });
      }
      run.log.mark('T2');
      // A plan that was changed since has no steps for what the snapshot holds; nothing may start on volumes that are empty.
      if (!run.hasClaims && run.claims.length > 0) await fillVolumes(run, run.claims, step);
      return `${outcomes.length - failed.length} objects${failed.length > 0 ? `, ${failed.length} failed` : ''}`;
    },
  };
}

/** Admission webhooks and APIServices: last, when what stands behind them is ready. */
export function lateObjectsStep(run: DrillRun, dependsOn: string[]): StepDefinition {
  return {
    id: 'late-objects',
    name: 'restore: webhooks and API services',
    phase: 'restore',
    dependsOn,
    run: async step => {
      const {target} = run.needTarget();
      const outcomes = await restoreWaves({
        cluster: target,
        plan: run.needRestorePlan(),
        existing: run.existing,
        when: 'after-groups',
        uids: run.uids,
        signal: step.signal,
        onEvent: event => tell(step, event),
      });
      for (const outcome of outcomes) run.outcomes.push(outcome);
      return `${outcomes.length} objects`;
    },
  };
}

export function tell(step: StepHandle, event: RestoreEvent): void {
  switch (event.type) {
    case 'wave-started':
      step.progress(`${event.wave}: ${event.objects} objects`);
      break;
    case 'waiting':
      step.progress(`waiting for ${event.waitingFor}`);
      break;
    case 'workload-started':
      step.progress(`${event.ref} started`);
      break;
    case 'workload-healthy':
      step.progress(`${event.ref} healthy`);
      break;
    case 'warning':
    case 'volume':
      step.progress(event.message);
      break;
    case 'object':
    case 'wave-ended':
      break;
  }
}
