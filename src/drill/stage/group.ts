import {PraError} from '../../errors.ts';
import {startGroup} from '../../restore/start.ts';
import type {StepDefinition} from '../graph.ts';
import {restoreGroupData} from '../restore-data.ts';
import type {DrillRun} from '../run-state.ts';
import {runScript} from '../script.ts';
import {type ManualStep, manualStep} from './manual.ts';
import {tell} from './restore.ts';
import {volumesStep} from './volumes.ts';

const START_TIMEOUT_MS = 10 * 60_000;

type PlanGroup = DrillRun['plan']['spec']['groups'][number];

/** The steps of all groups: start and wait for healthy, bring back the data, then the plan's own steps, one after another. */
export function groupSteps(run: DrillRun): StepDefinition[] {
  const lastStepOf = new Map<string, string>();
  const steps: StepDefinition[] = [];
  for (const name of run.groupOrder) {
    const group = run.plan.spec.groups.find(candidate => candidate.name === name);
    if (!group) continue;
    const dependsOn = ['objects', ...(group.dependsOn ?? []).flatMap(needed => lastStepOf.get(needed) ?? [])];
    const chain = chainOf(run, group, dependsOn);
    steps.push(...chain);
    lastStepOf.set(name, chain.at(-1)?.id ?? 'objects');
  }
  return steps;
}

function chainOf(run: DrillRun, group: PlanGroup, dependsOn: string[]): StepDefinition[] {
  const onFailure = group.onFailure === 'continue' ? 'continue' : 'stop';
  const chain: StepDefinition[] = [];
  const after = () => [chain.at(-1)?.id ?? ''];
  // Volumes are filled before anything mounts them, and while what the group depends on still starts.
  if (run.hasClaims) chain.push({...volumesStep(run, group.name), onFailure});
  chain.push({...startStep(run, group, [...dependsOn, ...chain.map(({id}) => id)]), onFailure});
  if (run.hasDumps) chain.push({...dataStep(run, group, after()), onFailure});
  for (const script of group.steps ?? []) {
    if (!(script.modes ?? [run.mode]).includes(run.mode)) continue;
    const step = script.manual
      ? manualStep(run, manualOf(group, script.name, script.manual), after())
      : scriptStep(run, group, script, after());
    chain.push({...step, onFailure});
  }
  return chain;
}

type PlanManual = NonNullable<NonNullable<PlanGroup['steps']>[number]['manual']>;

const manualOf = (group: PlanGroup, name: string, {text, approvers, timeout}: PlanManual): ManualStep => ({
  id: `group/${group.name}/step/${name}`,
  name,
  group: group.name,
  text,
  approvers,
  timeoutMs: timeout,
});

function startStep(run: DrillRun, group: PlanGroup, dependsOn: string[]): StepDefinition {
  return {
    id: `group/${group.name}/start`,
    name: `group ${group.name}: start and wait for healthy`,
    phase: 'group',
    group: group.name,
    dependsOn,
    run: async step => {
      const {target} = run.needTarget();
      await run.waitClaims(group.name, step);
      const started = await startGroup({
        cluster: target,
        plan: run.needRestorePlan(),
        group: group.name,
        existing: run.existing,
        timeoutMs: group.rto ?? START_TIMEOUT_MS,
        signal: step.signal,
        onEvent: event => tell(step, event),
      });
      for (const outcome of started.outcomes) run.outcomes.push(outcome);
      const sick = started.workloads.filter(
        workload => workload.state !== 'healthy' && workload.state !== 'suspended',
      );
      if (!started.healthy) {
        throw new PraError(
          'WORKLOAD_UNHEALTHY',
          sick.map(workload => `${workload.ref} is ${workload.state}: ${workload.reason}`).join('; '),
          {
            why: run.missingReferences(sick.map(workload => workload.ref)),
            next: nextForUnhealthy(sick.map(({reason}) => reason)),
          },
        );
      }
      run.groupHealthy(group.name);
      return `${started.workloads.length} workloads healthy`;
    },
  };
}

/** What mends a workload that does not start, by what its reason says. */
function nextForUnhealthy(reasons: readonly string[]): string[] {
  const says = (pattern: RegExp) => reasons.some(reason => pattern.test(reason));
  const next: string[] = [];
  if (says(/ErrImage|ImagePull|InvalidImageName/))
    next.push(
      'let the target have the image: a target of terraform/local takes docker-archive files in spec.target.terraform.vars.images (or --var images=\'["FILE.tar"]\'), another target must reach the registry',
    );
  if (says(/not found/))
    next.push(
      'add what is missing to spec.source.include, or create it in the target with a step of the group before',
    );
  if (says(/[Uu]nschedulable|Insufficient|nodes are available/))
    next.push('give the target more or larger nodes, in its Terraform module');
  if (next.length === 0)
    next.push(
      'see its events and containers in the source for the cause; if it only needs longer, raise spec.groups[].rto',
    );
  return next;
}

function dataStep(run: DrillRun, group: PlanGroup, dependsOn: string[]): StepDefinition {
  return {
    id: `group/${group.name}/data`,
    name: `group ${group.name}: restore data`,
    phase: 'group',
    group: group.name,
    dependsOn,
    run: async step => restoreGroupData(run, group.name, step),
  };
}

function scriptStep(
  run: DrillRun,
  group: PlanGroup,
  script: NonNullable<PlanGroup['steps']>[number],
  dependsOn: string[],
): StepDefinition {
  return {
    id: `group/${group.name}/step/${script.name}`,
    name: `group ${group.name}: step ${script.name}`,
    phase: 'group',
    group: group.name,
    dependsOn,
    run: async step => {
      const attempts = 1 + (script.retries ?? 0);
      for (let attempt = 1; ; attempt += 1) {
        try {
          await runScript({
            run: script.run ?? [],
            baseDir: run.planDir,
            workDir: run.dir,
            context: run.scriptContext(group.name, script.name),
            timeoutMs: script.timeout ?? START_TIMEOUT_MS,
            signal: step.signal,
            onLine: step.progress,
          });
          return undefined;
        } catch (error) {
          if (attempt >= attempts || step.signal.aborted) throw error;
          step.attempt();
        }
      }
    },
  };
}
