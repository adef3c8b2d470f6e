import type {KubeObject, ResourceType} from '../../cluster/object.ts';
import type {RestorePolicy} from '../policy.ts';

/** A rehearsal in a cluster that is thrown away, or the real recovery: the same engine, other rules. */
export type RestoreMode = 'drill' | 'recover';

export interface TargetStorageClass {
  name: string;
  isDefault: boolean;
}

/** How much of a quota of the target is left. */
export interface TargetQuota {
  namespace: string;
  name: string;
  /** What may still be added, by resource as the quota writes it: `pods`, `count/jobs.batch`, `requests.storage`. */
  left: Readonly<Record<string, number>>;
}

/** What a restore must know of the cluster that it writes into. What is not given is not known, and not judged. */
export interface RestoreTarget {
  /** Kinds in their preferred versions. */
  resourceTypes: readonly ResourceType[];
  /** Every version of every kind that is served, written `apps/v1 Deployment`. */
  served?: ReadonlySet<string>;
  storageClasses: readonly TargetStorageClass[];
  /** gitVersion, such as `v1.34.4`. */
  version: string;
  /** Nothing but its version is known: there is no cluster yet. */
  isImagined?: boolean;
  /** Namespaces, and those of them that are being deleted. */
  namespaces?: ReadonlySet<string>;
  terminating?: ReadonlySet<string>;
  /** Node ports in use, with the Service that has them, written `shop/web`. */
  nodePorts?: ReadonlyMap<number, string>;
  quotas?: readonly TargetQuota[];
  /** Claims that are there already, written `shop/data-db-0`. */
  claims?: ReadonlySet<string>;
  /** Keys of cluster-wide objects whose names a copy must not take. */
  taken?: ReadonlySet<string>;
  /** API groups that the target knows of but cannot ask, such as `metrics.k8s.io/v1beta1`, with the cause. */
  lost?: readonly {groupVersion: string; reason: string}[];
  /** Images that nodes of the target hold, by every name. */
  images?: ReadonlySet<string>;
}

/** What a rule may look at besides the object itself. */
export interface RuleContext {
  mode: RestoreMode;
  /** Workloads are created at rest and started group by group. */
  inert: boolean;
  target: RestoreTarget;
  policy: RestorePolicy;
  /** Another object of the same snapshot. */
  find(groupKind: string, namespace: string | undefined, name: string): KubeObject | undefined;
}

/** Why an object is left out or altered; with a severity it is also a finding of the preview. */
export interface RuleRemark {
  reason: string;
  /** What was altered, in kubectl's dotted form: `spec.clusterIP`. */
  path?: string;
  severity?: 'error' | 'warning' | 'info';
}

export type RuleVerdict =
  | {action: 'keep'; notes: RuleRemark[]}
  | {action: 'skip'; notes: RuleRemark[]}
  | {action: 'change'; object: KubeObject; notes: RuleRemark[]};

/**
 * How one kind, or one concern, comes back. `apply` is pure and gives undefined when it has nothing to say.
 * `kinds` are written as kubectl does: `Service`, `Deployment.apps`; `all` is every kind.
 */
export interface Rule {
  name: string;
  kinds: readonly string[] | 'all';
  /** Number of the guard that the rule carries out (drill.md, "Guards"). */
  guard?: number;
  /** When the rule works; by default always, and a guard in drills only. */
  when?(context: RuleContext): boolean;
  apply(object: KubeObject, context: RuleContext): RuleVerdict | undefined;
}

/** Leaves the object out. */
export const skip = (reason: string, severity?: RuleRemark['severity']): RuleVerdict => ({
  action: 'skip',
  notes: [severity ? {reason, severity} : {reason}],
});

/** Restores it as it is, with something to know. */
export const keep = (reason: string, severity?: RuleRemark['severity']): RuleVerdict => ({
  action: 'keep',
  notes: [severity ? {reason, severity} : {reason}],
});

/** Collects alterations of one object and gives the verdict for them all. */
export class Change {
  readonly #original: KubeObject;
  readonly #notes: RuleRemark[] = [];
  object: KubeObject;

  constructor(object: KubeObject) {
    this.#original = object;
    this.object = object;
  }

  /** Takes over an altered object; nothing happens when it is the same one. */
  to(object: KubeObject, note: RuleRemark): this {
    if (object === this.object) return this;
    this.object = object;
    this.#notes.push(note);
    return this;
  }

  /** Adds something to know that alters nothing. */
  remark(note: RuleRemark): this {
    this.#notes.push(note);
    return this;
  }

  verdict(): RuleVerdict | undefined {
    if (this.object !== this.#original) return {action: 'change', object: this.object, notes: this.#notes};
    return this.#notes.length > 0 ? {action: 'keep', notes: this.#notes} : undefined;
  }
}
