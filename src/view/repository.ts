import type {CheckResult} from '../repository/check.ts';
import type {LockInfo} from '../repository/lock.ts';
import type {PruneResult} from '../repository/prune.ts';
import type {RetentionDecision} from '../repository/retention.ts';
import type {SnapshotRoot} from '../repository/snapshot-root.ts';
import type {RepositoryStats} from '../repository/stats.ts';
import {formatBytes} from '../std/bytes.ts';
import {formatDuration} from '../std/duration.ts';
import {renderTable} from './table.ts';

/** `pra repository check`. */
export function renderCheck(result: CheckResult, readData: boolean): string {
  const {snapshots, packs, trees, readBytes, unneeded, findings} = result;
  const lines = [
    `${snapshots} snapshots, ${trees} trees, ${packs} packs; ${formatBytes(readBytes)} read and compared${readData ? '' : ' (packs only with --read-data)'}`,
    ...(unneeded.files > 0
      ? [`${unneeded.files} files (${formatBytes(unneeded.bytes)}) are not needed: pra repository prune`]
      : []),
  ];
  if (findings.length === 0) return [...lines, 'no damage was found'].join('\n');
  const table = renderTable(
    ['DAMAGED', 'WHY', 'SNAPSHOTS'],
    findings.map(({key, why, snapshots: ids}) => [key, why, ids.join(' ') || '-']),
  );
  const next = 'bring these files back from a copy, or take a new snapshot and forget those that are damaged';
  return [...lines, '', table, '', `next: ${next}`].join('\n');
}

/** What retention decided, snapshot by snapshot. */
export function renderForgotten(
  decisions: readonly RetentionDecision<Pick<SnapshotRoot, 'id'> & Partial<SnapshotRoot>>[],
  dryRun: boolean,
): string {
  return renderTable(
    ['NAME', 'PLAN', 'TAKEN', dryRun ? 'WOULD' : 'DID', 'WHY'],
    decisions.map(({root, reasons}) => [
      root.id,
      root.plan?.name ?? '-',
      root.createdAt ?? '-',
      reasons.length === 0 ? 'forget' : 'keep',
      reasons.join(', ') || '-',
    ]),
  );
}

/** `pra repository prune`. */
export function renderPrune(result: PruneResult, dryRun: boolean): string {
  const {files, bytes, volumes, blockedBy} = result;
  if (blockedBy.length > 0) {
    return [
      'nothing was deleted: writers were at work for longer than --wait',
      ...blockedBy.map(who => `  ${who}`),
      'run it again later; if one was killed: pra repository unlock',
    ].join('\n');
  }
  const what = `${files} files (${formatBytes(bytes)}) and the data of ${volumes} volume snapshots`;
  return dryRun ? `would delete ${what}` : `deleted ${what}`;
}

/** `pra repository unlock`. */
export function renderLocks(removed: readonly LockInfo[]): string {
  if (removed.length === 0) return 'there are no locks to remove';
  return renderTable(
    ['REMOVED', 'KIND', 'OF', 'LAST SEEN'],
    removed.map(({id, kind, owner, ageMs}) => [
      id,
      kind,
      owner ? `${owner.host} process ${owner.pid} (${owner.run})` : '-',
      `${formatDuration(ageMs)} ago`,
    ]),
  );
}

/** `pra repository stats`. */
export function renderStats(url: string, stats: RepositoryStats): string {
  const {snapshots, plans, objects, files, unneeded, ratio} = stats;
  return [
    `repository  ${url}`,
    `snapshots   ${snapshots} of ${plans} plans, ${objects.count} objects (${formatBytes(objects.rawBytes)} of JSON)`,
    `kept        1 byte for every ${ratio.toFixed(1)} of JSON`,
    `not needed  ${unneeded.files} files, ${formatBytes(unneeded.bytes)}`,
    '',
    renderTable(
      ['WHAT', 'FILES', 'BYTES'],
      Object.entries(files).map(([name, {count, bytes}]) => [name, String(count), formatBytes(bytes)]),
    ),
  ].join('\n');
}
