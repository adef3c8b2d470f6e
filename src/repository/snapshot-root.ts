import {createHmac, randomBytes} from 'node:crypto';
import {z} from 'zod';
import {PraError} from '../errors.ts';
import {canonicalJson, sha256} from '../std/json.ts';
import {open, seal} from './key.ts';
import {encode, isGenuine, type Repository, readJson} from './repository.ts';
import {treeReferenceSchema} from './tree.ts';

const digest = z.string().regex(/^[0-9a-f]{64}$/);

/** What a command wrote that dumps a database. */
const dumpRecordSchema = z.object({
  method: z.literal('dump'),
  namespace: z.string(),
  workload: z.string().describe('Such as StatefulSet/db'),
  pvcs: z.array(z.string()),
  container: z.string(),
  dumpCommand: z.array(z.string()),
  restoreCommand: z.array(z.string()),
  resticSnapshot: z.string(),
  bytes: z.int(),
  sha256: digest,
  durationMs: z.number(),
});
export type DumpRecord = z.infer<typeof dumpRecordSchema>;

/** The files of one claim. */
const claimRecordSchema = z.object({
  method: z.enum(['csi', 'filesystem']),
  namespace: z.string(),
  workload: z
    .string()
    .optional()
    .describe('What mounted it, such as StatefulSet/db; absent when nothing did'),
  pvcs: z.tuple([z.string()]),
  path: z
    .string()
    .regex(/^\/pra\/[-a-z0-9.]+\/[-a-z0-9.]+$/)
    .describe('Where its files lie in the snapshot of restic'),
  resticSnapshot: z.string(),
  bytes: z.int(),
  files: z.int(),
  addedBytes: z.int().describe('What was not stored yet, compressed'),
  manifest: z
    .object({
      resticSnapshot: z.string(),
      filename: z.string(),
      sha256: digest,
      entries: z.int(),
      files: z.int(),
      bytes: z.int(),
      unstable: z.int().describe('Entries that changed while they were saved'),
    })
    .describe('The list of all files with their digests, taken in the source'),
  capacity: z.string().optional(),
  storageClass: z.string().optional(),
  driver: z.string().optional(),
  user: z
    .object({uid: z.int(), gid: z.int().optional(), groups: z.array(z.int())})
    .optional()
    .describe('Whom the workload reads and writes it as'),
  runAs: z.string().describe('Whom it was saved as'),
  transport: z.enum(['stream', 'direct']),
  snapshotClass: z.string().optional().describe('Class of the VolumeSnapshot, of method csi'),
  snapshotAt: z.string().optional().describe('When the storage system took it, of method csi'),
  kept: z.string().optional().describe('Name of the VolumeSnapshot that was kept in the source'),
  durationMs: z.number(),
});
export type ClaimRecord = z.infer<typeof claimRecordSchema>;

/** How the data of one workload or claim was saved. */
export const volumeRecordSchema = z.discriminatedUnion('method', [dumpRecordSchema, claimRecordSchema]);
export type VolumeRecord = z.infer<typeof volumeRecordSchema>;

/** What people call it: the workload, or the claim. */
export const volumeName = (record: VolumeRecord): string =>
  record.method === 'dump' ? record.workload : `PersistentVolumeClaim/${record.pvcs[0]}`;

/** All snapshots of restic that a volume consists of. */
export const resticSnapshotsOf = (record: VolumeRecord): string[] =>
  record.method === 'dump'
    ? [record.resticSnapshot]
    : [record.resticSnapshot, record.manifest.resticSnapshot];

/** One command that ran in a pod around the snapshot. */
const hookRecordSchema = z.object({
  name: z.string(),
  namespace: z.string(),
  pod: z.string(),
  container: z.string(),
  phase: z.enum(['pre', 'post']),
  ok: z.boolean(),
  exitCode: z.int().optional().describe('Absent when the command could not be run to its end'),
  durationMs: z.number(),
});
export type HookRecord = z.infer<typeof hookRecordSchema>;

const canarySchema = z.object({namespace: z.string(), nonceHash: digest, writtenAt: z.string()});

/** The root of a snapshot. It is written last: a snapshot exists when its root does. */
export const snapshotRootSchema = z.object({
  apiVersion: z.literal('pra/v1'),
  kind: z.literal('Snapshot'),
  id: z.string().regex(/^\d{8}T\d{6}Z-[0-9a-f]{8}$/),
  createdAt: z.iso.datetime().describe('The moment that the snapshot stands for'),
  dataAt: z.iso
    .datetime()
    .optional()
    .describe('The moment that the data of volumes and the canary stand for, when it is an earlier one'),
  finishedAt: z.iso.datetime(),
  tool: z.string(),
  plan: z.object({name: z.string(), hash: digest}).optional(),
  source: z.object({uid: z.string(), version: z.string(), server: z.string(), context: z.string()}),
  namespaces: z.array(z.string()),
  counts: z.object({objects: z.int(), kinds: z.int(), namespaces: z.int()}),
  trees: z.array(treeReferenceSchema).min(1).max(2).describe('All objects, and what changed since'),
  parent: z.string().optional(),
  resourceVersions: z.record(z.string(), z.string()),
  volumes: z.array(volumeRecordSchema),
  emptyClaims: z
    .array(z.object({namespace: z.string(), name: z.string()}))
    .optional()
    .describe('Claims that had no volume yet, so that they come back empty'),
  canary: canarySchema.optional(),
  hooks: z.array(hookRecordSchema).optional().describe('In the order in which they ran'),
  baselines: z.array(z.object({probe: z.string(), value: z.json()})),
  bytes: z.object({raw: z.int(), stored: z.int(), written: z.int()}),
  mac: digest,
});
const authenticatedSchema = z.looseObject({mac: digest});
export type SnapshotRoot = z.infer<typeof snapshotRootSchema>;

/** What the store may see of a root: enough to list and to check without the passphrase, nothing of the source. */
const OPEN_FIELDS = {
  apiVersion: true,
  kind: true,
  id: true,
  createdAt: true,
  finishedAt: true,
  tool: true,
  plan: true,
  counts: true,
  trees: true,
  parent: true,
  bytes: true,
} as const;

/** Commands, baselines and names of the source are sealed: a baseline may be a row of a table. */
const sealedSchema = snapshotRootSchema.omit({...OPEN_FIELDS, mac: true});
const openSchema = snapshotRootSchema.pick(OPEN_FIELDS);
const storedSchema = openSchema.extend({sealed: z.string().regex(/^[A-Za-z0-9+/]+=*$/)});

/** An id that sorts by time: `20261123T154501Z-1a2b3c4d`. Behind the dash are the milliseconds in hex, then what is random. */
export function newSnapshotId(now: Date): string {
  const milliseconds = now.getUTCMilliseconds().toString(16).padStart(3, '0');
  const random = randomBytes(3).toString('hex').slice(0, 5);
  return `${now.toISOString().replaceAll(/[-:]|\.\d{3}/g, '')}-${milliseconds}${random}`;
}

export const rootKey = (id: string) => `snapshots/${id}.json`;

/** Writes the root and with it makes the snapshot exist. */
export async function writeRoot(
  repository: Repository,
  root: Omit<SnapshotRoot, 'mac'>,
  options: {signal?: AbortSignal | undefined},
): Promise<SnapshotRoot> {
  const hidden = Buffer.from(canonicalJson(sealedSchema.parse(root)));
  const sealed = seal(repository.rootKey, hidden, context(root.id)).toString('base64');
  const body = {...openSchema.parse(root), sealed};
  const mac = macOf(repository, body);
  await repository.store.put(rootKey(root.id), encode({...body, mac}), {
    ifAbsent: true,
    signal: options.signal,
  });
  return {...root, mac};
}

/** One digest for all objects of a snapshot: of the names of its trees, which are digests of all below. */
export const treeDigest = ({trees}: Pick<SnapshotRoot, 'trees'>) =>
  sha256(trees.map(({name}) => name).join('\n'));

const context = (id: string) => `root/${id}`;

/** Keys of all roots, readable or not. */
export async function* readRootKeys(
  repository: Repository,
  signal: AbortSignal | undefined,
): AsyncGenerator<string> {
  for await (const {key} of repository.store.list('snapshots/', {signal})) yield key;
}

/**
 * All snapshots, the newest first.
 * @throws PraError REPOSITORY_CORRUPT that names a root that was damaged or forged: leaving it out would hide a loss.
 */
export async function listRoots(
  repository: Repository,
  options: {plan?: string | undefined; signal?: AbortSignal | undefined} = {},
): Promise<SnapshotRoot[]> {
  const {roots, damaged} = await readRoots(repository, options);
  const [first] = damaged;
  if (first) throw first;
  return roots;
}

/** All snapshots, the newest first, and an error for each root that cannot be read: for who can go on without them. */
export async function readRoots(
  repository: Repository,
  options: {plan?: string | undefined; signal?: AbortSignal | undefined} = {},
): Promise<{roots: SnapshotRoot[]; damaged: PraError[]}> {
  const roots: SnapshotRoot[] = [];
  const damaged: PraError[] = [];
  for await (const key of readRootKeys(repository, options.signal)) {
    try {
      const root = await readIfThere(repository, key, options.signal);
      if (root && (options.plan === undefined || root.plan?.name === options.plan)) roots.push(root);
    } catch (error) {
      if (!(error instanceof PraError) || error.code !== 'REPOSITORY_CORRUPT') throw error;
      damaged.push(error);
    }
  }
  return {roots: roots.sort((a, b) => b.id.localeCompare(a.id)), damaged};
}

/**
 * Finds one snapshot by its id, a unique beginning of it, or `latest`.
 * @throws PraError SNAPSHOT_NOT_FOUND, REPOSITORY_CORRUPT.
 */
export async function findRoot(
  repository: Repository,
  reference: string,
  options: {plan?: string | undefined; signal?: AbortSignal | undefined} = {},
): Promise<SnapshotRoot> {
  const keys: string[] = [];
  for await (const key of readRootKeys(repository, options.signal)) keys.push(key);
  if (reference === 'latest') {
    for (const key of keys.sort().reverse()) {
      const root = await readIfThere(repository, key, options.signal);
      if (!root) continue;
      if (options.plan === undefined || root.plan?.name === options.plan) return root;
    }
    throw notFound(
      options.plan === undefined
        ? 'the repository holds no snapshot'
        : `the repository holds no snapshot of plan ${options.plan}`,
    );
  }
  const fitting = keys.filter(key => key.startsWith(`snapshots/${reference}`));
  const [only] = fitting;
  if (fitting.length === 1 && only) return readRoot(repository, only, options.signal);
  throw notFound(
    fitting.length === 0
      ? `there is no snapshot ${reference}`
      : `${reference} fits ${fitting.length} snapshots`,
  );
}

/** Somebody may forget a snapshot after it was listed. */
async function readIfThere(
  repository: Repository,
  key: string,
  signal: AbortSignal | undefined,
): Promise<SnapshotRoot | undefined> {
  try {
    return await readRoot(repository, key, signal);
  } catch (error) {
    if (error instanceof PraError && error.code === 'STORE_MISSING') return undefined;
    throw error;
  }
}

/** Reads one root by its key. */
export async function readRoot(
  repository: Repository,
  key: string,
  signal: AbortSignal | undefined,
): Promise<SnapshotRoot> {
  // Everything that the file holds is authenticated, before anything of it is understood.
  const {mac, ...body} = await readJson(repository.store, key, authenticatedSchema, signal).catch(
    (error: unknown) => {
      if (!(error instanceof PraError) || error.code !== 'REPOSITORY_CORRUPT') throw error;
      const {message, why, next} = error;
      const giveUp = `or give it up: pra snapshot forget ${key.replace(/^snapshots\/|\.json$/g, '')}`;
      throw new PraError('REPOSITORY_CORRUPT', message, {why, next: [...next, giveUp], cause: error});
    },
  );
  const altered = (cause?: unknown) =>
    new PraError('REPOSITORY_CORRUPT', `${key} in ${repository.store.url} was altered`, {
      why: 'its authentication code does not fit its content or its name',
      next: ['use another snapshot, and find out who can write to the repository'],
      cause,
    });
  if (!isGenuine(mac, () => macOf(repository, body))) throw altered();
  try {
    const {sealed, ...fields} = storedSchema.parse(body);
    if (key !== rootKey(fields.id)) throw altered();
    const hidden = open(repository.rootKey, Buffer.from(sealed, 'base64'), context(fields.id));
    return {...fields, ...sealedSchema.parse(JSON.parse(hidden.toString('utf8'))), mac};
  } catch (error) {
    throw error instanceof PraError ? error : altered(error);
  }
}

function macOf(repository: Repository, body: object): string {
  return createHmac('sha256', repository.macKey).update(canonicalJson(body)).digest('hex');
}

const notFound = (message: string) =>
  new PraError('SNAPSHOT_NOT_FOUND', message, {next: ['pra snapshot list']});
