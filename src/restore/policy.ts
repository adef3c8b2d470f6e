import type {ExistingPolicy} from '../plan/schema/existing.ts';
import type {WaveName} from '../plan/schema/wave.ts';
import type {Plan} from '../plan/schema.ts';
import {selectorText} from '../snapshot/selector.ts';
import type {Json, JsonObject} from '../std/json.ts';
import {RESTORE_GUARDS} from './guards/names.ts';
import type {RestoreMode} from './rules/rule.ts';

/** One operation of RFC 6902. */
export interface JsonPatchOperation {
  op: 'add' | 'remove' | 'replace' | 'move' | 'copy' | 'test';
  path: string;
  from?: string | undefined;
  value?: Json | undefined;
}

/** Which objects a transform is for; everything that is given must hold, names may be globs. */
export interface ObjectMatch {
  group?: string | undefined;
  kind?: string | undefined;
  namespace?: string | undefined;
  name?: string | undefined;
  selector?: string | undefined;
  fields?: readonly FieldMatch[] | undefined;
}

/** A field that must hold a value, or be there, or not be there. */
export interface FieldMatch {
  /** In kubectl's dotted form; `[*]` stands for every item of a list, of which one must fit. */
  path: string;
  equals?: Json | undefined;
  exists?: boolean | undefined;
}

type NameMap = Readonly<Record<string, string>>;

/** A change of objects on their way; it has one of the actions (transform/index.ts). */
export interface Transform {
  name?: string | undefined;
  /** Every object when it is not given. */
  match?: ObjectMatch | undefined;
  patch?: readonly JsonPatchOperation[] | undefined;
  merge?: JsonObject | undefined;
  images?: NameMap | undefined;
  storageClasses?: NameMap | undefined;
  hosts?: NameMap | undefined;
  annotations?: Readonly<Record<string, string | null>> | undefined;
  replicas?: number | undefined;
  drop?: readonly string[] | undefined;
  /** Modes in which it works; every mode when it is not given. */
  modes?: readonly RestoreMode[] | undefined;
}

/** What the plan says of some objects besides the built-in rules. */
export interface UserRule {
  name?: string | undefined;
  match: ObjectMatch;
  modes?: readonly RestoreMode[] | undefined;
  /** Leaves them out; the reason is in the record. */
  skip?: string | undefined;
  /** Wave that they come with. */
  wave?: WaveName | undefined;
  existing?: ExistingPolicy | undefined;
  waitReady?: boolean | undefined;
}

/** A group of workloads that starts as one and is waited for. */
export interface GroupPolicy {
  name: string;
  dependsOn: readonly string[];
  select: {namespaces?: readonly string[] | undefined; selector?: string | undefined};
  /** Most workloads that start at once; no limit when it is not given. */
  maxParallel?: number | undefined;
}

/** A guard that the plan switches off, for one object or all, with a reason. */
export interface GuardWaiver {
  guard: number;
  /** An object as `objectRef` writes it, or a glob on it; all objects when it is not given. */
  object?: string | undefined;
  name: string;
  reason: string;
}

/** Volumes that the plan lets come back empty, by the labels of their pods or of the claim itself. */
export interface VolumeWaiver {
  namespaces?: readonly string[] | undefined;
  selector: string;
  storageClasses?: readonly string[] | undefined;
}

/** What a plan says about a restore. Without groups everything starts as it was, at once. */
export interface RestorePolicy {
  groups: readonly GroupPolicy[];
  transforms: readonly Transform[];
  rules: readonly UserRule[];
  /** Source storage class to target storage class. */
  storageClasses: Readonly<Record<string, string>>;
  waivers: readonly GuardWaiver[];
  emptyVolumes: readonly VolumeWaiver[];
}

export const EMPTY_POLICY: RestorePolicy = {
  groups: [],
  transforms: [],
  rules: [],
  storageClasses: {},
  waivers: [],
  emptyVolumes: [],
};

/**
 * What a plan says about a restore. A waiver whose name is an object as people write it (`Service shop/web`, globs
 * too) is for that object only; any other name is just what the waiver is called.
 */
export function policyOfPlan({spec}: Plan): RestorePolicy {
  return {
    groups: spec.groups,
    transforms: spec.transforms,
    rules: spec.rules,
    storageClasses: spec.target.requires?.storageClasses ?? {},
    waivers: spec.isolation.waive.map(({guard, name, reason}) => ({
      guard: guardNumber(guard),
      object: name.includes(' ') ? name : undefined,
      name,
      reason,
    })),
    emptyVolumes: spec.source.volumes
      .filter(({method}) => method === 'none')
      .map(({namespaces, select, storageClasses}) => ({
        namespaces,
        selector: selectorText(select ?? ''),
        storageClasses,
      })),
  };
}

function guardNumber(guard: number | string): number {
  if (typeof guard === 'number') return guard;
  const known = Object.entries(RESTORE_GUARDS).find(([number, name]) => name === guard || number === guard);
  return known ? Number(known[0]) : 0;
}
