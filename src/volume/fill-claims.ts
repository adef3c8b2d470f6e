import {PassThrough} from 'node:stream';
import {deleteObject} from '../cluster/apply.ts';
import type {Cluster} from '../cluster/client.ts';
import {CORE_TYPES} from '../cluster/core-types.ts';
import {listAll} from '../cluster/list.ts';
import {asError, messageOf, PraError} from '../errors.ts';
import type {ClaimRecord} from '../repository/snapshot-root.ts';
import {sleep, waitFor} from '../std/wait.ts';
import {type Comparison, compareManifests, readManifest, requireListed} from './manifest.ts';
import {type Identity, identityText, ROOT} from './mover/identity.ts';
import {MOVER_LABEL, type MoverJob, mountsAny, type Placement} from './mover/job.ts';
import {type Mover, withMover, wordsOf} from './mover/mover.ts';
import {type ByteProgress, isFinal, resticInPod} from './mover/restic.ts';
import {type MoverSettings, moverTimes} from './mover/settings.ts';
import type {Restic} from './restic.ts';
import {faultOf, HALF_FILLED, isWorthAnother} from './save-claim.ts';
import type {StoreLink} from './store-link.ts';

/** A claim of the target and what it is to hold. */
export interface ClaimToFill {
  claim: string;
  record: ClaimRecord;
}

/** Claims that one pod will mount together, so that their volumes have to be made in one place. */
export interface ClaimGroup {
  namespace: string;
  claims: readonly ClaimToFill[];
  /** Claims that are mounted too and not filled, so that the volumes of all of them can be mounted in one place. */
  beside?: readonly ClaimToFill[] | undefined;
  placement: Placement;
}

export interface FillOptions {
  cluster: Cluster;
  link: StoreLink;
  restic: Restic;
  settings: MoverSettings;
  /** Id of the drill or restore. */
  run: string;
  signal: AbortSignal;
  onProgress?: ((claim: string, progress: ByteProgress) => void) | undefined;
  onMessage?: ((message: string) => void) | undefined;
  /** Told of each claim as soon as it is whole. */
  onFilled?: ((filled: FilledClaim) => void) | undefined;
}

export interface FilledClaim {
  record: ClaimRecord;
  claim: string;
  bytes: number;
  comparison: Comparison;
  runAs: string;
  transport: 'stream' | 'direct';
  durationMs: number;
}

const ATTEMPTS = 3;
const PAUSE_MS = 2000;
/** The volume holds something. */
const NOT_EMPTY = 4;
const NO_SPACE = /no space left|disk quota|ENOSPC|EDQUOT/i;
/** What restic says of data that is not what it wrote. No other attempt finds it whole. */
const DAMAGED = /ciphertext verification failed|wrong data returned|invalid data returned/i;

/**
 * Fills claims that are empty, and compares each file with the manifest that was taken in the source. A claim that is not
 * whole keeps a mark in its root until it is, so that it never passes for restored. What breaks is tried again in a new pod
 * and goes on where it was.
 * @throws PraError VOLUME_NOT_EMPTY, VOLUME_RESTORE_FAILED, MOVER_*, STORE_*
 */
export async function fillClaims(group: ClaimGroup, options: FillOptions): Promise<FilledClaim[]> {
  const identities = identitiesOf(group, options.settings);
  const filled: FilledClaim[] = [];
  const proved = new Set<string>();
  for (let attempt = 1; ; attempt += 1) {
    const [identity = ROOT] = identities;
    const left = group.claims.filter(({claim}) => !filled.some(one => one.claim === claim));
    const job = fillJob({...group, claims: left}, identity, options);
    try {
      await endOthers(group, attempt === 1, options);
      await withMover(
        options.cluster,
        job,
        {signal: options.signal, onProgress: options.onMessage},
        async mover => {
          for (const claim of left) {
            const one = await fillClaim(mover, claim, {...options, identity, proved});
            filled.push(one);
            options.onFilled?.(one);
          }
        },
      );
      return filled;
    } catch (error) {
      options.signal.throwIfAborted();
      if (error instanceof PraError && error.code === 'MOVER_DENIED' && identities.length > 1) {
        identities.shift();
        options.onMessage?.(
          `${identityText(identity)} is not allowed in ${group.namespace}: ${identityText(identities[0] ?? ROOT)} does it`,
        );
        continue;
      }
      if (attempt >= ATTEMPTS || !isWorthAnother(error)) throw error;
      options.onMessage?.(`${group.namespace}: ${messageOf(error)}; again`);
      await sleep(PAUSE_MS * attempt, options.signal);
    }
  }
}

/**
 * Ends what another run has left at work in these volumes: who started it may be gone, and what it runs there would go on to
 * write. A run that comes in the way of this one later is not fought with.
 * @throws PraError MOVER_FAILED when it does not end
 */
async function endOthers(
  {namespace, claims}: ClaimGroup,
  isFirst: boolean,
  {cluster, settings, signal, onMessage}: FillOptions,
): Promise<void> {
  const names = claims.map(({claim}) => claim);
  const find = async () => {
    const labelSelector = `${MOVER_LABEL}=restore`;
    const pods = await listAll(cluster, CORE_TYPES.Pod, {namespace, labelSelector, signal});
    return pods.filter(pod => mountsAny(pod, names));
  };
  const found = await find();
  if (found.length === 0) return;
  const pods = found.map(({metadata}) => `${namespace}/${metadata.name}`).join(', ');
  const why = `${pods} mounts what is to be filled`;
  const next = [
    'wait until the other restore has ended',
    `or see whether its node is off: kubectl get pods -n ${namespace} -o wide`,
  ];
  if (!isFirst)
    throw new PraError('MOVER_FAILED', 'another restore has begun to fill these claims', {why, next});
  onMessage?.(`${pods}: a restore that did not end still mounts what is to be filled; it is ended`);
  for (const {metadata} of found) {
    const name = metadata.labels?.['batch.kubernetes.io/job-name'];
    if (name !== undefined) await deleteObject(cluster, CORE_TYPES.Job, {name, namespace}, {signal});
    await deleteObject(cluster, CORE_TYPES.Pod, {name: metadata.name, namespace}, {signal});
  }
  await waitFor(async () => (await find()).length === 0 || undefined, {
    waitingFor: `${pods} to end`,
    timeoutMs: moverTimes(settings).goneMs,
    intervalMs: 200,
    signal,
  }).catch((error: unknown) => {
    if (!(error instanceof PraError) || error.code !== 'TIMEOUT') throw error;
    throw new PraError('MOVER_FAILED', 'a pod of another restore does not end', {why, next, cause: error});
  });
}

/** Root first, which alone can give files other owners than itself; the user of the workload where root may not be. */
function identitiesOf({claims}: Pick<ClaimGroup, 'claims'>, {runAs}: MoverSettings): Identity[] {
  const users = new Map(claims.map(({record}) => [JSON.stringify(record.user), record.user]));
  const [user] = users.values();
  const known: Identity[] = users.size === 1 && user ? [{kind: 'user', ...user}] : [];
  if (runAs === 'root') return [ROOT];
  if (runAs === 'auto') return [ROOT, ...known];
  if (known.length > 0) return known;
  throw new PraError('VOLUME_RESTORE_FAILED', 'the user of the workload is not known', {
    why: 'spec.mover.runAs is workload, and the snapshot does not say who owns the files, or claims of one pod have several users',
    next: ['let root restore them: spec.mover.runAs: auto'],
  });
}

/**
 * Looks, beside the pods that mount them, whether a restore has left claims half filled.
 * @throws PraError VOLUME_HALF_FILLED, MOVER_*
 */
export async function requireWholeInUse(
  {namespace, claims}: Omit<ClaimGroup, 'placement'>,
  {
    cluster,
    settings,
    run,
    node,
    signal,
    onMessage,
  }: Pick<FillOptions, 'cluster' | 'settings' | 'run' | 'signal' | 'onMessage'> & {node: string},
): Promise<void> {
  const mounted = claims.map(({claim, record}) => ({name: claim, path: record.path}));
  const identities = identitiesOf({claims}, settings);
  const look = async (mover: Mover) => {
    for (const {name, path} of mounted) {
      const fault = await faultOf(mover, path, signal);
      if (!fault) continue;
      const {why} = fault;
      if (!fault.isHalf)
        throw new PraError('VOLUME_RESTORE_FAILED', `claim ${namespace}/${name} cannot be looked at`, {why});
      throw new PraError(
        'VOLUME_HALF_FILLED',
        `claim ${namespace}/${name} is half filled by a restore that did not end, and a pod mounts it`,
        {why, next: ['scale down what mounts it, and restore again: it goes on where it was']},
      );
    }
  };
  for (const [index, identity] of identities.entries()) {
    const job: MoverJob = {
      ...{run, purpose: 'save', namespace, claims: mounted},
      ...{identity, placement: {node}, settings},
    };
    try {
      return await withMover(cluster, job, {signal, onProgress: onMessage}, look);
    } catch (error) {
      const isLast = index === identities.length - 1;
      if (isLast || !(error instanceof PraError) || error.code !== 'MOVER_DENIED') throw error;
    }
  }
}

/** The Job that fills claims; each is mounted where it was in the source, whatever its namespace is called now. */
function fillJob(
  {namespace, claims, beside = [], placement}: ClaimGroup,
  identity: Identity,
  {run, settings}: FillOptions,
): MoverJob {
  const mounted = [...claims, ...beside].map(({claim, record}) => ({name: claim, path: record.path}));
  return {run, purpose: 'restore', namespace, claims: mounted, identity, placement, settings};
}

async function fillClaim(
  mover: Mover,
  {claim, record}: ClaimToFill,
  options: FillOptions & {
    identity: Identity;
    /** Claims that were compared in another pod, which then went before it could finish them. */
    proved: Set<string>;
  },
): Promise<FilledClaim> {
  const began = performance.now();
  const {link, signal, identity, proved} = options;
  const {path} = record;
  const isRoot = identity.kind === 'root';
  const taken = await prepare(mover, {claim, record, signal});
  if (taken.isHeld) {
    const isProved = proved.has(claim);
    const comparison = await compareWithHeld(mover, {record, claim, isRoot, isProved, options}, taken.why);
    const durationMs = Math.round(performance.now() - began);
    const about = {runAs: identityText(identity), transport: record.transport, durationMs};
    return {record, claim, bytes: comparison.found.bytes, comparison, ...about};
  }
  // The root of a volume is the kubelet's: only root can give it back its owner and mode.
  const folder = isRoot ? path.slice(0, path.lastIndexOf('/')) : path;
  const {exitCode, errors, transport} = await resticInPod(mover, {
    link,
    access: 'read',
    signal,
    args: [
      'restore',
      `${record.resticSnapshot}:${folder}`,
      ...['--target', folder],
      // Another attempt reads what is there, and sends what differs: by size and time a half-written file may look whole.
      ...['--sparse', '--no-lock', '--overwrite', 'always', '--exclude-xattr', 'security.selinux'],
    ],
    onProgress: progress => options.onProgress?.(claim, progress),
  });
  if (exitCode !== 0) throw restoreFailed(claim, exitCode, errors);
  const comparison = await compareWithManifest(mover, {record, claim, isRoot, options});
  proved.add(claim);
  await simply(mover, ['finish', path], `claim ${claim} could not be finished`, signal);
  return {
    record,
    claim,
    bytes: comparison.found.bytes,
    comparison,
    runAs: identityText(identity),
    transport,
    durationMs: Math.round(performance.now() - began),
  };
}

/** Takes a volume for the restore, unless it holds something. @throws PraError VOLUME_HALF_FILLED, VOLUME_RESTORE_FAILED */
async function prepare(
  mover: Mover,
  {claim, record, signal}: ClaimToFill & {signal: AbortSignal},
): Promise<{isHeld: boolean; why: string}> {
  const result = await mover.run(['prepare', record.path, record.resticSnapshot], {signal});
  const {exitCode} = result;
  const why = wordsOf(result);
  if (exitCode === 0 || exitCode === NOT_EMPTY) return {isHeld: exitCode === NOT_EMPTY, why};
  if (exitCode === HALF_FILLED)
    throw new PraError(
      'VOLUME_HALF_FILLED',
      `claim ${mover.namespace}/${claim} is half filled from another snapshot, so nothing is restored into it`,
      {
        why,
        next: [
          'restore the snapshot that it was being filled from',
          'or delete the claim, and restore again',
        ],
      },
    );
  throw new PraError('VOLUME_RESTORE_FAILED', `claim ${mover.namespace}/${claim} cannot be written to`, {
    why,
    next: nextOf(why),
  });
}

/**
 * A volume that holds just what the snapshot does is restored already: by a run that could not say so any more. Where the
 * snapshot itself does not know what some of it must be, that cannot be said of what somebody else has put there.
 */
async function compareWithHeld(
  mover: Mover,
  about: Parameters<typeof compareWithManifest>[1] & {isProved: boolean},
  why: string,
): Promise<Comparison> {
  const held = (reason: string, cause?: unknown) =>
    new PraError(
      'VOLUME_NOT_EMPTY',
      `claim ${mover.namespace}/${about.claim} is not empty, so nothing is restored into it`,
      {
        why: reason,
        next: [
          'restore into a new claim: delete this one first, if nothing in it is needed',
          'or take single files out of the snapshot: pra restore files',
        ],
        cause,
      },
    );
  const comparison = await compareWithManifest(mover, about).catch((error: unknown) => {
    throw error instanceof VolumeDiffers ? held(why, error) : error;
  });
  const {unstable} = comparison.expected;
  if (about.isProved || (unstable === 0 && comparison.tolerated === 0)) return comparison;
  throw held(
    `${why}; it is like the snapshot, of which ${unstable} entries changed while they were saved, so that they cannot be compared`,
  );
}

/** What is in a volume is not what was saved. */
class VolumeDiffers extends PraError {}

async function compareWithManifest(
  mover: Mover,
  {
    record,
    claim,
    isRoot,
    options,
  }: {record: ClaimRecord; claim: string; isRoot: boolean; options: FillOptions},
): Promise<Comparison> {
  const {restic, signal} = options;
  const {resticSnapshot: snapshotId, filename, sha256} = record.manifest;
  const saved = restic.restore({snapshotId, filename, signal});
  const listed = new PassThrough();
  const listing = mover.run(['manifest', record.path], {stdout: listed, signal});
  listing.catch((error: unknown) => listed.destroy(asError(error)));
  const comparing = compareManifests(readManifest(saved.stream), readManifest(listed), {ownRoot: isRoot});
  const [comparison, list, read] = await Promise.allSettled([comparing, listing, saved.done]);
  // When the store breaks, the list is broken off too; it is not to blame.
  if (
    read.status === 'rejected' &&
    read.reason instanceof PraError &&
    list.status === 'rejected' &&
    comparison.status === 'rejected'
  )
    throw read.reason;
  if (list.status === 'rejected') throw list.reason;
  if (read.status === 'rejected') throw read.reason;
  if (comparison.status === 'rejected') throw comparison.reason;
  if (list.value.exitCode !== 0)
    throw new PraError('VOLUME_RESTORE_FAILED', `the files of claim ${claim} could not be listed`, {
      why: list.value.stderr.trim(),
    });
  requireListed(comparison.value.found, list.value.stderr);
  if (read.value.sha256 !== sha256)
    throw new PraError('VOLUME_RESTORE_FAILED', `the manifest of claim ${claim} is not what was saved`);
  const {differing, differences} = comparison.value;
  if (differing > 0)
    throw new VolumeDiffers(
      'VOLUME_RESTORE_FAILED',
      `${differing} of the files in claim ${mover.namespace}/${claim} are not what was saved`,
      {
        why: differences.join('; '),
        next: isRoot
          ? []
          : [
              'if only owners differ: let the namespace allow root, so that files get the owners that they had (docs/volumes.md)',
            ],
      },
    );
  return comparison.value;
}

async function simply(mover: Mover, args: string[], message: string, signal: AbortSignal): Promise<void> {
  const {exitCode, stderr} = await mover.run(args, {signal});
  if (exitCode !== 0) throw new PraError('VOLUME_RESTORE_FAILED', message, {why: stderr.trim()});
}

function restoreFailed(claim: string, exitCode: number, errors: readonly string[]): PraError {
  const why = errors.slice(0, 5).join('; ') || `restic ended with exit code ${exitCode}`;
  const message = `the data of claim ${claim} could not be restored`;
  if (/wrong password/i.test(why))
    return new PraError('REPOSITORY_WRONG_KEY', 'the volumes were saved with another key', {why});
  if (DAMAGED.test(why))
    return new PraError('VOLUME_RESTORE_FAILED', `the data of claim ${claim} is damaged in the repository`, {
      why,
      next: [
        'pra repository check --read-data',
        'restore an older snapshot, or from a copy of the repository',
      ],
    });
  if (isFinal(errors) || NO_SPACE.test(why))
    return new PraError('VOLUME_RESTORE_FAILED', message, {why, next: nextOf(why)});
  return new PraError('RESTIC_FAILED', message, {why});
}

const nextOf = (why: string): string[] =>
  NO_SPACE.test(why)
    ? [
        'give the claim more room in the target: spec.transforms with a patch of /spec/resources/requests/storage',
      ]
    : [];
