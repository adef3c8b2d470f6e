import type {PlannedClaims} from '../../restore/claim-groups.ts';
import {type FillRun, proofOf, splitOld} from '../../restore/fill-volumes.ts';
import {formatBytes} from '../../std/bytes.ts';
import type {ClaimToFill, FilledClaim} from '../../volume/fill-claims.ts';
import {progressText} from '../../volume/progress.ts';
import type {StepDefinition, StepHandle} from '../graph.ts';
import type {DrillRun} from '../run-state.ts';

/** Fills the claims that workloads of a group mount; without a group those that nothing mounts, or no group starts. */
export function volumesStep(run: DrillRun, group: string | undefined): StepDefinition {
  return {
    id: group === undefined ? 'volumes' : `group/${group}/volumes`,
    name: group === undefined ? 'restore: volumes that no group mounts' : `group ${group}: restore volumes`,
    phase: group === undefined ? 'restore' : 'group',
    ...(group === undefined ? {} : {group}),
    dependsOn: ['objects'],
    run: step => fillVolumes(run, claimsOf(run, group), step),
  };
}

/** Fills claims of a run, and has each in the record. Claims that hold something already keep it, and that is a finding. */
export async function fillVolumes(
  run: DrillRun,
  claims: readonly PlannedClaims[],
  step: StepHandle,
): Promise<string> {
  if (claims.length === 0) return 'no volumes to restore';
  const split = claims.map(group => splitOld(group, place => run.claimsBefore.has(place)));
  let bytes = 0;
  let kept = 0;
  const how: FillRun = {
    signal: step.signal,
    onMessage: step.progress,
    onProgress: progress => step.progress(progressText(progress)),
    onFilled: (filled, {refs, namespace, claims: all}) => {
      bytes += filled.bytes;
      noteFilled(run, namespace, filled, step);
      run.claimsFilled(refs.filter((_, index) => all[index]?.claim === filled.claim));
    },
  };
  try {
    await run.filling.fill(
      split.flatMap(({fresh}) => fresh),
      how,
    );
    for (const group of split.flatMap(({old}) => old)) {
      if (!(await run.filling.fillUnlessHeld(group, how))) continue;
      kept += 1;
      noteKept(run, group);
    }
  } catch (error) {
    noteFailed(run, claims);
    throw error;
  } finally {
    run.claimsEnded(claims.flatMap(({refs}) => refs));
  }
  const count = claims.flatMap(({refs}) => refs).length - kept;
  const left = kept > 0 ? `; ${kept} were there and keep what they hold` : '';
  return `${count} volumes with ${formatBytes(bytes)}, each file as it was saved${left}`;
}

function noteKept(run: DrillRun, {namespace, claims: [first], refs}: PlannedClaims): void {
  run.log.finding({
    severity: 'medium',
    title: `PersistentVolumeClaim ${namespace}/${first?.claim} was there and keeps what it holds`,
    cause: 'pra never writes over data; a run before this one may have filled it',
    object: refs[0],
    next: 'if it is not what you want: delete the claim, and recover again',
  });
  run.log.notTested.push({
    what: `the data of PersistentVolumeClaim ${namespace}/${first?.claim}`,
    reason: 'it was there before the run, and was left as it is',
  });
  run.claimsFilled(refs);
}

/** A claim belongs to the first group, in the order of the plan, that has a workload which mounts it. */
function claimsOf(run: DrillRun, group: string | undefined): PlannedClaims[] {
  const {groups} = run.needRestorePlan();
  const groupOf = (claims: PlannedClaims) =>
    groups.find(({operators, workloads, late, resumed}) =>
      [...operators, ...workloads, ...resumed]
        .map(({item}) => item.ref)
        .concat(late.map(({ref}) => ref))
        .some(ref => claims.users.includes(ref)),
    )?.name;
  return run.claims.filter(claims => groupOf(claims) === group);
}

function noteFilled(run: DrillRun, namespace: string, filled: FilledClaim, step: StepHandle): void {
  const {record, claim, bytes, durationMs} = filled;
  const proof = proofOf(filled);
  step.progress(`${claim}: ${proof}`);
  const about = aboutVolume(namespace, {claim, record});
  run.log.volumes.push({...about, restoredBytes: bytes, sha256Ok: true, proof, durationMs});
}

const aboutVolume = (namespace: string, {claim, record}: ClaimToFill) => ({
  namespace,
  workload: record.workload ?? `PersistentVolumeClaim/${claim}`,
  claim,
  method: record.method,
  bytes: record.bytes,
});

/** What was not filled is in the record as such. */
function noteFailed(run: DrillRun, groups: readonly PlannedClaims[]): void {
  for (const {namespace, claims, refs} of groups)
    for (const [index, claim] of claims.entries()) {
      if (!run.unfilled.has(refs[index] ?? '')) continue;
      const about = aboutVolume(namespace, claim);
      run.log.volumes.push({...about, restoredBytes: 0, sha256Ok: false, durationMs: 0});
    }
}
