import type {Cluster} from '../cluster/client.ts';
import {UidMap} from './owners.ts';
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

export interface RestoreOptions {
  cluster: Cluster;
  plan: RestorePlan;
  /** `update` when it is not given. */
  existing?: ExistingPolicy | undefined;
  /** One for all parts of a restore, so that what one creates can be owned by what another creates. */
  uids?: UidMap | undefined;
  signal: AbortSignal;
  onEvent?: RestoreListener | undefined;
}

/** What the parts of one restore share. */
export interface RestoreSession {
  cluster: Cluster;
  existing: ExistingPolicy;
  signal: AbortSignal;
  emit: RestoreListener;
  uids: UidMap;
  /** References of objects that the rules altered. */
  altered: ReadonlySet<string>;
}

/** Fills in what is not given; nothing is written yet. */
export function restoreSession(options: RestoreOptions): RestoreSession {
  return {
    cluster: options.cluster,
    existing: options.existing ?? 'update',
    signal: options.signal,
    emit: options.onEvent ?? (() => undefined),
    uids: options.uids ?? new UidMap(),
    altered: new Set(options.plan.changes.map(({ref}) => ref)),
  };
}
