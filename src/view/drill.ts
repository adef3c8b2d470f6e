import type {DrillSummary} from '../drill/history.ts';
import type {DrillRecord} from '../evidence/record.ts';
import {formatBytes} from '../std/bytes.ts';
import {formatDuration} from '../std/duration.ts';
import {renderTable} from './table.ts';

const duration = (ms: number | undefined) => (ms === undefined ? '-' : formatDuration(ms));

/** `pra drill list`. */
export function renderDrillList(drills: readonly DrillSummary[], now: Date): string {
  if (drills.length === 0) return 'no drills yet: pra drill run PLAN';
  return renderTable(
    ['NAME', 'MODE', 'PLAN', 'VERDICT', 'RTO', 'RPO', 'TARGET', 'AGE'],
    drills.map(drill => [
      drill.id,
      drill.mode,
      drill.plan,
      drill.objectiveMissed && drill.state === 'passed' ? 'passed (objective missed)' : drill.state,
      duration(drill.rtoMs),
      duration(drill.rpoMs),
      targetOf(drill),
      formatDuration(now.getTime() - Date.parse(drill.startedAt)),
    ]),
  );
}

function targetOf({mode, dirty, state}: DrillSummary): string {
  if (mode === 'recover') return 'stays';
  if (!dirty) return 'removed';
  return state === 'running' ? 'up' : 'left behind';
}

/** `pra drill show`, and what stands at the end of `pra drill run`: verdict first, then why, then the figures. */
export function renderDrill(record: DrillRecord, bundle: string | undefined): string {
  const {verdict, objectives} = record;
  const sections = [
    [
      `${verdict.result.toUpperCase()}${verdict.objectiveMissed ? ' (objective missed)' : ''}  ${verdict.summary}`,
    ],
    [
      `${record.identity.mode === 'drill' ? 'drill   ' : 'recovery'}     ${record.identity.id} (number ${record.identity.sequence} of plan ${record.identity.plan.name})`,
      ...(record.recoveryPoint
        ? [
            `snapshot     ${record.recoveryPoint.snapshot}, ${record.recoveryPoint.objects} objects, ${formatBytes(record.recoveryPoint.bytes)}`,
          ]
        : []),
      ...(record.target
        ? [`target       ${record.target.provider} ${record.target.version ?? ''}`.trimEnd()]
        : []),
      `RTO          ${objectiveText(objectives.rto)}`,
      `RPO          ${objectiveText(objectives.rpo)}`,
    ],
    [
      renderTable(
        ['MARK', 'AT', 'WHAT'],
        record.timeline.marks.map(mark => [mark.mark, duration(mark.elapsedMs), mark.name]),
      ),
    ],
    probeLines(record),
    findingLines(record),
    record.cleanup && !record.cleanup.destroyed
      ? [`LEFT BEHIND  ${record.cleanup.leftovers.map(left => `${left.what}: ${left.next}`).join('; ')}`]
      : [],
    bundle === undefined ? [] : [`evidence     ${bundle}`],
  ];
  return sections
    .filter(lines => lines.length > 0)
    .map(lines => lines.join('\n'))
    .join('\n\n');
}

function objectiveText(objective: DrillRecord['objectives']['rto']): string {
  const target =
    objective.targetMs === undefined ? 'no objective' : `objective ${formatDuration(objective.targetMs)}`;
  if (objective.actualMs === undefined) return `not reached (${target})`;
  const margin =
    objective.marginMs === undefined
      ? ''
      : objective.marginMs >= 0
        ? `, ${formatDuration(objective.marginMs)} to spare`
        : `, missed by ${formatDuration(-objective.marginMs)}`;
  return `${formatDuration(objective.actualMs)} (${target}${margin})`;
}

function probeLines(record: DrillRecord): string[] {
  const {probes} = record.verification;
  if (probes.length === 0) return [];
  return [
    renderTable(
      ['PROBE', 'KIND', 'PROVES', 'VERDICT', 'WHAT WAS SEEN'],
      probes.map(probe => [
        probe.name,
        probe.kind,
        probe.proves,
        probe.verdict,
        probe.message.split('\n', 1)[0] ?? '',
      ]),
    ),
  ];
}

function findingLines(record: DrillRecord): string[] {
  return record.findings
    .filter(finding => finding.severity === 'critical' || finding.severity === 'high')
    .flatMap(finding => [
      `✖ ${finding.title}`,
      ...(finding.cause !== finding.title && !finding.title.includes(finding.cause)
        ? [`  why: ${finding.cause.replaceAll('\n', '\n       ')}`]
        : []),
      `  next: ${finding.next}`,
    ]);
}
