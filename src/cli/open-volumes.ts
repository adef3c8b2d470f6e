import {findRoot, type SnapshotRoot} from '../repository/snapshot-root.ts';
import {openRestic, type Restic} from '../volume/restic.ts';
import {openByFlags} from './open-repository.ts';

/** Finds a snapshot, and opens what keeps its volumes when that is asked for. */
export async function openVolumes(
  snapshot: string,
  flags: {plan?: string | undefined; repository?: string | undefined},
  {usage, signal}: {usage: string; signal: AbortSignal},
): Promise<{root: SnapshotRoot; restic: () => Promise<Restic>}> {
  const {repository, loaded, options: store} = await openByFlags(flags, {usage, signal});
  const root = await findRoot(repository, snapshot, {plan: loaded?.plan.metadata.name, signal});
  return {root, restic: () => openRestic({repository, store, signal})};
}
