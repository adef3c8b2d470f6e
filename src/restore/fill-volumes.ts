import type {Cluster} from '../cluster/client.ts';
import {CORE_TYPES} from '../cluster/core-types.ts';
import {listAll} from '../cluster/list.ts';
import type {KubeObject} from '../cluster/object.ts';
import {PraError} from '../errors.ts';
import {formatBytes} from '../std/bytes.ts';
import {stringAt} from '../std/json-at.ts';
import {type ClaimToFill, type FilledClaim, fillClaims, requireWholeInUse} from '../volume/fill-claims.ts';
import {claimsOfPod, MOVER_LABEL, mountsAny} from '../volume/mover/job.ts';
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
   * Fills a claim that was there before, unless it holds something else, or a pod mounts it. One that is empty, that
   * a run which was broken off has half filled, or that holds just what the snapshot does, is filled, and proved.
   * @returns whether it keeps what it holds
   * @throws PraError as `fill`, VOLUME_HALF_FILLED also when a pod mounts what is not whole
   */
  async fillUnlessHeld(group: PlannedClaims, run: FillRun): Promise<boolean> {
    const {cluster, settings, run: id} = this.#options;
    const {namespace, claims} = group;
    const users = await this.#podsThatMount(namespace, claims, run.signal);
    const [node] = users.flatMap(pod => stringAt(pod, 'spec', 'nodeName') ?? []);
    if (node !== undefined) await requireWholeInUse(group, {cluster, settings, run: id, node, ...run});
    if (users.length > 0) return true;
    try {
      await this.fill([group], run);
      return false;
    } catch (error) {
      if (error instanceof PraError && error.code === 'VOLUME_NOT_EMPTY') return true;
      throw error;
    }
  }

  /** Pods that have these claims mounted, or will have them when they start. */
  async #podsThatMount(
    namespace: string,
    claims: readonly ClaimToFill[],
    signal: AbortSignal,
  ): Promise<KubeObject[]> {
    const pods = await listAll(this.#options.cluster, CORE_TYPES.Pod, {namespace, signal});
    const names = claims.map(({claim}) => claim);
    return pods.filter(pod => pod.metadata.labels?.[MOVER_LABEL] === undefined && mountsAny(pod, names));
  }

  /** What is mounted elsewhere may be where no other pod can get at it, so it is left out. */
  async #besideOf({namespace, beside = []}: PlannedClaims, signal: AbortSignal): Promise<ClaimToFill[]> {
    if (beside.length === 0) return [];
    const pods = await this.#podsThatMount(namespace, beside, signal);
    const taken = new Set(pods.flatMap(pod => claimsOfPod(pod.spec)));
    return beside.filter(({claim}) => !taken.has(claim));
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
          const beside = await this.#besideOf(group, signal);
          await fillClaims(
            {...group, beside},
            {
              cluster,
              restic,
              settings,
              run,
              link,
              signal,
              onMessage,
              onFilled: one => onFilled(one, group),
              onProgress: (claim, progress) =>
                onProgress?.(this.#meter.note(`${group.namespace}/${claim}`, progress)),
            },
          );
        }),
      ),
    );
    for (const result of ended) if (result.status === 'rejected') throw result.reason;
  }
}

/**
 * Tells a group of claims apart into those that the target had before, each by itself, and the others. All are still mounted
 * together: the volume of one that has none yet is made where the others are.
 */
export function splitOld(
  group: PlannedClaims,
  isOld: (place: string) => boolean,
): {old: PlannedClaims[]; fresh: PlannedClaims[]} {
  const {namespace, claims, refs} = group;
  const wasThere = claims.map(({claim}) => isOld(`${namespace}/${claim}`));
  if (!wasThere.includes(true)) return {old: [], fresh: [group]};
  const only = (isWanted: (index: number) => boolean): PlannedClaims => ({
    ...group,
    claims: claims.filter((_, index) => isWanted(index)),
    beside: claims.filter((_, index) => !isWanted(index)),
    refs: refs.filter((_, index) => isWanted(index)),
  });
  return {
    old: claims.flatMap((_, at) => (wasThere[at] ? [only(index => index === at)] : [])),
    fresh: wasThere.includes(false) ? [only(index => !wasThere[index])] : [],
  };
}

/** What shows that a claim is as it was, in one sentence. */
export function proofOf({comparison: {found, expected, tolerated}}: FilledClaim): string {
  const {entries, files, bytes} = found;
  const moved = tolerated > 0 ? `, ${tolerated} of what came and went meanwhile are there or not` : '';
  const unstable =
    expected.unstable > 0
      ? `; ${expected.unstable} that changed while they were saved were not compared${moved}`
      : '';
  return `${entries} entries, ${files} files of ${formatBytes(bytes)}, equal to the manifest taken in the source${unstable}`;
}
