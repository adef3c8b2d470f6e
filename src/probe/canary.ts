import {randomBytes, timingSafeEqual} from 'node:crypto';
import {z} from 'zod';
import {applyObject, readObject} from '../cluster/apply.ts';
import type {Cluster} from '../cluster/client.ts';
import {CORE_TYPES} from '../cluster/core-types.ts';
import {PraError} from '../errors.ts';
import type {Plan} from '../plan/schema.ts';
import {type Json, sha256} from '../std/json.ts';
import {isNotThere, withDatabase} from './database.ts';
import type {Observe} from './probe.ts';

const NAME = 'pra-canary';

export interface WrittenCanary {
  namespace: string;
  nonceHash: string;
  writtenAt: string;
}

/**
 * Writes a fresh nonce into the source, before the snapshot is taken: into the ConfigMap `pra-canary`, and with `sql` into
 * the table `pra_canary` of the database. Only its hash is kept, so that reading the repository is not enough to forge it.
 */
export async function writeCanary(
  cluster: Cluster,
  spec: NonNullable<Plan['spec']['source']['canary']>,
  signal: AbortSignal,
): Promise<WrittenCanary> {
  const nonce = randomBytes(16).toString('hex');
  const writtenAt = new Date().toISOString();
  const {namespace} = spec;
  await applyObject(
    cluster,
    CORE_TYPES.ConfigMap,
    {apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: NAME, namespace}, data: {nonce, writtenAt}},
    {signal},
  );
  if (spec.sql) {
    await withDatabase(cluster, spec.sql.secretRef, {readOnly: false, signal}, async query => {
      await query(
        'create table if not exists pra_canary (id int primary key check (id = 1), nonce text not null, written_at timestamptz not null)',
      );
      await query(
        'insert into pra_canary values (1, $1, $2) on conflict (id) do update set nonce = $1, written_at = $2',
        [nonce, writtenAt],
      );
    });
  }
  return {namespace, nonceHash: sha256(nonce), writtenAt};
}

/** The hash of the canary that a cluster holds now; undefined when it has none. */
export async function readCanaryHash(
  cluster: Cluster,
  namespace: string,
  signal: AbortSignal,
): Promise<WrittenCanary | undefined> {
  const nonce = await readNonce(cluster, namespace, signal);
  return nonce.nonce === undefined
    ? undefined
    : {namespace, nonceHash: sha256(nonce.nonce), writtenAt: nonce.writtenAt ?? ''};
}

/** The recovered cluster holds the newest canary that was ever written: an older snapshot, replayed, does not. */
export const observeCanary: Observe = async (_probe, {cluster, canary}, signal) => {
  if (!canary)
    throw new PraError('SNAPSHOT_FAILED', 'no snapshot of this plan has a canary', {
      next: ['take a new snapshot'],
    });
  const object = await readNonce(cluster, canary.namespace, signal);
  const found: [where: string, nonce: string | undefined, writtenAt: string | undefined][] = [
    ['ConfigMap', object.nonce, object.writtenAt],
  ];
  if (canary.sqlSecretRef !== undefined) {
    const [row] = await readRows(cluster, canary.sqlSecretRef, signal);
    found.push(['database', text(row?.[0]), text(row?.[1])]);
  }
  const wrong = found.filter(
    ([, nonce]) => nonce === undefined || !sameHash(sha256(nonce), canary.nonceHash),
  );
  if (wrong.length === 0)
    return {
      passed: true,
      message: `canary of ${canary.writtenAt} found in ${found.map(([where]) => where).join(' and ')}`,
      expected: canary.writtenAt,
      observed: canary.writtenAt,
    };
  const told = wrong.map(([where, nonce, writtenAt]) =>
    nonce === undefined
      ? `the ${where} holds none`
      : `the ${where} holds the one of ${writtenAt ?? 'an unknown time'}`,
  );
  return {
    passed: false,
    message: `stale canary: expected the one of ${canary.writtenAt}, ${told.join(', ')}`,
    expected: canary.writtenAt,
    observed: wrong[0]?.[2] ?? null,
  };
};

/** What the table of the canary holds; nothing when there is no such table. */
async function readRows(cluster: Cluster, secretRef: string, signal: AbortSignal): Promise<Json[][]> {
  try {
    return await withDatabase(cluster, secretRef, {readOnly: true, signal}, query =>
      query('select nonce, written_at from pra_canary where id = 1'),
    );
  } catch (error) {
    if (isNotThere(error)) return [];
    throw error;
  }
}

async function readNonce(
  cluster: Cluster,
  namespace: string,
  signal: AbortSignal,
): Promise<{nonce?: string | undefined; writtenAt?: string | undefined}> {
  const map = await readObject(cluster, CORE_TYPES.ConfigMap, {name: NAME, namespace}, {signal});
  return canaryData.safeParse(map?.data).data ?? {};
}

const canaryData = z.object({nonce: z.string().optional(), writtenAt: z.string().optional()});
const text = (value: unknown) => (typeof value === 'string' ? value : undefined);
const sameHash = (a: string, b: string) =>
  a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
