import type {Cluster} from '../cluster/client.ts';
import type {RestoreItem} from './order.ts';
import type {UidMap} from './owners.ts';
import type {RestorePlan} from './preview.ts';

/** What happened to one object. */
export interface ObjectOutcome {
  ref: string;
  kind: string;
  /**
   * `changed`: restored, but not as it was, or an existing object was updated. `unchanged`: it was there already, as
   * wanted. `skipped`: it was there already, differs, and was left.
   */
  outcome: 'created' | 'changed' | 'unchanged' | 'skipped' | 'failed';
  reason?: string | undefined;
  /** The object was counted before: this is a later write of another part of it. */
  followUp?: boolean | undefined;
}

/** What a restore tells while it goes on. */
export type RestoreEvent =
  | {type: 'wave-started'; wave: string; objects: number}
  | {type: 'object'; ref: string; outcome: ObjectOutcome['outcome']; reason?: string | undefined}
  | {type: 'wave-ended'; wave: string; restored: number; failed: number; durationMs: number}
  | {type: 'waiting'; waitingFor: string}
  | {type: 'workload-started'; group: string; ref: string; replicas: number | undefined}
  | {type: 'workload-healthy'; group: string; ref: string; afterMs: number};

export type RestoreListener = (event: RestoreEvent) => void;

/** What becomes of an object that the target has already and that differs. */
export type ExistingPolicy = 'skip' | 'update';

export interface SessionOptions {
  cluster: Cluster;
  plan: RestorePlan;
  existing?: ExistingPolicy;
  signal: AbortSignal;
  onEvent?: RestoreListener | undefined;
}

/** One restore into one cluster, from its first wave to its last group: what is shared between its parts. */
export interface RestoreSession {
  cluster: Cluster;
  plan: RestorePlan;
  existing: ExistingPolicy;
  signal: AbortSignal;
  emit: RestoreListener;
  /** UIDs of what was created, for ownerReferences. */
  uids: UidMap;
  /** Created before one of its owners was: gets its ownerReferences in a second pass. */
  unlinked: RestoreItem[];
  /** References of objects that the rules altered. */
  altered: ReadonlySet<string>;
}

/** Begins a restore; nothing is written yet. */
export function beginRestore({
  cluster,
  plan,
  existing = 'update',
  signal,
  onEvent,
}: SessionOptions): RestoreSession {
  return {
    cluster,
    plan,
    existing,
    signal,
    emit: onEvent ?? (() => undefined),
    uids: new Map(),
    unlinked: [],
    altered: new Set(plan.changes.map(({ref}) => ref)),
  };
}
