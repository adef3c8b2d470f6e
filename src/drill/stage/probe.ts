import {PraError} from '../../errors.ts';
import type {PlanProbe} from '../../plan/schema.ts';
import type {ProbeContext} from '../../probe/probe.ts';
import {runProbe} from '../../probe/run.ts';
import type {StepDefinition} from '../graph.ts';
import type {DrillRun} from '../run-state.ts';

/** One step for each probe; they look at the same time. The last required one to pass sets T5. */
export function probeSteps(run: DrillRun, dependsOn: string[]): StepDefinition[] {
  const probes = run.plan.spec.probes.filter(probe => (probe.modes ?? [run.mode]).includes(run.mode));
  const waiting = new Set(probes.filter(probe => probe.required).map(probe => probe.name));
  return probes.map(probe => ({
    id: `probe/${probe.name}`,
    name: `probe: ${probe.name}`,
    phase: 'probe',
    dependsOn,
    // One probe says nothing about another: all have their say, whatever one of them found.
    onFailure: 'continue',
    run: async step => {
      const result = await runProbe(probe, contextOf(run, probe), {
        signal: step.signal,
        onSample: sample => {
          if (sample.outcome !== 'passed') {
            step.attempt();
            step.progress(sample.message);
          }
        },
      });
      run.log.probes.push(result);
      if (result.verdict === 'passed') {
        waiting.delete(probe.name);
        if (waiting.size === 0) run.log.mark('T5');
        return result.message;
      }
      throw result.verdict === 'failed'
        ? new PraError('PROBE_FAILED', result.message, {
            next: [
              `if the source answers as probe ${probe.name} expects, the recovery did not bring it back: see the steps and findings before it`,
              `otherwise mend spec.probes, ${probe.name}`,
            ],
          })
        : new PraError('PROBE_INCONCLUSIVE', result.message, {
            next: [`find out why probe ${probe.name} had no answer, or raise its policy.timeout`],
          });
    },
  }));
}

function contextOf(run: DrillRun, probe: PlanProbe): ProbeContext {
  const {target} = run.needTarget();
  const expected = run.expectedCanary;
  return {
    cluster: target,
    workloads: groups => run.workloadsOf(groups),
    baselines: new Map(run.needSnapshot().baselines.map(({probe: name, value}) => [name, value])),
    canary:
      probe.canary && expected
        ? {...expected, sqlSecretRef: run.plan.spec.source.canary?.sql?.secretRef}
        : undefined,
  };
}
