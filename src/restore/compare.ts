import {type ApiError, isApiError} from '../cluster/api-error.ts';
import {applyObject, createObject, readObject} from '../cluster/apply.ts';
import type {Cluster} from '../cluster/client.ts';
import {listNames} from '../cluster/list-names.ts';
import {apiVersionOf, type KubeObject, type ResourceType} from '../cluster/object.ts';
import type {ExistingPolicy} from '../plan/schema/existing.ts';
import {canonicalObject} from '../snapshot/canonical.ts';
import {diffObjects} from '../snapshot/diff.ts';
import {groupKindOf} from '../snapshot/exclude.ts';
import type {FieldChange} from '../std/json-diff.ts';
import {mapPool} from '../std/pool.ts';
import {isServed} from './api-versions.ts';
import {NEVER_RECREATED} from './create.ts';
import {isRestored} from './existing.ts';
import type {RestoreFinding} from './findings.ts';
import type {RestoreItem} from './item.ts';
import type {RestorePlan} from './preview.ts';
import {findPruned, type PruneScope} from './prune.ts';
import type {RestoreTarget} from './rules/rule.ts';

/** What a restore would do with one object. */
export interface PreviewedObject {
  ref: string;
  type: ResourceType;
  namespace: string;
  name: string;
  /** Wave or group that it comes with. */
  wave: string;
  action: 'create' | 'update' | 'recreate' | 'unchanged' | 'leave' | 'delete' | 'refused';
  reason?: string | undefined;
  /** What an update would change; of what is left, how it differs. Values of Secrets are never among it. */
  fields: FieldChange[];
}

export interface CompareOptions {
  cluster: Cluster;
  plan: RestorePlan;
  target: RestoreTarget;
  existing: (object: KubeObject) => ExistingPolicy;
  scope?: PruneScope | undefined;
  concurrency?: number;
  signal: AbortSignal;
  onProgress?: ((looked: number, all: number) => void) | undefined;
}

const CONCURRENCY = 16;

/**
 * Compares a planned restore with its target, without writing: what is there is applied as a dry run, and what is not is
 * created as one where its namespace is there, so that the API server itself says what it would refuse. Objects of
 * namespaces and kinds that come only with the restore cannot be tried.
 * @returns what would become of each object, and what the API server has against it
 * @throws PraError CLUSTER_*
 */
export async function compareWithTarget(
  options: CompareOptions,
): Promise<{objects: PreviewedObject[]; findings: RestoreFinding[]}> {
  const {plan, cluster, signal} = options;
  const items = [
    ...plan.waves.flatMap(wave =>
      wave.items.filter(item => !item.followUp).map(item => ({item, wave: wave.name})),
    ),
    ...plan.groups.flatMap(group => group.late.map(item => ({item, wave: `group ${group.name}`}))),
  ];
  const names = await existingNames(
    cluster,
    items.map(({item}) => item),
    options.target,
    signal,
  );
  let looked = 0;
  const findings: RestoreFinding[] = [];
  const objects = await mapPool(items, options.concurrency ?? CONCURRENCY, async ({item, wave}) => {
    const found = names.has(item) ? await compareExisting(options, item) : await tryCreate(options, item);
    looked += 1;
    options.onProgress?.(looked, items.length);
    if (found.action === 'refused')
      findings.push({severity: 'error', ref: item.ref, message: `${item.ref}: ${found.reason ?? 'refused'}`});
    const {ref, type, namespace, name} = item;
    return {ref, type, namespace, name, wave, fields: [], ...found} satisfies PreviewedObject;
  });
  const pruned = await findPruned(options);
  return {
    objects: [
      ...objects,
      ...pruned.map<PreviewedObject>(({type, namespace, name, ref}) => ({
        ref,
        type,
        namespace,
        name,
        wave: 'prune',
        action: 'delete',
        reason: 'is not in the snapshot',
        fields: [],
      })),
    ],
    findings,
  };
}

type Found = Pick<PreviewedObject, 'action'> & Partial<Pick<PreviewedObject, 'reason' | 'fields'>>;

async function compareExisting(
  {cluster, plan, existing, signal}: CompareOptions,
  item: RestoreItem,
): Promise<Found> {
  const {object: wanted} = await plan.load(item);
  const live = await readObject(cluster, item.type, wanted.metadata, {signal});
  if (live === undefined) return {action: 'create'};
  if (live.metadata.deletionTimestamp !== undefined)
    return {action: 'refused', reason: 'is being deleted in the target'};
  const {ownerReferences: _, ...metadata} = wanted.metadata;
  const ownerless: KubeObject = {...wanted, metadata};
  if (isRestored(live, ownerless)) return {action: 'unchanged'};
  const policy = plan.rules.existingOf(wanted) ?? existing(wanted);
  try {
    const applied = await applyObject(cluster, item.type, ownerless, {dryRun: true, signal});
    const fields = diffObjects(canonicalObject(live), canonicalObject(applied));
    if (fields.length === 0) return {action: 'unchanged'};
    if (policy === 'skip')
      return {action: 'leave', reason: 'differs, and existing objects are skipped', fields};
    if (policy !== 'recreate') return {action: 'update', fields};
    return recreation(wanted, fields);
  } catch (error) {
    if (!isApiError(error)) throw error;
    const fields = diffObjects(canonicalObject(live), canonicalObject(ownerless));
    if (policy === 'skip')
      return {action: 'leave', reason: 'differs, and existing objects are skipped', fields};
    if (policy === 'recreate') return recreation(wanted, fields);
    return {action: 'refused', reason: reasonOf(error, item), fields};
  }
}

function recreation(wanted: KubeObject, fields: FieldChange[]): Found {
  const never = NEVER_RECREATED[groupKindOf(wanted)];
  return never
    ? {action: 'refused', reason: `differs, and is not recreated: ${never}`, fields}
    : {action: 'recreate', fields};
}

async function tryCreate({cluster, plan, target, signal}: CompareOptions, item: RestoreItem): Promise<Found> {
  if (!canBeTried(item, target)) return {action: 'create'};
  const {object} = await plan.load(item);
  const {ownerReferences: _, ...metadata} = object.metadata;
  try {
    await createObject(cluster, item.type, {...object, metadata}, {dryRun: true, signal});
    return {action: 'create'};
  } catch (error) {
    if (!isApiError(error)) throw error;
    if (error.status === 409 && error.reason === 'AlreadyExists') return {action: 'create'};
    return {action: 'refused', reason: reasonOf(error, item)};
  }
}

/** Objects in namespaces or of kinds that are still to come would be refused for that alone. */
function canBeTried({type, namespace}: RestoreItem, target: RestoreTarget): boolean {
  return isServedBy(target, type) && (namespace === '' || (target.namespaces?.has(namespace) ?? true));
}

const isServedBy = (target: RestoreTarget, type: ResourceType) =>
  isServed(target, apiVersionOf(type), type.kind) !== false;

function reasonOf(error: ApiError, {type}: RestoreItem): string {
  const why = error.why ?? error.message;
  return error.status === 422 && /immutable|may not be changed|forbidden: updates to/.test(why)
    ? `${why} (a field that cannot be changed in place: --existing ${type.kind}=recreate)`
    : why;
}

/** Which items are in the target by their names, from one list of names for each kind. */
async function existingNames(
  cluster: Cluster,
  items: readonly RestoreItem[],
  target: RestoreTarget,
  signal: AbortSignal,
): Promise<{has(item: RestoreItem): boolean}> {
  const kinds = [...Map.groupBy(items, ({type}) => `${type.group}/${type.version}/${type.plural}`)];
  const found = await mapPool(kinds, 8, async ([kind, ofKind]) => {
    const [first] = ofKind;
    const spaces = new Set(ofKind.map(({namespace}) => namespace));
    const isThere = [...spaces].some(space => space === '' || (target.namespaces?.has(space) ?? true));
    if (!first || !isThere || !isServedBy(target, first.type)) return [kind, new Set<string>()] as const;
    const only = spaces.size === 1 ? [...spaces][0] || undefined : undefined;
    return [kind, await listNames(cluster, first.type, {namespace: only, signal})] as const;
  });
  const names = new Map(found);
  return {
    has: ({type, namespace, name}) =>
      names.get(`${type.group}/${type.version}/${type.plural}`)?.has(`${namespace}/${name}`) ?? false,
  };
}
