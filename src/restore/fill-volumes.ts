import type {Cluster} from '../cluster/client.ts';
import {formatBytes} from '../std/bytes.ts';
import {type FilledClaim, fillClaims} from '../volume/fill-claims.ts';
import type {MoverSettings} from '../volume/mover/settings.ts';
import {NodePool} from '../volume/node-pool.ts';
import {VolumeMeter, type VolumeProgress} from '../volume/progress.ts';
import type {Restic} from '../volume/restic.ts';
import {StoreLink} from '../volume/store-link.ts';
import type {PlannedClaims} from './claim-groups.ts';

export interface FillVolumesOptions {
  cluster: Cluster;
  restic: Restic;
  settings: MoverSettings;
  /** Id of the run. */
  run: string;
}

export interface FillRun {
  signal: AbortSignal;
  onFilled: (filled: FilledClaim, group: PlannedClaims) => void;
  onProgress?: ((progress: VolumeProgress) => void) | undefined;
  onMessage?: ((message: string) => void) | undefined;
}

/** Fills claims, several groups of them at once; one of these serves a whole run, so that its limits hold over all groups. */
export class VolumeFilling {
  readonly #options: FillVolumesOptions;
  readonly #pool: NodePool;
  readonly #meter = new VolumeMeter();

  constructor(options: FillVolumesOptions) {
    this.#options = options;
    this.#pool = new NodePool(options.settings);
  }

  /**
   * Fills these, side by side, and waits for all, also when one fails.
   * @throws PraError VOLUME_*, MOVER_*, STORE_* of the first that failed; `onFilled` was told of the others
   */
  async fill(
    groups: readonly PlannedClaims[],
    {signal, onFilled, onProgress, onMessage}: FillRun,
  ): Promise<void> {
    const {cluster, restic, settings, run} = this.#options;
    const link = new StoreLink({repository: restic.repository, store: restic.store, settings});
    const ended = await Promise.allSettled(
      groups.map(group =>
        this.#pool.run(undefined, async () => {
          signal.throwIfAborted();
          const filled = await fillClaims(group, {
            cluster,
            restic,
            settings,
            run,
            link,
            signal,
            onMessage,
            onProgress: (claim, progress) =>
              onProgress?.(this.#meter.note(`${group.namespace}/${claim}`, progress)),
          });
          for (const one of filled) onFilled(one, group);
        }),
      ),
    );
    for (const result of ended) if (result.status === 'rejected') throw result.reason;
  }
}

/** What shows that a claim is as it was, in one sentence. */
export function proofOf({comparison: {found, expected}}: FilledClaim): string {
  const {entries, files, bytes} = found;
  const unstable =
    expected.unstable > 0
      ? `; ${expected.unstable} that changed while they were saved were not compared`
      : '';
  return `${entries} entries, ${files} files of ${formatBytes(bytes)}, equal to the manifest taken in the source${unstable}`;
}
