import type {Cluster} from '../cluster/client.ts';
import type {LoadedPlan} from '../plan/load.ts';
import {hasBaseline, measureBaselines} from '../probe/baseline.ts';
import {writeCanary} from '../probe/canary.ts';
import type {Repository} from '../repository/repository.ts';
import type {SnapshotRoot} from '../repository/snapshot-root.ts';
import type {Capture} from '../snapshot/capture.ts';
import {createSnapshot} from '../snapshot/create.ts';
import type {SnapshotListener} from '../snapshot/event.ts';
import {selectOfPlan} from '../snapshot/plan-select.ts';
import {rulesOfPlan} from '../snapshot/volume-rule.ts';
import {moverSettings} from '../volume/mover/settings.ts';
import type {Restic} from '../volume/restic.ts';

export interface TakeSnapshotOptions {
  loaded: LoadedPlan;
  cluster: Cluster;
  repository: Repository;
  restic: Restic;
  /** `pra/0.1.0` */
  tool: string;
  /** Compares with no earlier snapshot. */
  full?: boolean | undefined;
  signal: AbortSignal;
  onEvent?: SnapshotListener;
  onCapture?: ((capture: Capture) => void) | undefined;
}

/** Takes a snapshot as the plan says it: its objects, its volumes, its hooks, its canary, and the baselines of its probes. */
export function takeSnapshot(options: TakeSnapshotOptions): Promise<SnapshotRoot> {
  const {loaded, cluster, repository, restic, tool, signal, onEvent} = options;
  const {plan, hash} = loaded;
  const {source, probes} = plan.spec;
  const {canary} = source;
  return createSnapshot({
    cluster,
    repository,
    select: selectOfPlan(plan),
    plan: {name: plan.metadata.name, hash},
    volumes: rulesOfPlan(plan),
    hooks: source.hooks,
    tool,
    full: options.full,
    signal,
    onEvent,
    onCapture: options.onCapture,
    writeCanary: canary && (stop => writeCanary(cluster, canary, stop)),
    readBaselines: probes.some(hasBaseline) ? stop => measureBaselines(probes, cluster, stop) : undefined,
    engine: {restic, settings: moverSettings(plan)},
  });
}
