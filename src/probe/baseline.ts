import type {Cluster} from '../cluster/client.ts';
import {PraError} from '../errors.ts';
import type {PlanProbe} from '../plan/schema.ts';
import type {Json} from '../std/json.ts';
import {measureChecksum} from './checksum.ts';
import {ask, jsonValueOf, mismatchOf, openHttp} from './http.ts';
import {queryValue} from './sql.ts';

/** Asks the source what the recovered cluster will have to answer: for every probe that compares with the snapshot. */
export async function measureBaselines(
  probes: readonly PlanProbe[],
  cluster: Cluster,
  signal: AbortSignal,
): Promise<{probe: string; value: Json}[]> {
  const compared = probes.filter(hasBaseline);
  const measured = await Promise.all(
    compared.map(async probe => ({probe: probe.name, value: await measure(probe, cluster, signal)})),
  );
  return measured.flatMap(({probe, value}) => (value === undefined ? [] : [{probe, value}]));
}

/** Whether a probe compares with what was measured at the snapshot. */
export const hasBaseline = ({compare, checksum}: PlanProbe): boolean =>
  checksum !== undefined || (compare !== undefined && 'baseline' in compare);

async function measure(probe: PlanProbe, cluster: Cluster, signal: AbortSignal): Promise<Json | undefined> {
  if (probe.checksum) return measureChecksum(cluster, probe.checksum, signal);
  if (probe.sql) return queryValue(cluster, probe.sql, signal);
  if (!probe.http) return undefined;
  const answer = await ask(probe.http, await openHttp(cluster, probe.http, signal), signal);
  const mismatch = mismatchOf(probe.http, answer);
  if (!mismatch) return jsonValueOf(probe.http, answer.body);
  throw new PraError('SNAPSHOT_FAILED', `the source does not pass probe ${probe.name} itself`, {
    why: mismatch.message,
  });
}
