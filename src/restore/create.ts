import {type ApiError, isApiError} from '../cluster/api-error.ts';
import {applyObject, createFromBytes, createObject, deleteObject, readObject} from '../cluster/apply.ts';
import type {KubeObject} from '../cluster/object.ts';
import {PraError} from '../errors.ts';
import {groupKindOf} from '../snapshot/exclude.ts';
import {podSpecIn} from '../snapshot/pod-spec.ts';
import {sleep, waitFor} from '../std/wait.ts';
import {isRestored} from './existing.ts';
import type {RestoreItem} from './item.ts';
import {relinkOwners, withOwners} from './owners.ts';
import type {LoadedObject} from './preview.ts';
import {ItemOutcome, type ObjectOutcome, type RestoreSession} from './session.ts';

type Result = Pick<ObjectOutcome, 'outcome' | 'reason'>;

/** Most attempts of one write whose failure passes by itself; the waits between add up to about 12 s. */
const ATTEMPTS = 8;
const FIRST_WAIT_MS = 100;
const DELETION_MS = 60_000;

/**
 * Brings one object into the target: one create where it is not there yet, else what the session does with existing
 * objects. The API server's own reason is the reason of a failure. What an earlier run has done is not done again.
 * A request that is under way is not broken off by the signal: whether it was carried out would then not be known.
 * @throws PraError CLUSTER_UNREACHABLE, CLUSTER_UNAUTHORIZED, RESTORE_FAILED: what concerns every further object too.
 */
export async function restoreObject(session: RestoreSession, item: RestoreItem): Promise<ObjectOutcome> {
  session.signal.throwIfAborted();
  const earlier = session.done.size > 0 ? session.done.get(writeName(item)) : undefined;
  if (earlier && earlier.outcome !== 'failed') {
    if (earlier.uid !== undefined) session.uids.set(item.key, earlier.uid);
    // It may have been created before its owners, and the run ended before the second pass.
    if (item.object.metadata.ownerReferences !== undefined) session.uids.unlinked.push(item);
    return earlier;
  }
  const {references, complete} = relinkOwners(item.object, session.uids);
  const loaded = await session.plan.load(item);
  const isOwned = item.object.metadata.ownerReferences !== undefined;
  const wanted = isOwned ? {object: withOwners(loaded.object, references)} : loaded;
  const result = await attempt(session, item, wanted);
  if (!complete && result.outcome !== 'failed') session.uids.unlinked.push(item);
  const uid = isOwner(session, item) ? session.uids.get(item.key) : undefined;
  const outcome = new ItemOutcome(item, result, uid);
  session.emit({type: 'object', outcome});
  return outcome;
}

/** What names one write: an object can be written twice, first without a part of it. */
export const writeName = ({ref, followUp}: Pick<ObjectOutcome, 'ref' | 'followUp'>) =>
  followUp ? `${ref} (again)` : ref;

async function attempt(session: RestoreSession, item: RestoreItem, loaded: LoadedObject): Promise<Result> {
  for (let tried = 1; ; tried += 1) {
    try {
      return item.followUp
        ? await complete(session, item, loaded.object)
        : await create(session, item, loaded);
    } catch (error) {
      if (!passesByItself(error, item) || tried === ATTEMPTS) return failure(error, item);
      await sleep(Math.min(FIRST_WAIT_MS * 2 ** (tried - 1), 4000), session.signal);
    }
  }
}

async function create(session: RestoreSession, item: RestoreItem, loaded: LoadedObject): Promise<Result> {
  const {cluster} = session;
  try {
    if (loaded.bytes && !isOwner(session, item))
      await createFromBytes(cluster, item.type, item.object.metadata, loaded.bytes);
    else remember(session, item, await createObject(cluster, item.type, loaded.object));
    return {outcome: !item.isRaw && session.altered.has(item.ref) ? 'changed' : 'created'};
  } catch (error) {
    if (isApiError(error, 409) && error.reason === 'AlreadyExists')
      return reconcile(session, item, loaded.object, error);
    // A Service that is there holds its node port, which the API server says instead of that it is there.
    if (isApiError(error, 422) && item.object.kind === 'Service')
      return reconcile(session, item, loaded.object, error);
    // A webhook that does not answer refuses what is there already, too.
    if (isApiError(error) && isWebhookDown(error)) return reconcile(session, item, loaded.object, error);
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
  const live = await readObject(session.cluster, item.type, object.metadata);
  if (live === undefined) throw refusal;
  if (live.metadata.deletionTimestamp !== undefined) return beingDeleted(item);
  remember(session, item, live);
  if (isRestored(live, object)) return {outcome: 'unchanged', reason: 'is in the target already'};
  const policy = isMadeByCluster(object) ? 'update' : session.existing(object);
  if (policy === 'skip') return {outcome: 'skipped', reason: 'is in the target already, and differs'};
  return policy === 'recreate' ? recreate(session, item, object, live) : update(session, item, object);
}

/** Writes the rest of an object that was restored without it. */
async function complete(session: RestoreSession, item: RestoreItem, object: KubeObject): Promise<Result> {
  const live = await readObject(session.cluster, item.type, object.metadata);
  return live && isRestored(live, object) ? {outcome: 'unchanged'} : update(session, item, object);
}

async function update(session: RestoreSession, item: RestoreItem, object: KubeObject): Promise<Result> {
  remember(session, item, await applyObject(session.cluster, item.type, object));
  return {outcome: 'changed', reason: 'updated in the target by server-side apply'};
}

/** Kinds whose deletion takes more with it than the object: everything in a namespace, of a kind, or on a volume. */
export const NEVER_RECREATED: Readonly<Record<string, string>> = {
  Namespace: 'everything in it would be deleted',
  'CustomResourceDefinition.apiextensions.k8s.io': 'all objects of the kind would be deleted',
  PersistentVolumeClaim: 'its data would be deleted',
  PersistentVolume: 'its data could be deleted',
};

async function recreate(
  session: RestoreSession,
  item: RestoreItem,
  object: KubeObject,
  live: KubeObject,
): Promise<Result> {
  const never = NEVER_RECREATED[groupKindOf(object)];
  if (never) return {outcome: 'failed', reason: `differs, and is not recreated: ${never}`};
  const {cluster, signal} = session;
  const name = object.metadata;
  // The pods of a workload go first: a new StatefulSet waits for those of the old one by name.
  const propagation = podSpecIn(object) ? 'Foreground' : 'Background';
  await deleteObject(cluster, item.type, name, {propagation, uid: live.metadata.uid});
  await waitFor(
    async () => {
      const left = await readObject(cluster, item.type, name);
      return left === undefined || left.metadata.uid !== live.metadata.uid ? true : undefined;
    },
    {waitingFor: `${item.ref} to be gone`, timeoutMs: DELETION_MS, signal},
  );
  remember(session, item, await createObject(cluster, item.type, object));
  return {outcome: 'recreated', reason: 'deleted in the target and made again'};
}

function beingDeleted(item: RestoreItem): Result {
  if (item.object.kind !== 'Namespace') return {outcome: 'failed', reason: 'is being deleted in the target'};
  throw new PraError('RESTORE_FAILED', `${item.ref} is being deleted in the target`, {
    why: 'nothing can be created in it until it is gone',
    next: ['wait until it is gone, or find the finalizer that holds it, and run the restore again'],
  });
}

/** Only of what owns something else the UID is needed. */
const isOwner = ({plan}: RestoreSession, item: RestoreItem) =>
  plan.owners.size > 0 && plan.owners.has(item.key);

function remember(session: RestoreSession, item: RestoreItem, {metadata}: KubeObject): void {
  if (metadata.uid !== undefined && isOwner(session, item)) session.uids.set(item.key, metadata.uid);
}

/** Every cluster makes these itself; they are brought to what they were, whatever becomes of others. */
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

const isWebhookDown = ({status, why = ''}: ApiError) => status === 500 && why.includes('calling webhook');

function failure(error: unknown, item: RestoreItem): Result {
  if (error instanceof PraError && error.code === 'TIMEOUT' && !isApiError(error))
    return {outcome: 'failed', reason: error.message};
  if (isApiError(error) && error.status !== 401)
    return {outcome: 'failed', reason: `${error.why ?? error.message}${adviceFor(error, item)}`};
  throw error;
}

/** What mends a refusal, where the refusal itself does not say it. */
function adviceFor(error: ApiError, {type}: RestoreItem): string {
  const why = error.why ?? '';
  if (error.status === 422 && /immutable|may not be changed|forbidden: updates to/.test(why))
    return ` (a field that cannot be changed in place: recreate it, --existing ${type.kind}=recreate)`;
  if (isWebhookDown(error)) return ' (what answers the webhook is not up: restore that first)';
  if (error.status === 403 && why.includes('exceeded quota')) return ' (raise the quota, or restore less)';
  return '';
}
