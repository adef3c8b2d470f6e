import type {Cluster} from '../cluster/client.ts';
import type {KubeObject} from '../cluster/object.ts';
import {type ObjectHealth, waitHealthy} from '../cluster/wait-healthy.ts';
import {orderGroups} from '../plan/graph.ts';
import type {ExistingPolicy} from '../plan/schema/existing.ts';
import {podSpecIn} from '../snapshot/pod-spec.ts';
import {progressText} from '../volume/progress.ts';
import type {PlannedClaims} from './claim-groups.ts';
import {summarizeRestore} from './completeness.ts';
import {writeName} from './create.ts';
import {type FillRun, proofOf, splitOld, type VolumeFilling} from './fill-volumes.ts';
import {FINAL_REASONS} from './final-reasons.ts';
import type {RestoreJournal, RestoreSummary} from './journal.ts';
import {UidMap} from './owners.ts';
import type {RestorePlan} from './preview.ts';
import {findPruned, type PruneScope, pruneObjects} from './prune.ts';
import type {RestoreTarget} from './rules/rule.ts';
import {restoreWaves} from './run.ts';
import type {ObjectOutcome, RestoreListener, RestoreOptions} from './session.ts';
import {startGroup} from './start.ts';

export interface ExecuteOptions {
  cluster: Cluster;
  plan: RestorePlan;
  target: RestoreTarget;
  existing: (object: KubeObject) => ExistingPolicy;
  prune?: PruneScope | undefined;
  /** Claims that get their data, and what fills them; none without it. */
  volumes?: {claims: readonly PlannedClaims[]; filling: VolumeFilling} | undefined;
  journal: RestoreJournal;
  /** What an earlier run of this restore has done. */
  done?: ReadonlyMap<string, ObjectOutcome> | undefined;
  /** How long backends of webhooks, targets of autoscalers and each group are waited for. */
  readyTimeoutMs: number;
  /** How long all workloads are waited for at the end; not at all without it. */
  waitMs?: number | undefined;
  signal: AbortSignal;
  onEvent?: RestoreListener | undefined;
  onHealth?: ((health: ObjectHealth) => void) | undefined;
}

export interface RestoreResult {
  result: 'complete' | 'incomplete' | 'interrupted';
  summary: RestoreSummary;
  /** Why it ended before its end. */
  error: unknown;
}

/**
 * Carries a plan out: waves, groups in the order of their dependencies, admission, and then what is one too many. Every
 * write is in the journal. Whatever ends it, each object is accounted for: restored, skipped, failed, or not reached.
 * @throws PraError BUG when that does not add up
 */
export async function executeRestore(options: ExecuteOptions): Promise<RestoreResult> {
  const began = performance.now();
  const run = new Execution(options);
  let error: unknown;
  try {
    await run.all();
  } catch (thrown) {
    error = thrown;
  }
  const summary = run.summary(Math.round(performance.now() - began));
  const isWhole = summary.failures.length === 0 && summary.unhealthy.length === 0;
  const result = options.signal.aborted
    ? 'interrupted'
    : error === undefined && isWhole
      ? 'complete'
      : 'incomplete';
  options.journal.end(result, summary);
  return {result, summary, error};
}

/** A group without the claims that are done, or were not made. */
function onlyOf(group: PlannedClaims, isOpen: (ref: string) => boolean): PlannedClaims {
  const kept = group.refs.map(isOpen);
  return {
    ...group,
    claims: group.claims.filter((_, index) => kept[index]),
    refs: group.refs.filter((_, index) => kept[index]),
  };
}

class Execution {
  readonly #options: ExecuteOptions;
  readonly #outcomes: ObjectOutcome[];
  readonly #warnings: RestoreSummary['warnings'] = [];
  readonly #deleted: string[] = [];
  readonly #failures: RestoreSummary['failures'] = [];
  readonly #filled: NonNullable<RestoreSummary['volumes']> = [];
  #unhealthy: RestoreSummary['unhealthy'] = [];
  readonly #restore: RestoreOptions;

  constructor(options: ExecuteOptions) {
    this.#options = options;
    const {cluster, plan, existing, done, readyTimeoutMs, signal, journal, onEvent} = options;
    this.#outcomes = [...(done?.values() ?? [])].filter(({outcome}) => outcome !== 'failed');
    this.#restore = {
      cluster,
      plan,
      existing,
      uids: new UidMap(),
      done,
      readyTimeoutMs,
      signal,
      onEvent: event => {
        if (event.type === 'object') {
          this.#outcomes.push(event.outcome);
          journal.object(event.outcome);
        }
        if (event.type === 'warning') this.#warnings.push({ref: event.ref, message: event.message});
        onEvent?.(event);
      },
    };
  }

  async all(): Promise<void> {
    const afterVolumes = () => this.#fillVolumes();
    await restoreWaves({...this.#restore, when: 'before-groups', afterVolumes});
    await this.#groups();
    await restoreWaves({...this.#restore, when: 'after-groups'});
    await this.#prune();
    await this.#wait();
    await this.#options.journal.flush();
  }

  /** Claims get their data; those that were there and hold something else keep it, and that is said. */
  async #fillVolumes(): Promise<void> {
    const {volumes, target, done, signal, journal} = this.#options;
    if (!volumes) return;
    const failed = new Set(this.#outcomes.filter(({outcome}) => outcome === 'failed').map(({ref}) => ref));
    const isOpen = (ref: string) => !failed.has(ref) && !done?.has(writeName({ref, followUp: true}));
    const split = volumes.claims.map(group =>
      splitOld(onlyOf(group, isOpen), place => target.claims?.has(place) ?? false),
    );
    const how: FillRun = {
      signal,
      onMessage: message => this.#restore.onEvent?.({type: 'volume', message}),
      onProgress: progress => this.#restore.onEvent?.({type: 'volume', message: progressText(progress)}),
      onFilled: (filled, {claims, refs}) => {
        const ref = refs[claims.findIndex(({claim}) => claim === filled.claim)] ?? filled.claim;
        const proof = proofOf(filled);
        journal.object({
          ref,
          kind: 'PersistentVolumeClaim',
          outcome: 'changed',
          reason: proof,
          followUp: true,
        });
        this.#filled.push({ref, bytes: filled.bytes, files: filled.comparison.found.files, proof});
        this.#restore.onEvent?.({type: 'volume', message: `${ref}: ${proof}`});
      },
    };
    await volumes.filling.fill(
      split.flatMap(({fresh}) => fresh).filter(({claims}) => claims.length > 0),
      how,
    );
    for (const group of split.flatMap(({old}) => old)) {
      if (!(await volumes.filling.fillUnlessHeld(group, how))) continue;
      const [ref = ''] = group.refs;
      const message = `${ref} was there and keeps what it holds: the data of the snapshot was not restored into it`;
      this.#restore.onEvent?.({type: 'warning', ref, message});
    }
  }

  /** Groups start one after another in the order of what they depend on; one that is not healthy holds back those. */
  async #groups(): Promise<void> {
    const {groups} = this.#options.plan;
    const sick = new Set<string>();
    for (const name of orderGroups(groups).flat()) {
      const group = groups.find(candidate => candidate.name === name);
      const held = group?.dependsOn.find(needed => sick.has(needed));
      if (held !== undefined) {
        sick.add(name);
        this.#failures.push({ref: `group ${name}`, reason: `not started: group ${held} is not healthy`});
        continue;
      }
      const started = await startGroup({
        ...this.#restore,
        group: name,
        timeoutMs: this.#options.readyTimeoutMs,
      });
      if (started.healthy) continue;
      sick.add(name);
      this.#unhealthy.push(
        ...started.workloads
          .filter(({state}) => state !== 'healthy')
          .map(({ref, state, reason}) => ({ref, state, reason})),
      );
    }
  }

  /** Only when all else is restored: what is one too many may be what something else still needs. */
  async #prune(): Promise<void> {
    const {prune, journal} = this.#options;
    if (!prune || this.#outcomes.some(({outcome}) => outcome === 'failed')) return;
    const surplus = await findPruned({...this.#options, scope: prune});
    for (const {ref, outcome, reason} of await pruneObjects(surplus, this.#options)) {
      if (outcome === 'failed') this.#failures.push({ref, reason: `could not be deleted: ${reason}`});
      else {
        this.#deleted.push(ref);
        journal.deleted(ref);
      }
    }
  }

  async #wait(): Promise<void> {
    const {plan, cluster, waitMs, signal, onHealth, onEvent} = this.#options;
    if (waitMs === undefined || plan.groups.length > 0) return;
    const workloads = plan.waves.flatMap(wave =>
      wave.items.filter(({object}) => podSpecIn(object) !== undefined && object.kind !== 'CronJob'),
    );
    if (workloads.length === 0) return;
    onEvent?.({type: 'waiting', waitingFor: `${workloads.length} workloads to be healthy`});
    const targets = workloads.map(({type, name, namespace}) => ({
      type,
      name,
      namespace: namespace || undefined,
    }));
    const {objects} = await waitHealthy(cluster, targets, {
      timeoutMs: waitMs,
      signal,
      finalReasons: FINAL_REASONS,
      accept: ['healthy', 'inert', 'suspended'],
      ...(onHealth ? {onChange: onHealth} : {}),
    });
    this.#unhealthy = objects
      .filter(({state}) => !['healthy', 'inert', 'suspended'].includes(state))
      .map(({ref, state, reason}) => ({ref, state, reason}));
  }

  summary(durationMs: number): RestoreSummary {
    const {kinds, failures, skips} = summarizeRestore(this.#options.plan, this.#outcomes);
    return {
      kinds,
      failures: [...failures, ...this.#failures],
      skips,
      deleted: this.#deleted,
      warnings: this.#warnings,
      unhealthy: this.#unhealthy,
      ...(this.#options.volumes ? {volumes: this.#filled} : {}),
      durationMs,
    };
  }
}
