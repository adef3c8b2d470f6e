import {CORE_TYPES} from '../cluster/core-types.ts';
import type {ClaimRecord, VolumeRecord} from '../repository/snapshot-root.ts';
import {podSpecIn} from '../snapshot/pod-spec.ts';
import {sha256} from '../std/json.ts';
import {arrayAt, stringAt} from '../std/json-at.ts';
import type {ClaimGroup, ClaimToFill} from '../volume/fill-claims.ts';
import {claimsOfPod, placementOfPod} from '../volume/mover/job.ts';
import {INERT_ANNOTATIONS} from './inert.ts';
import type {RestoreItem} from './item.ts';
import type {RestorePlan} from './preview.ts';

/** Claims that are filled by one pod, and the workloads that wait for it. */
export interface PlannedClaims extends ClaimGroup {
  /** Workloads that mount them, by `objectRef`; none for claims that nothing mounts. */
  users: readonly string[];
  /** The claims, by `objectRef`. */
  refs: readonly string[];
}

interface Member {
  item: RestoreItem;
  fill: ClaimToFill;
}

/**
 * Which claims of a restore are filled, and which of them together: those that one pod mounts have to lie where that pod can
 * run, so one mover, placed as that pod, makes all their volumes.
 */
export async function planClaims(
  plan: RestorePlan,
  volumes: readonly VolumeRecord[],
): Promise<PlannedClaims[]> {
  const items = [...plan.waves.flatMap(wave => wave.items), ...plan.groups.flatMap(group => group.late)];
  const records = new Map(
    volumes
      .filter((record): record is ClaimRecord => record.method !== 'dump')
      .map(record => [`${record.namespace}/${record.pvcs[0]}`, record]),
  );
  const members = new Map<string, Member>();
  for (const item of items) {
    if (item.type.kind !== CORE_TYPES.PersistentVolumeClaim.kind || item.type.group !== '') continue;
    const {namespace, name} = item.origin ?? item;
    const record = records.get(`${namespace}/${name}`);
    if (record) members.set(keyOf(item.namespace, item.name), {item, fill: {claim: item.name, record}});
  }
  if (members.size === 0) return [];
  const {sets, usersOf} = joined(items, members);
  return Promise.all(
    sets.map(async keys => {
      const users = usersOf(keys);
      const [first] = users;
      const spec = first && podSpecIn((await plan.load(first)).object);
      const chosen = keys.flatMap(key => members.get(key) ?? []);
      return {
        namespace: chosen[0]?.item.namespace ?? '',
        claims: chosen.map(({fill}) => fill),
        placement: {
          ...placementOfPod(spec, INERT_ANNOTATIONS),
          ...(first ? {spread: sha256(first.ref).slice(0, 16)} : {}),
        },
        users: users.map(({ref}) => ref),
        refs: chosen.map(({item}) => item.ref),
      };
    }),
  );
}

const keyOf = (namespace: string, name: string) => `${namespace}/${name}`;

/** Puts claims together that one pod mounts, over all workloads. */
function joined(items: readonly RestoreItem[], members: ReadonlyMap<string, Member>) {
  const parent = new Map([...members.keys()].map(key => [key, key]));
  const rootOf = (key: string): string => {
    const up = parent.get(key);
    return up === undefined || up === key ? key : rootOf(up);
  };
  const users = new Map<string, RestoreItem[]>();
  for (const item of items) {
    if (podSpecIn(item.object) === undefined) continue;
    for (const pod of podsOf(item, members)) {
      const [first, ...more] = pod;
      if (first === undefined) continue;
      for (const key of more) parent.set(rootOf(key), rootOf(first));
      for (const key of pod) users.set(key, [...(users.get(key) ?? []), item]);
    }
  }
  const sets = [...Map.groupBy([...members.keys()].sort(), rootOf).values()];
  const usersOf = (keys: readonly string[]) => [...new Set(keys.flatMap(key => users.get(key) ?? []))];
  return {sets, usersOf};
}

/** The claims of each pod that a workload makes: those that it names, and for each number of a set those of its templates. */
function podsOf(item: RestoreItem, members: ReadonlyMap<string, Member>): string[][] {
  const {object, namespace} = item;
  const named = claimsOfPod(podSpecIn(object))
    .map(name => keyOf(namespace, name))
    .filter(key => members.has(key));
  const numbered = new Map<string, string[]>();
  for (const template of arrayAt(object, 'spec', 'volumeClaimTemplates')) {
    const prefix = keyOf(namespace, `${stringAt(template, 'metadata', 'name')}-${item.name}-`);
    for (const key of members.keys()) {
      if (!key.startsWith(prefix) || !/^\d+$/.test(key.slice(prefix.length))) continue;
      const number = key.slice(prefix.length);
      numbered.set(number, [...(numbered.get(number) ?? []), key]);
    }
  }
  if (numbered.size === 0) return named.length > 0 ? [named] : [];
  return [...numbered.values()].map(keys => [...named, ...keys]);
}
