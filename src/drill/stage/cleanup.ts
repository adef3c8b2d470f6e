import {stat} from 'node:fs/promises';
import {messageOf, PraError} from '../../errors.ts';
import {destroyTarget, listState} from '../../terraform/run.ts';
import {stateFile, type Workspace} from '../../terraform/workspace.ts';
import {removeStrayLocalCluster} from '../clean-local.ts';
import type {StepDefinition} from '../graph.ts';
import type {DrillRun} from '../run-state.ts';

const DESTROY_TIMEOUT_MS = 30 * 60_000;

/** Destroys the target, whatever happened before; what cannot be removed is named with the command that removes it. */
export function cleanupStep(run: DrillRun, dependsOn: string[]): StepDefinition {
  return {
    id: 'cleanup',
    name: 'cleanup: terraform destroy',
    phase: 'cleanup',
    dependsOn,
    always: true,
    run: async step => {
      const {workspace} = run;
      if (!workspace) return 'there was nothing to remove';
      const began = performance.now();
      try {
        await run.target?.close();
        await destroyTarget(workspace, {
          signal: step.signal,
          timeoutMs: DESTROY_TIMEOUT_MS,
          onLine: step.progress,
        });
        await removeStrayLocalCluster(workspace, step.signal);
        if (run.plan.spec.cleanup.verifyEmpty) await verifyEmpty(workspace, step.signal);
        run.journal.append({act: 'destroyed'});
        run.log.cleanup = {destroyed: true, durationMs: performance.now() - began, leftovers: []};
        return 'nothing is left';
      } catch (error) {
        const next = `pra drill clean ${run.drillId}`;
        const known = await stat(stateFile(workspace)).catch(() => undefined);
        run.log.cleanup = {
          destroyed: false,
          durationMs: performance.now() - began,
          leftovers: [
            {what: known ? `what ${stateFile(workspace)} names` : `the target of drill ${run.drillId}`, next},
          ],
          message: messageOf(error),
        };
        throw new PraError('CLEANUP_FAILED', 'the target could not be removed', {
          why: error instanceof PraError ? (error.why ?? error.message) : messageOf(error),
          next: [next],
          cause: error,
        });
      }
    },
  };
}

/**
 * Does not take the exit code's word for it: the state must name nothing any more.
 * @throws PraError CLEANUP_FAILED that says what is still there
 */
async function verifyEmpty(workspace: Workspace, signal: AbortSignal): Promise<void> {
  const named = await listState(workspace, {signal});
  if (named.length > 0) throw new PraError('CLEANUP_FAILED', `the state still names ${named.join(', ')}`);
}
