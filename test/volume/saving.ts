import {execFile} from 'node:child_process';
import {randomBytes} from 'node:crypto';
import {promisify} from 'node:util';
import type {ClaimRecord} from '../../src/repository/snapshot-root.ts';
import type {SnapshotEvent} from '../../src/snapshot/event.ts';
import {VolumeSaving} from '../../src/snapshot/save-volumes.ts';
import {compileSelect} from '../../src/snapshot/select.ts';
import type {VolumeRule} from '../../src/snapshot/volume-rule.ts';
import {planVolumes} from '../../src/snapshot/volumes.ts';
import {type FilledClaim, fillClaims} from '../../src/volume/fill-claims.ts';
import type {ByteProgress} from '../../src/volume/mover/restic.ts';
import type {MoverSettings} from '../../src/volume/mover/settings.ts';
import type {Restic} from '../../src/volume/restic.ts';
import {StoreLink} from '../../src/volume/store-link.ts';
import {claimObject, idlePod, namespaceObject, SETTINGS, type VolumeBed} from '../bed/volume-bed.ts';

export interface Saving {
  restic: Restic;
  namespace: string;
  rules: VolumeRule[];
  settings?: Partial<MoverSettings>;
  signal?: AbortSignal;
  onEvent?: (event: SnapshotEvent) => void;
  /** When applications may go on, and what CSI snapshots hold is still to be moved. */
  afterCut?: () => Promise<void>;
  /** When the data is saved, and the snapshot is still to be written. */
  beforeRoot?: () => Promise<void>;
}

/** Saves the claims of a namespace as a snapshot does. */
export async function saveVolumes(
  {cluster}: Pick<VolumeBed, 'cluster'>,
  saving: Saving,
): Promise<ClaimRecord[]> {
  const {restic, namespace, rules, signal = new AbortController().signal, onEvent} = saving;
  const selection = compileSelect({namespaces: [namespace], clusterScoped: 'none'});
  const plan = await planVolumes({cluster, rules, selection, signal});
  const volumes = new VolumeSaving({
    cluster,
    plan,
    engine: {restic, settings: {...SETTINGS, ...saving.settings}},
    run: `snapshot-${randomBytes(4).toString('hex')}`,
    signal,
    onEvent,
  });
  try {
    await volumes.whileQuiet();
    await saving.afterCut?.();
    const records = await volumes.afterwards();
    await saving.beforeRoot?.();
    await volumes.keep();
    return records.filter(record => record.method !== 'dump');
  } finally {
    await volumes.end();
  }
}

/** As `saveVolumes`, of the only claim that there is. */
export async function saveVolume(bed: Pick<VolumeBed, 'cluster'>, saving: Saving): Promise<ClaimRecord> {
  const [record, ...others] = await saveVolumes(bed, saving);
  if (!record || others.length > 0) throw new Error('not one claim was saved');
  return record;
}

/** A namespace with a pod that mounts a claim. @returns the folder that its volume is */
export async function makeClaim(
  bed: VolumeBed,
  namespace: string,
  labels: Record<string, string> = {},
): Promise<string> {
  await bed.create(
    namespaceObject(namespace, labels),
    claimObject(namespace, 'data'),
    idlePod(namespace, 'app', 'data'),
  );
  return bed.folderOf(namespace, 'data');
}

export interface Filling {
  restic: Restic;
  record: ClaimRecord;
  namespace: string;
  claim: string;
  settings?: Partial<MoverSettings>;
  signal?: AbortSignal;
  onProgress?: (progress: ByteProgress) => void;
  onMessage?: (message: string) => void;
}

/** Fills one claim as a restore does. */
export async function fillVolume({cluster}: VolumeBed, filling: Filling): Promise<FilledClaim> {
  const {restic, record, namespace, claim, onProgress, onMessage} = filling;
  const settings = {...SETTINGS, ...filling.settings};
  const [filled] = await fillClaims(
    {namespace, claims: [{claim, record}], placement: {}},
    {
      cluster,
      restic,
      settings,
      link: new StoreLink({repository: restic.repository, store: restic.store, settings}),
      run: `restore-${randomBytes(4).toString('hex')}`,
      signal: filling.signal ?? new AbortController().signal,
      onProgress: (_claim, progress) => onProgress?.(progress),
      onMessage,
    },
  );
  if (!filled) throw new Error('nothing was filled');
  return filled;
}

const run = promisify(execFile);

/** What an independent tool finds different between two trees: contents, types, owners, modes, times, links, xattrs. */
export async function differences(a: string, b: string): Promise<string> {
  const flags = ['-aHAXn', '--checksum', '--itemize-changes', '--delete', '--exclude=/lost+found'];
  return (await run('rsync', [...flags, `${a}/`, `${b}/`])).stdout;
}
