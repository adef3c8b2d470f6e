import type {Plan} from '../plan/schema.ts';
import type {SnapshotRoot} from '../repository/snapshot-root.ts';
import type {ExistingChoice} from '../restore/existing-policy.ts';
import {formatDuration} from '../std/duration.ts';

export interface Declaration {
  plan: Plan;
  snapshot: SnapshotRoot;
  now: Date;
  /** Where it goes to, in words. */
  into: string;
  /** What becomes of objects that are there; undefined for a target that holds nothing. */
  existing: ExistingChoice | undefined;
  risks: readonly string[];
  /** What will not come back whole. */
  findings: readonly string[];
}

const SHOWN = 8;

/** What a person reads before a real recovery begins. */
export function renderDeclaration({
  plan,
  snapshot,
  now,
  into,
  existing,
  risks,
  findings,
}: Declaration): string {
  const ageMs = now.getTime() - Date.parse(snapshot.dataAt ?? snapshot.createdAt);
  const {rpo} = plan.spec.objectives;
  const late = rpo !== undefined && ageMs > rpo ? `, more than the RPO of ${formatDuration(rpo)}` : '';
  const kinds = Object.entries(existing?.kinds ?? {}).map(([kind, policy]) => `, ${kind} ${policy}`);
  const more = findings.length - SHOWN;
  return [
    '',
    `REAL RECOVERY of plan ${plan.metadata.name}: this is not a drill`,
    `  recovery point  ${snapshot.id}: ${snapshot.counts.objects} objects and ${snapshot.volumes.length} volumes of ${formatDuration(Math.max(0, ageMs))} ago${late}`,
    `  into            ${into}`,
    ...(existing ? [`  what is there   ${existing.all}${kinds.join('')}`] : []),
    ...risks.map(risk => `  ! ${risk}`),
    ...findings.slice(0, SHOWN).map(finding => `  ✖ ${finding}`),
    ...(more > 0 ? [`  ✖ and ${more} more: pra restore preview`] : []),
    '  ! make sure that the source is stopped or fenced off: pra does not look at it',
    '',
  ].join('\n');
}
