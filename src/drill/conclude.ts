import {readdir, readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {messageOf} from '../errors.ts';
import type {DrillRecord} from '../evidence/record.ts';
import {writeEvidence} from '../evidence/write.ts';
import {summarizeRestore} from '../restore/completeness.ts';
import {ruleText} from '../snapshot/volume-rule.ts';
import type {Clock} from '../std/clock.ts';
import type {StepOutcome} from './graph.ts';
import {evidenceDir, listDrills, readRecord} from './history.ts';
import {buildRecord, type FinishedRun} from './record.ts';
import type {DrillRun} from './run-state.ts';
import {type Judgement, judgeRun} from './verdict.ts';

export interface ConcludeOptions {
  trigger: DrillRecord['identity']['trigger'];
  reason: string | undefined;
  aborted: boolean;
  startedAt: Date;
  clock: Clock;
}

/** Judges a run that has ended, makes its record and writes the bundle: the same for passed, failed and aborted runs. */
export async function conclude(
  run: DrillRun,
  outcomes: readonly StepOutcome[],
  options: ConcludeOptions,
): Promise<FinishedRun> {
  const {plan, hash, file} = run.loaded;
  if (run.restorePlan) run.log.completeness = summarizeRestore(run.restorePlan, run.outcomes);
  const judgement = judge(run, outcomes, options.aborted);
  const earlier = await earlierRecords(plan.metadata.name);
  const record = buildRecord({
    drillId: run.drillId,
    sequence: Math.max(0, ...earlier.map(known => known.identity.sequence)) + 1,
    mode: run.mode,
    plan: {name: plan.metadata.name, hash, file},
    toolVersion: run.toolVersion,
    trigger: options.trigger,
    reason: options.reason,
    startedAt: options.startedAt,
    endedAt: options.clock.now(),
    scenario: plan.spec.scenario,
    scope: {
      namespaces: run.snapshot?.namespaces ?? plan.spec.source.include.namespaces,
      exclusions: exclusionsOf(run),
    },
    outcomes,
    log: run.log,
    judgement,
    previous: earlier[0],
    lastPassed: earlier.find(
      ({verdict, identity}) => verdict.result === 'passed' && identity.mode === run.mode,
    ),
  });
  const dir = evidenceDir(run.drillId);
  await writeEvidence(dir, record, run.plan.spec.evidence?.formats);
  const notKept = await keepInRepository(run, dir);
  return {
    record,
    exitCode: judgement.exitCode,
    evidenceDir: dir,
    warnings: notKept === undefined ? [] : [notKept],
    remarks: whatStays(run),
  };
}

/** A new cluster of a recovery is run on by its kubeconfig and its Terraform state, which nobody else knows. */
function whatStays({recovery, outputs, workspace, drillId, plan}: DrillRun): string[] {
  if (recovery?.destination.kind !== 'terraform' || !workspace) return [];
  return [
    ...(outputs ? [`the cluster stays: its kubeconfig is ${outputs.kubeconfigPath}`] : []),
    `keep its Terraform state, in ${workspace.dir}; all of it can be destroyed with: pra drill clean ${drillId} --confirm ${plan.metadata.name}`,
  ];
}

function judge(run: DrillRun, outcomes: readonly StepOutcome[], aborted: boolean): Judgement {
  const {objectives, probes} = run.plan.spec;
  return judgeRun({
    outcomes,
    probes: run.log.probes,
    requiredProbes: probes
      .filter(({required, modes}) => required && (modes ?? [run.mode]).includes(run.mode))
      .map(probe => probe.name),
    failures: run.failures,
    aborted,
    rto: {targetMs: objectives.rto, actualMs: run.log.elapsed('T5')},
    rpo: {targetMs: objectives.rpo, actualMs: run.log.recoveryPoint?.measuredRpoMs},
    leftovers: run.log.cleanup?.destroyed === false,
  });
}

/** The records of a plan that this machine knows, newest first. One that cannot be read is left out here; `drill list` shows it. */
async function earlierRecords(plan: string): Promise<DrillRecord[]> {
  const drills = await listDrills(plan);
  const records = await Promise.all(drills.map(drill => readRecord(drill.id).catch(() => undefined)));
  return records.filter(record => record !== undefined);
}

/** What the plan leaves out on purpose. */
function exclusionsOf(run: DrillRun): DrillRecord['scope']['exclusions'] {
  const {exclude, volumes} = run.plan.spec.source;
  return [
    ...(exclude?.kinds ?? []).map(kind => ({what: `kind ${kind}`, reason: 'spec.source.exclude.kinds'})),
    ...(exclude?.selector
      ? [{what: `objects with ${exclude.selector}`, reason: 'spec.source.exclude.selector'}]
      : []),
    ...(volumes ?? [])
      .filter(volume => volume.method === 'none')
      .map(volume => ({
        what: `the data of volumes of ${ruleText(volume)}`,
        reason: 'method: none in spec.source.volumes',
      })),
  ];
}

/** A copy of the bundle in the repository, write-once. A store that is down must not turn a good drill into a lost one. */
async function keepInRepository(run: DrillRun, dir: string): Promise<string | undefined> {
  try {
    for (const name of await readdir(dir)) {
      const key = `evidence/${run.plan.metadata.name}/${run.drillId}/${name}`;
      await run.repository.store.put(key, await readFile(join(dir, name)), {ifAbsent: true});
    }
    return undefined;
  } catch (error) {
    return `the evidence could not be copied into the repository: ${messageOf(error)}`;
  }
}
