import {rm} from 'node:fs/promises';
import type {Cluster} from '../cluster/client.ts';
import type {KubeObject} from '../cluster/object.ts';
import {PraError} from '../errors.ts';
import type {LoadedPlan} from '../plan/load.ts';
import type {ExistingPolicy} from '../plan/schema/existing.ts';
import type {WorkloadRef} from '../probe/probe.ts';
import type {Repository} from '../repository/repository.ts';
import type {SnapshotRoot} from '../repository/snapshot-root.ts';
import type {PlannedClaims} from '../restore/claim-groups.ts';
import {existingPolicyOf} from '../restore/existing-policy.ts';
import {VolumeFilling} from '../restore/fill-volumes.ts';
import type {RestorePlan} from '../restore/preview.ts';
import {type ObjectOutcome, UidMap} from '../restore/run.ts';
import type {Json} from '../std/json.ts';
import {sleep} from '../std/wait.ts';
import type {TargetOutputs} from '../terraform/outputs.ts';
import type {Workspace} from '../terraform/workspace.ts';
import {moverSettings} from '../volume/mover/settings.ts';
import type {Restic} from '../volume/restic.ts';
import type {RunLog} from './context.ts';
import type {RunMode} from './event.ts';
import type {Journal} from './journal.ts';
import type {Recovery} from './recovery.ts';
import type {ScriptContext} from './script.ts';

/** How the recovery point of a run is chosen: `fresh` takes a new snapshot first; `id` of `latest` is which one it was when it was confirmed. */
export type SnapshotChoice = {policy: 'fresh'} | {policy: 'latest'; id?: string} | {policy: 'id'; id: string};

export interface DrillRunOptions {
  drillId: string;
  dir: string;
  /** What makes the run a real recovery; a drill without it. */
  recovery: Recovery | undefined;
  loaded: LoadedPlan;
  repository: Repository;
  restic: Restic;
  /** Connects to the source; asked only when it is needed, because after a disaster it may be gone. */
  connectSource: () => Promise<Cluster>;
  choice: SnapshotChoice;
  journal: Journal;
  log: RunLog;
  userAgent: string;
  toolVersion: string;
  groupOrder: readonly string[];
}

/** What the steps of one run hand to each other. A getter that starts with `need` throws when a step ran out of order. */
export class DrillRun {
  readonly drillId: string;
  readonly dir: string;
  readonly mode: RunMode;
  readonly recovery: Recovery | undefined;
  readonly loaded: LoadedPlan;
  readonly repository: Repository;
  readonly restic: Restic;
  readonly connectSource: () => Promise<Cluster>;
  readonly choice: SnapshotChoice;
  readonly journal: Journal;
  readonly log: RunLog;
  readonly userAgent: string;
  readonly toolVersion: string;
  readonly groupOrder: readonly string[];

  snapshot: SnapshotRoot | undefined;
  /** What the canary probe must find: the nonce of the newest canary that anyone knows of. */
  expectedCanary: SnapshotRoot['canary'];
  workspace: Workspace | undefined;
  outputs: TargetOutputs | undefined;
  target: Cluster | undefined;
  restorePlan: RestorePlan | undefined;
  /** Claims that get their data before workloads start. */
  claims: readonly PlannedClaims[] = [];
  /** Claims that the target had before the run, `namespace/name`. */
  claimsBefore: ReadonlySet<string> = new Set();
  /** Of these, the claims that have none yet. */
  readonly unfilled = new Set<string>();
  readonly #ended = new Set<string>();
  #filling: VolumeFilling | undefined;
  readonly uids = new UidMap();
  readonly outcomes: ObjectOutcome[] = [];
  /** Sentences that each make the recovery a failed one. */
  readonly failures: string[] = [];
  readonly #temporaries: string[] = [];
  private readonly unhealthyGroups: Set<string>;
  private readonly emptyGroups: Set<string>;

  constructor(options: DrillRunOptions) {
    this.drillId = options.drillId;
    this.dir = options.dir;
    this.mode = options.recovery ? 'recover' : 'drill';
    this.recovery = options.recovery;
    this.loaded = options.loaded;
    this.repository = options.repository;
    this.restic = options.restic;
    this.connectSource = options.connectSource;
    this.choice = options.choice;
    this.journal = options.journal;
    this.log = options.log;
    this.userAgent = options.userAgent;
    this.toolVersion = options.toolVersion;
    this.groupOrder = options.groupOrder;
    this.unhealthyGroups = new Set(options.groupOrder);
    this.emptyGroups = new Set(options.groupOrder);
  }

  /** What becomes of objects that the target has; a drill's target has none but those that every cluster makes. */
  get existing(): ((object: KubeObject) => ExistingPolicy) | undefined {
    return this.recovery && existingPolicyOf(this.recovery.existing);
  }

  /** Has a file removed when the run ends. */
  onEnd(file: string): void {
    this.#temporaries.push(file);
  }

  /** Lets go of the target and removes what is only of use while the run goes on. */
  async close(): Promise<void> {
    await this.target?.close();
    for (const file of this.#temporaries) await rm(file, {force: true});
  }

  get plan(): LoadedPlan['plan'] {
    return this.loaded.plan;
  }

  /** Whether data comes back into workloads that run. */
  get hasDumps(): boolean {
    return this.plan.spec.source.volumes.some(volume => volume.method === 'dump');
  }

  /** Whether claims are filled before workloads start. */
  get hasClaims(): boolean {
    return this.plan.spec.source.volumes.some(({method}) => method === 'csi' || method === 'filesystem');
  }

  needSnapshot(): SnapshotRoot {
    return this.snapshot ?? outOfOrder('snapshot');
  }

  needTarget(): {target: Cluster; outputs: TargetOutputs} {
    return {target: this.target ?? outOfOrder('target'), outputs: this.outputs ?? outOfOrder('target')};
  }

  needRestorePlan(): RestorePlan {
    return this.restorePlan ?? outOfOrder('restore plan');
  }

  /** The last group to get healthy sets T4; with no data to bring back, T3 was reached with the objects. */
  groupHealthy(group: string): void {
    this.unhealthyGroups.delete(group);
    if (this.unhealthyGroups.size === 0) this.log.mark('T4');
  }

  /** The last group to have its data sets T3. */
  groupHasData(group: string): void {
    this.emptyGroups.delete(group);
    const dumped = this.needSnapshot().volumes.filter(volume => volume.method === 'dump');
    const waiting = dumped.filter(volume =>
      this.workloadsOf([...this.emptyGroups]).some(
        ({namespace, name}) => namespace === volume.namespace && volume.workload.endsWith(`/${name}`),
      ),
    );
    if (waiting.length === 0) this.emptyGroups.clear();
    this.#markData();
  }

  /** Claims of which all data is there. */
  claimsFilled(refs: readonly string[]): void {
    for (const ref of refs) this.unfilled.delete(ref);
    this.#markData();
  }

  #markData(): void {
    if (this.unfilled.size === 0 && (!this.hasDumps || this.emptyGroups.size === 0)) this.log.mark('T3');
  }

  /** The filling of these has ended, whole or not. */
  claimsEnded(refs: readonly string[]): void {
    for (const ref of refs) this.#ended.add(ref);
  }

  /**
   * Claims that have to be filled before a group starts: those that its workloads mount, whichever group's step fills
   * them, and, where it has operators, those of which nobody knows what mounts them: pods that an operator makes.
   * @throws PraError VOLUME_RESTORE_FAILED when one of them was not filled
   */
  async waitClaims(
    group: string,
    step: {signal: AbortSignal; progress: (message: string) => void},
  ): Promise<void> {
    const planned = this.needRestorePlan().groups.find(({name}) => name === group);
    const members = [...(planned?.operators ?? []), ...(planned?.workloads ?? [])].map(({item}) => item.ref);
    const late = planned?.late.map(({ref}) => ref) ?? [];
    const hasOperators = (planned?.operators.length ?? 0) > 0;
    const needed = this.claims
      .filter(({users}) =>
        users.length === 0 ? hasOperators : users.some(ref => members.includes(ref) || late.includes(ref)),
      )
      .flatMap(({refs}) => refs);
    const open = () => needed.filter(ref => !this.#ended.has(ref));
    if (open().length > 0) step.progress(`waiting for the data of ${open().join(', ')}`);
    while (open().length > 0) await sleep(100, step.signal);
    const empty = needed.filter(ref => this.unfilled.has(ref));
    if (empty.length > 0)
      throw new PraError(
        'VOLUME_RESTORE_FAILED',
        `not started, since the data of ${empty.join(', ')} is not there`,
        {
          next: ['see the step that restores these volumes'],
        },
      );
  }

  /** What fills claims, for all groups of the run. */
  get filling(): VolumeFilling {
    this.#filling ??= new VolumeFilling({
      cluster: this.needTarget().target,
      restic: this.restic,
      settings: moverSettings(this.plan),
      run: this.drillId,
    });
    return this.#filling;
  }

  /** Workloads that the restore starts: of these groups, or of all. */
  workloadsOf(groups: readonly string[] | undefined): WorkloadRef[] {
    return this.needRestorePlan()
      .groups.filter(group => groups === undefined || groups.includes(group.name))
      .flatMap(group =>
        [...group.operators, ...group.workloads].map(({item}) => ({
          type: item.type,
          name: item.object.metadata.name,
          namespace: item.object.metadata.namespace,
        })),
      );
  }

  /** Folder that relative paths of the plan's steps start from. */
  get planDir(): string {
    return this.loaded.dir;
  }

  /** What the preview already found missing for these objects: the likely cause of their trouble. */
  missingReferences(refs: readonly string[]): string | undefined {
    const findings = this.restorePlan?.findings.filter(
      finding => finding.severity === 'error' && refs.some(ref => finding.message.includes(ref)),
    );
    return findings && findings.length > 0 ? findings.map(finding => finding.message).join('; ') : undefined;
  }

  /** The target's facts as plain JSON, for the record. */
  jsonFacts(): Record<string, Json> {
    return JSON.parse(JSON.stringify(this.outputs?.facts ?? {}));
  }

  scriptContext(group: string, step: string): ScriptContext {
    return {
      drillId: this.drillId,
      plan: this.plan.metadata.name,
      mode: this.mode,
      group,
      step,
      snapshot: this.needSnapshot().id,
      kubeconfig: this.needTarget().outputs.kubeconfigPath,
    };
  }
}

function outOfOrder(what: string): never {
  throw new PraError('BUG', `a step asked for the ${what} before there was one`);
}
