import {createHash} from 'node:crypto';
import {PassThrough, Transform, Writable} from 'node:stream';
import {pipeline} from 'node:stream/promises';
import {isServerError} from '../cluster/api-error.ts';
import type {Cluster} from '../cluster/client.ts';
import {asError, type ErrorCode, messageOf, PraError} from '../errors.ts';
import type {ClaimRecord} from '../repository/snapshot-root.ts';
import {sleep} from '../std/wait.ts';
import {countEntry, emptyCount, type ManifestCount, readManifest, requireListed} from './manifest.ts';
import {type Identity, identityText, ROOT} from './mover/identity.ts';
import type {MoverJob, Placement} from './mover/job.ts';
import {MoverLost} from './mover/lost.ts';
import {Mover, type MoverOptions, useMover, wordsOf} from './mover/mover.ts';
import {type ByteProgress, isFinal, type PodResticResult, resticInPod} from './mover/restic.ts';
import type {MoverSettings} from './mover/settings.ts';
import type {Restic} from './restic.ts';
import {findNotSaved} from './saved-tree.ts';
import type {StoreLink} from './store-link.ts';

/** A claim whose files are saved. */
export interface ClaimToSave {
  namespace: string;
  /** The claim that the data is of. */
  claim: string;
  /** The claim that is mounted: the same, or a clone of it. */
  mounted: string;
  /** What mounts it, such as StatefulSet/db. */
  workload: string | undefined;
  /** The user that the workload reads it as, when its pods say so. */
  user: Identity | undefined;
  placement: Placement;
  /** The data changes while it is read, since applications go on. */
  isLive: boolean;
}

export interface SaveClaimOptions {
  cluster: Cluster;
  link: StoreLink;
  /** Keeps the manifest. */
  restic: Restic;
  settings: MoverSettings;
  /** Id of the snapshot. */
  run: string;
  signal: AbortSignal;
  onProgress?: ((progress: ByteProgress) => void) | undefined;
  onMessage?: ((message: string) => void) | undefined;
}

/** A mover that is there already. */
export interface Ownership {
  first: Mover;
  /** For a claim that belongs to its mover and goes with it, a clone: makes it belong to another one. */
  adopt?: ((mover: Mover) => Promise<void>) | undefined;
  /** Called when its pod mounts the claim. */
  started?: (() => Promise<void>) | undefined;
}

/** What of the record of a volume the mover finds out. */
export type SavedClaim = Pick<
  ClaimRecord,
  | 'path'
  | 'resticSnapshot'
  | 'bytes'
  | 'files'
  | 'addedBytes'
  | 'manifest'
  | 'runAs'
  | 'transport'
  | 'durationMs'
>;

const ATTEMPTS = 3;
/** How often a volume in use is read until all that did not change is saved. */
const PASSES = 3;
const PAUSE_MS = 2000;
const MAX_CLOCK_CHARS = 64;
/** A restore has begun to fill it. */
export const HALF_FILLED = 5;
/** Some files could not be read. */
const INCOMPLETE = 3;

/** Where a claim lies in a mover and in restic's snapshots: what is compared with the last snapshot of the same claim. */
export const claimPath = (namespace: string, claim: string) => `/pra/${namespace}/${claim}`;

/**
 * Saves the files of a claim: restic reads them in a pod beside the data, and their manifest is taken in the same pod. What
 * breaks is tried again in a new pod, and goes on where it was: restic does not send twice what is in its index, which it
 * stores every ten minutes.
 * @throws PraError VOLUME_SAVE_FAILED, MOVER_*, STORE_*, REPOSITORY_WRONG_KEY
 */
export async function saveClaim(
  claim: ClaimToSave,
  options: SaveClaimOptions,
  ownership?: Ownership,
): Promise<SavedClaim> {
  const began = performance.now();
  const identities = identitiesOf(claim, options.settings);
  let {first, adopt}: Partial<Ownership> = ownership ?? {};
  let owner = first;
  for (let attempt = 1; ; attempt += 1) {
    const [identity = ROOT] = identities;
    const job = saveJob(claim, identity, options);
    const path = claimPath(claim.namespace, claim.claim);
    const about = {signal: options.signal, onProgress: options.onMessage};
    const work = async (mover: Mover) => {
      await ownership?.started?.();
      return readClaim(mover, {claim, path, identity}, options);
    };
    try {
      const isFirst = first !== undefined;
      const mover = first ?? (await Mover.create(options.cluster, job, about));
      first = undefined;
      if (adopt && !isFirst) await handOver(mover, owner, adopt, about);
      owner = mover;
      const release = () => (adopt ? mover.stop() : mover.close());
      return {...(await useMover(mover, about, work, release)), durationMs: since(began)};
    } catch (error) {
      options.signal.throwIfAborted();
      if (identities.length > 1 && isRefusedTo(error)) {
        const [refused = ROOT, next = ROOT] = identities.splice(0, 1).concat(identities);
        options.onMessage?.(
          `${claim.claim}: ${identityText(refused)} may not, so ${identityText(next)} does it`,
        );
        continue;
      }
      if (attempt >= ATTEMPTS || !isWorthAnother(error)) throw error;
      options.onMessage?.(`${claim.claim}: ${messageOf(error)}; again`);
      await sleep(PAUSE_MS * attempt, options.signal);
    }
  }
}

/** Has what belongs to a mover go with another one, which goes itself when that fails. */
async function handOver(
  mover: Mover,
  owner: Mover | undefined,
  adopt: (mover: Mover) => Promise<void>,
  {onProgress}: MoverOptions,
): Promise<void> {
  const note = (error: unknown) => onProgress?.(messageOf(error));
  try {
    await adopt(mover);
  } catch (error) {
    await mover.close().catch(note);
    throw error;
  }
  // On a node that is gone it may take its time; its Job goes by itself.
  await owner?.close().catch(note);
}

const since = (began: number) => Math.round(performance.now() - began);

/** Whom a mover may be, the least privileged first. */
export function identitiesOf({user}: Pick<ClaimToSave, 'user'>, {runAs}: MoverSettings): Identity[] {
  if (runAs === 'root') return [ROOT];
  if (runAs === 'workload') {
    if (user) return [user];
    throw new PraError('VOLUME_SAVE_FAILED', 'the user of the workload is not known', {
      why: 'spec.mover.runAs is workload, and nothing that mounts the claim has a runAsUser',
      next: [
        'name the user in the rule: spec.source.volumes[].user',
        'or let root read it: spec.mover.runAs: auto',
      ],
    });
  }
  return user ? [user, ROOT] : [ROOT];
}

/** Files that this user may not read: another one may. */
class Unreadable extends PraError {
  constructor(claim: string, errors: readonly string[]) {
    super('VOLUME_SAVE_FAILED', `not all files of claim ${claim} could be read`, {
      why: errors.slice(0, 5).join('; '),
    });
  }
}

const isRefusedTo = (error: unknown) =>
  error instanceof Unreadable || (error instanceof PraError && error.code === 'MOVER_DENIED');

/** Whether another pod may do what this one could not. The store has been tried for long enough when it is to blame. */
export const isWorthAnother = (error: unknown): boolean =>
  error instanceof MoverLost || isServerError(error) || (error instanceof PraError && AGAIN.has(error.code));

const AGAIN = new Set<ErrorCode>(['EXEC_FAILED', 'RESTIC_FAILED', 'CLUSTER_UNREACHABLE']);

/** The Job that reads a claim. */
export function saveJob(
  {namespace, claim, mounted, placement}: Pick<ClaimToSave, 'namespace' | 'claim' | 'mounted' | 'placement'>,
  identity: Identity,
  {run, settings}: Pick<SaveClaimOptions, 'run' | 'settings'>,
): MoverJob {
  const claims = [{name: mounted, path: claimPath(namespace, claim)}];
  return {run, purpose: 'save', namespace, claims, identity, placement, settings};
}

async function readClaim(
  mover: Mover,
  about: {claim: ClaimToSave; path: string; identity: Identity},
  options: SaveClaimOptions,
): Promise<Omit<SavedClaim, 'durationMs'>> {
  const {claim, path} = about;
  await requireWhole(mover, claim, path, options.signal);
  for (let pass = 1; ; pass += 1) {
    const {isCut, ...saved} = await readOnce(mover, about, options);
    if (!claim.isLive || (!isCut && saved.manifest.unstable === 0)) return saved;
    const {restic, signal} = options;
    const {resticSnapshot: snapshotId, filename} = saved.manifest;
    const listed = restic.restore({snapshotId, filename, signal});
    const missing = await findNotSaved(
      readManifest(listed.stream),
      restic.walk(saved.resticSnapshot, signal),
      path,
    );
    if (missing.count === 0) return saved;
    const names = missing.shown.join(', ');
    if (pass === PASSES)
      throw new PraError(
        'VOLUME_SAVE_FAILED',
        `claim ${claim.claim} does not hold still enough to be saved`,
        {
          why: `${missing.count} entries that had not changed were not found while it was read, such as ${names}: are folders renamed there?`,
          next: ['save it with csi', 'or hold the application with a hook: spec.source.hooks'],
        },
      );
    options.onMessage?.(`${claim.claim}: ${missing.count} entries were moved while it was read; once more`);
  }
}

async function readOnce(
  mover: Mover,
  {claim, path, identity}: {claim: ClaimToSave; path: string; identity: Identity},
  options: SaveClaimOptions,
): Promise<Omit<SavedClaim, 'durationMs'> & {isCut: boolean}> {
  const {link, restic, run, signal} = options;
  const tags = [`snapshot=${run}`, `volume=${claim.namespace}/${claim.claim}`];
  const since = claim.isLive ? await clockOf(mover, signal) : undefined;
  const list = () => saveManifest(mover, {path, since, restic, tags, claim: claim.claim, signal});
  // What nobody changes can be listed while it is saved.
  const listing = claim.isLive ? undefined : list();
  listing?.catch(() => undefined); // awaited below; until then a failure must not count as unhandled
  const result = await resticInPod(mover, {
    link,
    access: 'append',
    signal,
    args: [
      'backup',
      ...['--host', 'pra'],
      ...tags.flatMap(tag => ['--tag', tag]),
      ...['--exclude', `${path}/lost+found`, '--exclude', `${path}/.pra-restoring`],
      path,
    ],
    onProgress: options.onProgress,
  });
  const saved = requireSaved(claim, result);
  const manifest = await (listing ?? list());
  return {
    path,
    resticSnapshot: saved.snapshot_id,
    bytes: saved.total_bytes_processed,
    files: saved.total_files_processed,
    addedBytes: saved.data_added_packed ?? saved.data_added,
    manifest,
    runAs: identityText(identity),
    transport: result.transport,
    isCut: result.exitCode !== 0,
  };
}

/** Looks whether a restore has left a volume half filled. @returns undefined when it is whole */
export async function faultOf(
  mover: Mover,
  path: string,
  signal: AbortSignal,
): Promise<{isHalf: boolean; why: string} | undefined> {
  const result = await mover.run(['whole', path], {signal});
  return result.exitCode === 0 ? undefined : {isHalf: result.exitCode === HALF_FILLED, why: wordsOf(result)};
}

/** A volume that a restore has half filled must not be saved as if it were whole. */
async function requireWhole(
  mover: Mover,
  {namespace, claim}: ClaimToSave,
  path: string,
  signal: AbortSignal,
): Promise<void> {
  const fault = await faultOf(mover, path, signal);
  if (!fault) return;
  const {why} = fault;
  if (!fault.isHalf)
    throw new PraError('VOLUME_SAVE_FAILED', `claim ${namespace}/${claim} cannot be read`, {why});
  throw new PraError(
    'VOLUME_HALF_FILLED',
    `claim ${namespace}/${claim} is half filled by a restore, so it is not saved`,
    {
      why,
      next: [
        'end that restore: pra restore run --resume latest, or pra recover again',
        'or delete the claim',
      ],
    },
  );
}

function requireSaved({claim, isLive}: ClaimToSave, {exitCode, saved, errors, otherErrors}: PodResticResult) {
  if (exitCode === 0 && saved) return saved;
  // In use, files go while they are read; the manifest says which folders changed.
  const onlyGone = errors.length > 0 && otherErrors === 0;
  if (exitCode === INCOMPLETE && saved && isLive && onlyGone) return saved;
  if (exitCode === INCOMPLETE) throw new Unreadable(claim, errors);
  const why = errors.join('; ') || `restic ended with exit code ${exitCode}`;
  if (/wrong password/i.test(why))
    throw new PraError('REPOSITORY_WRONG_KEY', 'the volumes were saved with another key', {why});
  throw new PraError(
    isFinal(errors) ? 'VOLUME_SAVE_FAILED' : 'RESTIC_FAILED',
    `the data of claim ${claim} could not be saved`,
    {why},
  );
}

async function clockOf(mover: Mover, signal: AbortSignal): Promise<string> {
  let text = '';
  const stdout = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text = (text + chunk.toString('utf8')).slice(0, MAX_CLOCK_CHARS);
      done();
    },
  });
  await mover.run(['now'], {stdout, signal});
  text = text.trim();
  if (!/^\d{1,20}$/.test(text))
    throw new PraError('EXEC_FAILED', 'the clock of the node could not be read', {why: text});
  return text;
}

/** Takes the manifest in the pod, and keeps it beside the data. */
async function saveManifest(
  mover: Mover,
  options: {
    path: string;
    since: string | undefined;
    restic: Restic;
    tags: readonly string[];
    claim: string;
    signal: AbortSignal;
  },
): Promise<ClaimRecord['manifest']> {
  const {path, since, restic, tags, claim, signal} = options;
  const listed = new PassThrough();
  const held = new PassThrough();
  const counting = new PassThrough();
  const hash = createHash('sha256');
  const tee = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      this.push(chunk);
      if (counting.destroyed || counting.write(chunk)) done();
      else counting.once('drain', done).once('close', done);
    },
    flush(done) {
      counting.end();
      done();
    },
  });
  // The end of the list is its end only when the command says so.
  const flowing = pipeline(listed, tee, held, {end: false, signal});
  flowing.catch(() => undefined);
  const counted = count(counting);
  counted.catch((error: unknown) => listed.destroy(asError(error)));
  const listing = (async () => {
    const {exitCode, stderr} = await mover.run(['manifest', path, ...(since === undefined ? [] : [since])], {
      stdout: listed,
      signal,
    });
    if (exitCode !== 0)
      throw /permission denied/i.test(stderr)
        ? new Unreadable(claim, [stderr.trim()])
        : new PraError('VOLUME_SAVE_FAILED', `the files of claim ${claim} could not be listed`, {
            why: stderr.trim(),
          });
    await flowing;
    requireListed(await counted, stderr);
    held.end();
  })();
  listing.catch((error: unknown) => held.destroy(asError(error)));
  const filename = `${claim}.manifest`;
  const saving = restic.backup(held, {filename, tags: [...tags, 'manifest'], signal});
  saving.catch(() => listed.destroy());
  const [list, save] = await Promise.allSettled([listing, saving]);
  if (list.status === 'rejected') throw list.reason;
  if (save.status === 'rejected') throw save.reason;
  return {resticSnapshot: save.value.snapshotId, filename, sha256: hash.digest('hex'), ...(await counted)};
}

async function count(stream: PassThrough): Promise<ManifestCount> {
  const found = emptyCount();
  for await (const entry of readManifest(stream)) countEntry(found, entry);
  return found;
}
