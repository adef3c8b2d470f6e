import {isApiError} from '../cluster/api-error.ts';
import {patchObject} from '../cluster/apply.ts';
import {mapPool} from '../std/pool.ts';
import {restoreObject} from './create.ts';
import {waitEstablished} from './established.ts';
import type {RestoreItem} from './item.ts';
import {type RestoreWave, waveTitle} from './order.ts';
import {relinkOwners} from './owners.ts';
import {waitItems, waitReadyFor} from './ready.ts';
import {type ObjectOutcome, type RestoreOptions, type RestoreSession, restoreSession} from './session.ts';

export {UidMap} from './owners.ts';
export type {ObjectOutcome, RestoreEvent} from './session.ts';

/** Requests in flight at once; the API server's priority and fairness does the rest. */
const CONCURRENCY = 64;

export interface WavesOptions extends RestoreOptions {
  when: RestoreWave['when'];
  concurrency?: number;
  /** Called when all claims were created, before anything that could mount them. */
  afterVolumes?: (() => Promise<void>) | undefined;
}

/**
 * Creates the objects of all waves before the groups, or after them, wave by wave, and links owned objects to owners
 * that were created later. What could not be restored is an outcome, not an error.
 * @throws PraError when no further object could be restored either: cluster unreachable, namespace being deleted,
 * definition refused, signal aborted.
 */
export async function restoreWaves(options: WavesOptions): Promise<ObjectOutcome[]> {
  const {plan, when, concurrency = CONCURRENCY} = options;
  const session = restoreSession(options);
  const outcomes: ObjectOutcome[] = [];
  const waves = plan.waves.filter(candidate => candidate.when === when);
  const isClaim = ({object}: RestoreItem) => object.kind === 'PersistentVolumeClaim';
  const lastVolumes = waves.findLast(({items}) => items.some(isClaim));
  for (const wave of waves) {
    session.signal.throwIfAborted();
    for (const outcome of await restoreWave(session, wave, concurrency)) outcomes.push(outcome);
    if (wave === lastVolumes) await options.afterVolumes?.();
  }
  return relinkLate(session, outcomes, concurrency);
}

async function restoreWave(
  session: RestoreSession,
  wave: RestoreWave,
  concurrency: number,
): Promise<ObjectOutcome[]> {
  const name = waveTitle(wave);
  await waitReadyFor(session, wave);
  const began = performance.now();
  session.emit({type: 'wave-started', wave: name, objects: wave.items.length});
  const outcomes = await mapPool(wave.items, concurrency, item => restoreObject(session, item));
  if (wave.name === 'definitions') await definitionsBarrier(session, wave.items, outcomes);
  const waited = wave.items.filter(({object}) => session.plan.rules.waitReady(object));
  if (session.readyTimeoutMs > 0) await waitItems(session, waited, 'what a rule of the plan waits for');
  const failed = outcomes.filter(({outcome}) => outcome === 'failed').length;
  const durationMs = Math.round(performance.now() - began);
  session.emit({type: 'wave-ended', wave: name, restored: outcomes.length - failed, failed, durationMs});
  return outcomes;
}

async function definitionsBarrier(
  session: RestoreSession,
  items: readonly RestoreItem[],
  outcomes: readonly ObjectOutcome[],
): Promise<void> {
  const failed = new Set(outcomes.filter(({outcome}) => outcome === 'failed').map(({ref}) => ref));
  const definitions = items.filter(({ref}) => !failed.has(ref)).map(({object}) => object);
  if (definitions.length === 0) return;
  session.emit({type: 'waiting', waitingFor: 'custom resource definitions to be established'});
  await waitEstablished(session.cluster, definitions, session.signal);
}

/** The second pass: ownerReferences of objects that were created before one of their owners. */
async function relinkLate(
  session: RestoreSession,
  outcomes: ObjectOutcome[],
  concurrency: number,
): Promise<ObjectOutcome[]> {
  const items = session.uids.unlinked.splice(0);
  const failures = await mapPool(items, concurrency, async item => {
    const {references, complete} = relinkOwners(item.object, session.uids);
    if (!complete) session.uids.unlinked.push(item);
    if (references.length === 0) return undefined;
    try {
      await patchObject(
        session.cluster,
        item.type,
        item.object.metadata,
        {metadata: {ownerReferences: references}},
        {signal: session.signal},
      );
      return undefined;
    } catch (error) {
      if (!isApiError(error)) throw error;
      return {ref: item.ref, reason: `created, but not linked to its owner: ${error.why ?? error.message}`};
    }
  });
  const reasons = new Map(
    failures.flatMap(failure => (failure ? [[failure.ref, failure.reason] as const] : [])),
  );
  if (reasons.size === 0) return outcomes;
  return outcomes.map(outcome => {
    const reason = reasons.get(outcome.ref);
    if (reason === undefined) return outcome;
    const {ref, kind, uid, followUp} = outcome;
    const unlinked: ObjectOutcome = {ref, kind, uid, followUp, outcome: 'failed', reason};
    session.emit({type: 'object', outcome: unlinked});
    return unlinked;
  });
}
