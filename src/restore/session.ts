import type {Cluster} from '../cluster/client.ts';
import type {KubeObject} from '../cluster/object.ts';
import type {ExistingPolicy} from '../plan/schema/existing.ts';
import type {RestoreItem} from './item.ts';
import {UidMap} from './owners.ts';
import type {RestorePlan} from './preview.ts';

/** What happened to one object. */
export interface ObjectOutcome {
  ref: string;
  kind: string;
  /**
   * `changed`: restored, but not as it was, or an existing object was updated. `recreated`: it was there, differed, and
   * was deleted and made again. `unchanged`: it was there already, as wanted. `skipped`: it was there already, differs,
   * and was left.
   */
  outcome: 'created' | 'changed' | 'recreated' | 'unchanged' | 'skipped' | 'failed';
  reason?: string | undefined;
  /** In the target, of objects that own others. */
  uid?: string | undefined;
  /** The object was counted before: this is a later write of another part of it. */
  followUp?: boolean | undefined;
}

/** The outcome of an item of the plan; its name is worked out when somebody asks for it. */
export class ItemOutcome implements ObjectOutcome {
  readonly item: RestoreItem;
  readonly outcome: ObjectOutcome['outcome'];
  readonly reason: string | undefined;
  readonly uid: string | undefined;

  constructor(item: RestoreItem, {outcome, reason}: Pick<ObjectOutcome, 'outcome' | 'reason'>, uid?: string) {
    this.item = item;
    this.outcome = outcome;
    this.reason = reason;
    this.uid = uid;
  }

  get ref(): string {
    return this.item.ref;
  }

  get kind(): string {
    return this.item.object.kind;
  }

  get followUp(): boolean | undefined {
    return this.item.followUp || undefined;
  }
}

/** What a restore tells while it goes on. */
export type RestoreEvent =
  | {type: 'wave-started'; wave: string; objects: number}
  | {type: 'object'; outcome: ObjectOutcome}
  | {type: 'wave-ended'; wave: string; restored: number; failed: number; durationMs: number}
  | {type: 'waiting'; waitingFor: string}
  | {type: 'warning'; ref: string; message: string}
  /** How far the data of volumes is. */
  | {type: 'volume'; message: string}
  | {type: 'workload-started'; group: string; ref: string; replicas: number | undefined}
  | {type: 'workload-healthy'; group: string; ref: string; afterMs: number};

export type RestoreListener = (event: RestoreEvent) => void;

export interface RestoreOptions {
  cluster: Cluster;
  plan: RestorePlan;
  /** What becomes of an object that is there; `update` when it is not given. */
  existing?: ((object: KubeObject) => ExistingPolicy) | undefined;
  /** One for all parts of a restore, so that what one creates can be owned by what another creates. */
  uids?: UidMap | undefined;
  /** What an earlier run of the same restore has done: it is not done again. By `objectRef`. */
  done?: ReadonlyMap<string, ObjectOutcome> | undefined;
  /** How long to wait for what later objects need to be ready: backends of webhooks, targets of autoscalers. 0 does not wait. */
  readyTimeoutMs?: number | undefined;
  signal: AbortSignal;
  onEvent?: RestoreListener | undefined;
}

/** What the parts of one restore share. */
export interface RestoreSession {
  cluster: Cluster;
  plan: RestorePlan;
  existing: (object: KubeObject) => ExistingPolicy;
  signal: AbortSignal;
  emit: RestoreListener;
  uids: UidMap;
  done: ReadonlyMap<string, ObjectOutcome>;
  readyTimeoutMs: number;
  /** References of objects that the rules altered. */
  altered: ReadonlySet<string>;
}

/** Fills in what is not given; nothing is written yet. */
export function restoreSession(options: RestoreOptions): RestoreSession {
  return {
    cluster: options.cluster,
    plan: options.plan,
    existing: object => options.plan.rules.existingOf(object) ?? options.existing?.(object) ?? 'update',
    signal: options.signal,
    emit: options.onEvent ?? (() => undefined),
    uids: options.uids ?? new UidMap(),
    done: options.done ?? new Map(),
    readyTimeoutMs: options.readyTimeoutMs ?? 0,
    altered: new Set(options.plan.changes.map(({ref}) => ref)),
  };
}
