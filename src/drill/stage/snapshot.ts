import {messageOf} from '../../errors.ts';
import {readCanaryHash} from '../../probe/canary.ts';
import {findRoot, listRoots, type SnapshotRoot, treeDigest} from '../../repository/snapshot-root.ts';
import type {SnapshotEvent} from '../../snapshot/event.ts';
import {formatBytes} from '../../std/bytes.ts';
import {formatDuration} from '../../std/duration.ts';
import {progressText} from '../../volume/progress.ts';
import type {StepDefinition, StepHandle} from '../graph.ts';
import type {DrillRun} from '../run-state.ts';
import {takeSnapshot} from '../take-snapshot.ts';

/** Chooses the recovery point, or takes a fresh one; then the recovery is declared: T0. */
export function snapshotStep(run: DrillRun): StepDefinition {
  const fresh = run.choice.policy === 'fresh';
  return {
    id: 'snapshot',
    name: fresh ? 'snapshot: take a recovery point' : 'snapshot: choose the recovery point',
    phase: 'snapshot',
    dependsOn: [],
    run: async step => {
      // The clock of a recovery runs from the moment of the decision; a drill's own snapshot is no part of a recovery.
      if (run.recovery) run.log.declare(run.recovery.declaredAt);
      const root = fresh
        ? await takeFresh(run, step)
        : await findRoot(run.repository, reference(run), {plan: run.plan.metadata.name, signal: step.signal});
      run.snapshot = root;
      run.expectedCanary = await newestCanary(run, root, step.signal);
      if (!run.recovery) run.log.declare();
      run.log.recoveryPoint = {
        snapshot: root.id,
        createdAt: root.createdAt,
        policy: run.choice.policy,
        treeDigest: treeDigest(root),
        source: {
          uid: root.source.uid,
          version: root.source.version,
          context: root.source.context,
          server: root.source.server,
        },
        measuredRpoMs: Math.max(0, run.log.declaredMs() - Date.parse(root.dataAt ?? root.createdAt)),
        objects: root.counts.objects,
        bytes: root.bytes.raw + root.volumes.reduce((sum, volume) => sum + volume.bytes, 0),
      };
      return `${root.id}: ${root.counts.objects} objects, ${root.volumes.length} volumes, ${formatDuration(Date.now() - Date.parse(root.dataAt ?? root.createdAt))} old`;
    },
  };
}

const reference = ({choice}: DrillRun) => (choice.policy === 'fresh' ? undefined : choice.id) ?? 'latest';

async function takeFresh(run: DrillRun, step: StepHandle): Promise<SnapshotRoot> {
  const cluster = await run.connectSource();
  try {
    return await takeSnapshot({
      loaded: run.loaded,
      cluster,
      repository: run.repository,
      restic: run.restic,
      tool: `pra/${run.toolVersion}`,
      signal: step.signal,
      onEvent: event => {
        tellSnapshot(step, event);
        if (event.type === 'warning') noteWarning(run, event);
      },
    });
  } finally {
    await cluster.close();
  }
}

/**
 * The newest canary that anyone knows of. With an id that the plan itself names, an old recovery point is wanted, and its own
 * canary counts; otherwise the source's, if it answers, and else the newest one in the repository. A snapshot that is
 * passed off as a newer one than it is then fails.
 */
async function newestCanary(
  run: DrillRun,
  root: SnapshotRoot,
  signal: AbortSignal,
): Promise<SnapshotRoot['canary']> {
  const {canary} = run.plan.spec.source;
  if (!canary || run.plan.spec.recoveryPoint.policy === 'id') return root.canary;
  // After a disaster an older point may be wanted, and the source is not asked: it may be gone, or not to be trusted.
  if (run.recovery && run.choice.policy === 'id') return root.canary;
  if (run.recovery) return newestInRepository(run, root, signal);
  if (run.choice.policy === 'fresh') return root.canary;
  try {
    const source = await run.connectSource();
    try {
      const live = await readCanaryHash(source, canary.namespace, signal);
      if (live) return live;
    } finally {
      await source.close();
    }
  } catch (error) {
    signal.throwIfAborted();
    run.log.notTested.push({
      what: 'that the canary is the newest that the source has',
      reason: `the source does not answer: ${messageOf(error)}`,
    });
  }
  return newestInRepository(run, root, signal);
}

async function newestInRepository(
  run: DrillRun,
  root: SnapshotRoot,
  signal: AbortSignal,
): Promise<SnapshotRoot['canary']> {
  const roots = await listRoots(run.repository, {plan: run.plan.metadata.name, signal});
  return roots.find(known => known.canary)?.canary ?? root.canary;
}

/** What the plan lets pass in the source is nothing that the recovery failed at, and still to be seen. */
function noteWarning(run: DrillRun, event: Extract<SnapshotEvent, {type: 'warning'}>): void {
  run.log.finding({
    severity: 'medium',
    title: event.message,
    cause: event.why ?? event.message,
    next: event.next.join('; '),
  });
}

export function tellSnapshot(step: Pick<StepHandle, 'progress'>, event: SnapshotEvent): void {
  if (event.type === 'phase') step.progress(PHASES[event.phase]);
  if (event.type === 'volume')
    step.progress(
      `${event.workload}: ${event.state === 'saved' ? `${formatBytes(event.bytes ?? 0)} saved` : 'saving its data'}`,
    );
  if (event.type === 'volume-progress') step.progress(progressText(event.progress));
  if (event.type === 'volume-note') step.progress(event.message);
  if (event.type === 'progress') step.progress(`${event.objects} objects`);
  if (event.type === 'hook')
    step.progress(
      `hook ${event.hook}: ${event.phase} in ${event.pod}${event.state === 'done' ? ' is done' : ''}`,
    );
  if (event.type === 'warning')
    step.progress([event.message, event.why, ...event.next].filter(text => text !== undefined).join('; '));
}

const PHASES = {
  canary: 'writing the canary',
  baselines: 'measuring baselines',
  volumes: 'saving volumes',
  objects: 'capturing objects',
  root: 'writing the root',
} as const;
