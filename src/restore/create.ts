import {type ApiError, isApiError} from '../cluster/api-error.ts';
import {applyObject, createObject, readObject} from '../cluster/apply.ts';
import type {KubeObject} from '../cluster/object.ts';
import {PraError} from '../errors.ts';
import {sleep} from '../std/wait.ts';
import {isRestored} from './existing.ts';
import type {RestoreItem} from './order.ts';
import {relinkOwners, withOwners} from './owners.ts';
import type {ObjectOutcome, RestoreSession} from './session.ts';

type Result = Pick<ObjectOutcome, 'outcome' | 'reason'>;

/** Most attempts of one write whose failure passes by itself; the waits between add up to about 12 s. */
const ATTEMPTS = 8;
const FIRST_WAIT_MS = 100;

/**
 * Brings one object into the target: one create where it is not there yet, else what the session does with existing
 * objects. The API server's own reason is the reason of a failure.
 * @throws PraError CLUSTER_UNREACHABLE, CLUSTER_UNAUTHORIZED, RESTORE_FAILED: what concerns every further object too.
 */
export async function restoreObject(session: RestoreSession, item: RestoreItem): Promise<ObjectOutcome> {
  const {references, complete} = relinkOwners(item.object, session.uids);
  const object = withOwners(item.object, references);
  const result = await attempt(session, item, object);
  if (!complete && result.outcome !== 'failed') session.uids.unlinked.push(item);
  session.emit({type: 'object', ref: item.ref, ...result});
  return {ref: item.ref, kind: item.object.kind, ...result, ...(item.followUp ? {followUp: true} : {})};
}

async function attempt(session: RestoreSession, item: RestoreItem, object: KubeObject): Promise<Result> {
  for (let tried = 1; ; tried += 1) {
    try {
      return item.followUp ? await complete(session, item, object) : await create(session, item, object);
    } catch (error) {
      if (!passesByItself(error, item) || tried === ATTEMPTS) return failure(error);
      await sleep(Math.min(FIRST_WAIT_MS * 2 ** (tried - 1), 4000), session.signal);
    }
  }
}

async function create(session: RestoreSession, item: RestoreItem, object: KubeObject): Promise<Result> {
  try {
    const created = await createObject(session.cluster, item.type, object, {signal: session.signal});
    remember(session, item, created);
    return {outcome: session.altered.has(item.ref) ? 'changed' : 'created'};
  } catch (error) {
    if (isApiError(error, 409) && error.reason === 'AlreadyExists')
      return reconcile(session, item, object, error);
    // A Service that is there holds its node port, which the API server says instead of that it is there.
    if (isApiError(error, 422) && item.object.kind === 'Service')
      return reconcile(session, item, object, error);
    throw error;
  }
}

/** The target has the object: equal is fine, else the session's policy; what every cluster makes itself is merged. */
async function reconcile(
  session: RestoreSession,
  item: RestoreItem,
  object: KubeObject,
  refusal: ApiError,
): Promise<Result> {
  const live = await readObject(session.cluster, item.type, object.metadata, {signal: session.signal});
  if (live === undefined) throw refusal;
  if (live.metadata.deletionTimestamp !== undefined) return beingDeleted(item);
  remember(session, item, live);
  if (isRestored(live, object)) return {outcome: 'unchanged', reason: 'is in the target already'};
  if (session.existing === 'skip' && !isMadeByCluster(object)) {
    return {outcome: 'skipped', reason: 'is in the target already, and differs'};
  }
  return update(session, item, object);
}

/** Writes the rest of an object that was restored without it. */
async function complete(session: RestoreSession, item: RestoreItem, object: KubeObject): Promise<Result> {
  const live = await readObject(session.cluster, item.type, object.metadata, {signal: session.signal});
  return live && isRestored(live, object) ? {outcome: 'unchanged'} : update(session, item, object);
}

async function update(session: RestoreSession, item: RestoreItem, object: KubeObject): Promise<Result> {
  remember(session, item, await applyObject(session.cluster, item.type, object, {signal: session.signal}));
  return {outcome: 'changed', reason: 'updated in the target by server-side apply'};
}

function beingDeleted(item: RestoreItem): Result {
  if (item.object.kind !== 'Namespace') return {outcome: 'failed', reason: 'is being deleted in the target'};
  throw new PraError('RESTORE_FAILED', `${item.ref} is being deleted in the target`, {
    why: 'nothing can be created in it until it is gone',
    next: ['wait until it is gone, or find the finalizer that holds it, and run the restore again'],
  });
}

function remember(session: RestoreSession, item: RestoreItem, object: KubeObject): void {
  if (object.metadata.uid !== undefined) session.uids.set(item.key, object.metadata.uid);
}

const isMadeByCluster = ({kind, metadata}: KubeObject) =>
  (kind === 'ServiceAccount' && metadata.name === 'default') ||
  (kind === 'Namespace' && metadata.name === 'default');

/**
 * Whether to try again: a lost connection (the object may be there, which the next try finds out), an object that was
 * there and is gone, a quota that several writes updated at once, or a kind whose definition is established but not served yet.
 */
function passesByItself(error: unknown, item: RestoreItem): boolean {
  if (error instanceof PraError && error.code === 'CLUSTER_UNREACHABLE') return true;
  if (!isApiError(error)) return false;
  const isCustom = item.type.group.includes('.') && !item.type.group.endsWith('.k8s.io');
  return error.status === 409 || (isCustom && isUnserved(error));
}

/** The API server does not know the path itself: its answer then names no object. */
const isUnserved = (error: ApiError) =>
  error.status === 404 && /could not find the requested resource|page not found/.test(error.why ?? '');

function failure(error: unknown): Result {
  if (isApiError(error) && error.status !== 401)
    return {outcome: 'failed', reason: error.why ?? error.message};
  throw error;
}
