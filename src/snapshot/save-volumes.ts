import type {Cluster} from '../cluster/client.ts';
import {objectRef} from '../cluster/object.ts';
import {messageOf, PraError} from '../errors.ts';
import type {ClaimRecord, VolumeRecord} from '../repository/snapshot-root.ts';
import {stringAt} from '../std/json-at.ts';
import {mapPool} from '../std/pool.ts';
import {
  type CsiClaim,
  type CutSnapshot,
  chooseSnapshotClass,
  cloneSnapshot,
  cutSnapshot,
  disownSnapshot,
  keepSnapshot,
  ownershipOf,
} from '../volume/csi.ts';
import {dropSnapshot} from '../volume/drop-snapshot.ts';
import {type DumpRequest, dumpVolume, type Exec} from '../volume/dump.ts';
import {ROOT} from '../volume/mover/identity.ts';
import {Mover} from '../volume/mover/mover.ts';
import {type MoverSettings, startingWithin} from '../volume/mover/settings.ts';
import {NodePool} from '../volume/node-pool.ts';
import {VolumeMeter} from '../volume/progress.ts';
import type {Restic} from '../volume/restic.ts';
import {
  type ClaimToSave,
  identitiesOf,
  type Ownership,
  type SaveClaimOptions,
  type SavedClaim,
  saveClaim,
  saveJob,
} from '../volume/save-claim.ts';
import {StoreLink} from '../volume/store-link.ts';
import {execWatched} from '../volume/watched-exec.ts';
import type {SnapshotListener} from './event.ts';
import {type ClaimRequest, csiClaimOf, type VolumePlan} from './volumes.ts';

/** What keeps the data of volumes. */
export interface VolumeEngine {
  restic: Restic;
  settings: MoverSettings;
}

export interface SaveVolumesOptions {
  cluster: Cluster;
  plan: VolumePlan;
  engine: VolumeEngine | undefined;
  /** Id of the snapshot. */
  run: string;
  signal: AbortSignal;
  onEvent?: SnapshotListener | undefined;
}

/** Dumps that are taken at the same time. */
const DUMPS = 2;
const KEEP_TIMEOUT_MS = 60_000;

interface Cut {
  request: ClaimRequest;
  claim: CsiClaim;
  snapshot: CutSnapshot;
  /** A record that counts names it. */
  isKept: boolean;
}

/**
 * Saves the data of volumes in two parts: `whileQuiet` takes CSI snapshots, all at once, dumps, and reads files, as long as
 * hooks keep applications still; `afterwards` moves what the CSI snapshots hold. `keep` has those stay that are to, and `end`
 * removes the others.
 */
export class VolumeSaving {
  readonly #options: SaveVolumesOptions;
  readonly #meter = new VolumeMeter();
  readonly #cuts: Cut[] = [];
  readonly #classes = new Map<ClaimRequest, string>();
  /** Pods that run already and wait for their turn. */
  readonly #early = new Map<ClaimRequest, Mover>();
  readonly #records: VolumeRecord[] = [];
  /** What failed first. */
  #failure: {error: unknown} | undefined;

  constructor(options: SaveVolumesOptions) {
    this.#options = options;
  }

  get isNeeded(): boolean {
    const {plan} = this.#options;
    return plan.dumps.length + plan.claims.length > 0;
  }

  /**
   * Does before anybody is kept waiting what can be done before: finds a class of snapshots that is missing, and has the pods
   * run that read live volumes, unless there are more of them than may run at once.
   * @throws PraError VOLUME_SAVE_FAILED, CLUSTER_*
   */
  async prepare(): Promise<void> {
    const {plan, cluster, signal} = this.#options;
    await this.#classesOf(plan.claims);
    const live = plan.claims.filter(({method}) => method === 'filesystem');
    if (live.length === 0 || !this.#fitAtOnce(live)) return;
    await this.#side(
      live.map(async request => {
        const [identity = ROOT] = identitiesOf(request, this.#engine.settings);
        const job = saveJob(toSave(request, request.object.metadata.name), identity, this.#save(request));
        const options = {signal, onProgress: (message: string) => this.#note(message)};
        const mover = await Mover.create(cluster, job, options);
        this.#early.set(request, mover);
        await mover.started(options).catch(async () => {
          signal.throwIfAborted();
          // Why it does not start is found out again, and told, when its turn comes.
          this.#early.delete(request);
          await mover.close().catch((error: unknown) => this.#note(messageOf(error)));
        });
      }),
    );
  }

  #fitAtOnce(requests: readonly ClaimRequest[]): boolean {
    const {parallel, perNode} = this.#engine.settings;
    const onNodes = Map.groupBy(requests, ({node}) => node ?? '');
    onNodes.delete('');
    return requests.length <= parallel && [...onNodes.values()].every(({length}) => length <= perNode);
  }

  async whileQuiet(): Promise<void> {
    const {plan} = this.#options;
    for (const {namespace, name} of plan.unbound)
      this.#note(`PersistentVolumeClaim ${namespace}/${name} has no volume yet: there is nothing to save`);
    await this.#cut(plan.claims.filter(({method}) => method === 'csi'));
    const live = plan.claims.filter(({method}) => method === 'filesystem');
    await this.#side([
      mapPool(plan.dumps, DUMPS, request => this.#record(() => this.#dump(request))),
      this.#pooled(live, request => this.#record(() => this.#files(request))),
    ]);
  }

  async afterwards(): Promise<VolumeRecord[]> {
    await this.#pooled(this.#cuts, cut => this.#record(() => this.#move(cut)));
    const order = (record: VolumeRecord) => `${record.namespace}/${record.pvcs[0] ?? ''} ${record.method}`;
    return this.#records.sort((a, b) => (order(a) < order(b) ? -1 : 1));
  }

  /**
   * Has the CSI snapshots stay that are to be kept. Called when the snapshot that names them exists: before, they go at the end
   * as the others do. Not reached by the abort of a run; what could not be kept is told.
   */
  async keep(): Promise<void> {
    const signal = AbortSignal.timeout(KEEP_TIMEOUT_MS);
    const kept = this.#cuts.filter(({claim}) => claim.csi.keep);
    await Promise.all(
      kept.map(async cut => {
        try {
          await keepSnapshot(this.#options.cluster, cut.snapshot, signal);
          cut.isKept = true;
        } catch (error) {
          this.#note(`VolumeSnapshot ${cut.snapshot.name} could not be kept: ${messageOf(error)}`);
        }
      }),
    );
  }

  /** Not reached by the abort of a run. What could not be removed is told, and goes with its Job. */
  async end(): Promise<void> {
    const {cluster} = this.#options;
    await Promise.all([
      ...[...this.#early.values()].map(mover =>
        mover.close().catch((error: unknown) => this.#note(messageOf(error))),
      ),
      ...this.#cuts.map(({snapshot: {name, mover}, isKept: keep}) =>
        dropSnapshot(cluster, {name, namespace: mover.namespace, mover, keep}).catch((error: unknown) =>
          this.#note(messageOf(error)),
        ),
      ),
    ]);
  }

  /** All snapshots at once, so that the volumes of an application are of nearly the same moment. */
  async #cut(requests: readonly ClaimRequest[]): Promise<void> {
    const claims = requests.flatMap(request => {
      const claim = csiClaimOf(request);
      return claim ? [{request, claim}] : [];
    });
    const classes = await this.#classesOf(requests);
    if (claims.length === 0) return;
    const turns = Math.ceil(claims.length / this.#engine.settings.parallel);
    await this.#side(
      claims.map(async ({request, claim}) => {
        const [identity = ROOT] = identitiesOf(request, this.#engine.settings);
        const options = {...this.#save(request), snapshotClass: classes.get(request) ?? '', identity, turns};
        const snapshot = await cutSnapshot(claim, options);
        this.#cuts.push({request, claim, snapshot, isKept: false});
        this.#note(`${objectRef(request.object)}: a snapshot was taken by ${claim.driver}`);
      }),
    );
  }

  async #classesOf(requests: readonly ClaimRequest[]): Promise<ReadonlyMap<ClaimRequest, string>> {
    const {cluster, signal} = this.#options;
    await Promise.all(
      requests.map(async request => {
        const claim = csiClaimOf(request);
        if (claim && !this.#classes.has(request))
          this.#classes.set(request, await chooseSnapshotClass(cluster, claim, signal));
      }),
    );
    return this.#classes;
  }

  async #move({request, claim, snapshot}: Cut): Promise<ClaimRecord> {
    const {cluster, signal} = this.#options;
    const {name, namespace = ''} = request.object.metadata;
    const options = this.#save(request);
    await cloneSnapshot(claim, snapshot, options);
    const ownership = ownershipOf(cluster, {name, namespace}, snapshot, signal);
    const saved = await this.#saved(request, snapshot.clone, ownership);
    if (claim.csi.keep) await disownSnapshot(cluster, snapshot, signal);
    return {
      ...recordOf(request, saved),
      snapshotClass: snapshot.snapshotClass,
      ...(snapshot.cutAt === undefined ? {} : {snapshotAt: snapshot.cutAt}),
      ...(claim.csi.keep ? {kept: snapshot.name} : {}),
    };
  }

  async #files(request: ClaimRequest): Promise<ClaimRecord> {
    const first = this.#early.get(request);
    this.#early.delete(request);
    return recordOf(request, await this.#saved(request, request.object.metadata.name, first && {first}));
  }

  async #saved(request: ClaimRequest, mounted: string, ownership?: Ownership): Promise<SavedClaim> {
    const {onEvent} = this.#options;
    const workload = nameOf(request);
    onEvent?.({type: 'volume', workload, state: 'started'});
    const saved = await saveClaim(toSave(request, mounted), this.#save(request), ownership);
    onEvent?.({type: 'volume', workload, state: 'saved', bytes: saved.bytes, addedBytes: saved.addedBytes});
    if (saved.manifest.unstable > 0 && request.method === 'filesystem')
      this.#note(
        `${workload}: ${saved.manifest.unstable} of ${saved.manifest.entries} entries changed while they were saved; a hook that keeps the application still, or method csi, prevents that`,
      );
    return saved;
  }

  async #dump(request: DumpRequest): Promise<VolumeRecord> {
    const {cluster, run, signal, onEvent} = this.#options;
    const workload = `${request.namespace} ${request.workload}`;
    onEvent?.({type: 'volume', workload, state: 'started'});
    const exec: Exec = execution => execWatched(cluster, {...execution, confirmEnd: true});
    const record = await dumpVolume({
      exec,
      restic: this.#engine.restic,
      request,
      tags: [`snapshot=${run}`],
      signal,
    });
    onEvent?.({type: 'volume', workload, state: 'saved', bytes: record.bytes});
    return record;
  }

  #save(request: ClaimRequest): SaveClaimOptions {
    const {cluster, run, signal, onEvent} = this.#options;
    const {restic, settings: common} = this.#engine;
    // Some storage copies a whole volume to make a clone of it.
    const settings = request.csi ? startingWithin(common, request.csi.timeoutMs) : common;
    const volume = nameOf(request);
    return {
      cluster,
      restic,
      settings,
      run,
      signal,
      link: new StoreLink({repository: restic.repository, store: restic.store, settings}),
      onProgress: progress =>
        onEvent?.({type: 'volume-progress', progress: this.#meter.note(volume, progress)}),
      onMessage: message => this.#note(message),
    };
  }

  get #engine(): VolumeEngine {
    const {engine, plan} = this.#options;
    if (!engine)
      throw new PraError(
        'BUG',
        `nothing keeps the data of ${plan.dumps.length + plan.claims.length} volumes`,
      );
    return engine;
  }

  /**
   * Saves a volume, unless another one has failed meanwhile: for nothing applications would be kept still then. What is under way
   * may end, and what is told is what failed first.
   */
  async #record(save: () => Promise<VolumeRecord>): Promise<void> {
    if (this.#failure) throw this.#failure.error;
    try {
      this.#records.push(await save());
    } catch (error) {
      this.#failure ??= {error};
      throw this.#failure.error;
    }
  }

  async #pooled<T extends ClaimRequest | Cut>(
    items: readonly T[],
    work: (item: T) => Promise<void>,
  ): Promise<void> {
    if (items.length === 0) return;
    const pool = new NodePool(this.#engine.settings);
    await this.#side(items.map(item => pool.run('node' in item ? item.node : undefined, () => work(item))));
  }

  /** Waits for all, also when one fails: what is under way must not go on behind an error. */
  async #side(work: readonly Promise<unknown>[]): Promise<void> {
    const ended = await Promise.allSettled(work);
    for (const result of ended) if (result.status === 'rejected') throw result.reason;
  }

  #note(message: string): void {
    this.#options.onEvent?.({type: 'volume-note', message});
  }
}

const nameOf = ({object: {metadata}}: ClaimRequest) =>
  `${metadata.namespace} PersistentVolumeClaim/${metadata.name}`;

const toSave = ({object, method, workload, node, user}: ClaimRequest, mounted: string): ClaimToSave => ({
  namespace: object.metadata.namespace ?? '',
  claim: object.metadata.name,
  mounted,
  workload,
  user,
  // A clone is a volume of its own, which any node may mount that can reach its storage.
  placement: method === 'filesystem' && node !== undefined ? {node} : {},
  isLive: method === 'filesystem',
});

function recordOf(request: ClaimRequest, saved: SavedClaim): ClaimRecord {
  const {object, method, workload, driver, user} = request;
  const capacity = stringAt(object, 'status', 'capacity', 'storage');
  const storageClass = stringAt(object, 'spec', 'storageClassName');
  return {
    method,
    namespace: object.metadata.namespace ?? '',
    ...(workload === undefined ? {} : {workload}),
    pvcs: [object.metadata.name],
    ...(capacity === undefined ? {} : {capacity}),
    ...(storageClass === undefined ? {} : {storageClass}),
    ...(driver === undefined ? {} : {driver}),
    ...(user?.kind === 'user'
      ? {user: {uid: user.uid, groups: user.groups, ...(user.gid === undefined ? {} : {gid: user.gid})}}
      : {}),
    ...saved,
  };
}
