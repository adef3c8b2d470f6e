import type {PraError} from '../errors.ts';
import type {ObjectEntry} from '../repository/object-set.ts';
import {type HookRecord, type SnapshotRoot, volumeName} from '../repository/snapshot-root.ts';
import type {SnapshotSummary} from '../snapshot/list.ts';
import type {KindCount} from '../snapshot/show.ts';
import {formatBytes} from '../std/bytes.ts';
import {formatDuration} from '../std/duration.ts';
import {renderTable} from './table.ts';

/** `pra snapshot list`. */
export function renderSnapshotList(items: readonly SnapshotSummary[], now: Date): string {
  if (items.length === 0) return 'no snapshots yet: pra snapshot create PLAN';
  const tagged = items.some(({tags}) => tags.length > 0);
  return renderTable(
    ['NAME', 'PLAN', 'SOURCE', 'OBJECTS', 'VOLUMES', 'DATA', 'ADDED', 'AGE', ...(tagged ? ['TAGS'] : [])],
    items.map(item => [
      item.id,
      item.plan ?? '-',
      item.source,
      String(item.objects),
      String(item.volumes),
      formatBytes(item.volumeBytes),
      formatBytes(item.writtenBytes),
      formatDuration(now.getTime() - Date.parse(item.createdAt)),
      ...(tagged ? [item.tags.join(' ')] : []),
    ]),
  );
}

/** What `pra snapshot list` says of what cannot be read. */
export function renderDamage(errors: readonly PraError[]): string {
  return [
    ...errors.map(({message, why}) => [message, why].filter(Boolean).join(': ')),
    'find out who can write to the repository; bring the file back from a copy, or: pra snapshot forget ID',
  ].join('\n');
}

function endOf({ok, exitCode}: HookRecord): string {
  if (ok) return 'done';
  return exitCode === undefined ? 'failed: it did not come to its end' : `failed: exit code ${exitCode}`;
}

/** `pra snapshot show`, and what stands at the end of `pra snapshot create`. */
export function renderSnapshot(root: SnapshotRoot, kinds: readonly KindCount[] = []): string {
  const {counts, bytes, source} = root;
  const lines = [
    `snapshot   ${root.id}`,
    `of         ${source.context}, Kubernetes ${source.version} (kube-system ${source.uid})`,
    `taken      ${root.createdAt}, in ${formatDuration(Date.parse(root.finishedAt) - Date.parse(root.createdAt))}`,
    `objects    ${counts.objects}; kinds: ${counts.kinds}; namespaces: ${counts.namespaces}`,
    `bytes      ${formatBytes(bytes.raw)} of JSON; ${formatBytes(bytes.written)} added to the repository`,
    ...(root.canary ? [`canary     written ${root.canary.writtenAt} in ${root.canary.namespace}`] : []),
    ...(root.hooks ?? []).map(
      hook =>
        `hook       ${hook.name}: ${hook.phase} in ${hook.namespace}/${hook.pod} ${endOf(hook)}, ${formatDuration(hook.durationMs)}`,
    ),
    ...root.volumes.map(
      volume =>
        `volume     ${volume.namespace} ${volumeName(volume)}: ${formatBytes(volume.bytes)}${volume.method === 'dump' ? '' : ` in ${volume.files} files, ${formatBytes(volume.addedBytes)} added`} by ${volume.method}, ${formatDuration(volume.durationMs)}`,
    ),
    ...(root.emptyClaims ?? []).map(
      ({namespace, name}) => `volume     ${namespace} PersistentVolumeClaim/${name}: had no volume yet`,
    ),
    ...root.baselines.map(baseline => `baseline   ${baseline.probe}: ${JSON.stringify(baseline.value)}`),
  ];
  if (kinds.length === 0) return lines.join('\n');
  return `${lines.join('\n')}\n\n${renderTable(
    ['NAMESPACE', 'KIND', 'OBJECTS'],
    kinds.map(kind => [kind.namespace || '-', kind.kind, String(kind.objects)]),
  )}`;
}

/** `pra snapshot get` of several objects. */
export function renderEntries(entries: readonly ObjectEntry[]): string {
  if (entries.length === 0) return 'there are none';
  return renderTable(
    ['NAMESPACE', 'NAME', 'HEALTH', 'REPLICAS'],
    entries.map(({namespace, name, health}) => [
      namespace || '-',
      name,
      health?.state ?? '-',
      health?.replicas === undefined ? '-' : String(health.replicas),
    ]),
  );
}
