import type {Cluster} from '../cluster/client.ts';
import {PraError} from '../errors.ts';
import type {Json} from '../std/json.ts';
import {compareObserved} from './compare.ts';
import {isNotThere, withDatabase} from './database.ts';
import type {Observe} from './probe.ts';

/** A query gives what the plan expects. */
export const observeSql: Observe = async (probe, {cluster, baselines}, signal) => {
  if (!probe.sql) throw new PraError('BUG', 'not a sql probe');
  try {
    return compareObserved(probe, await queryValue(cluster, probe.sql, signal), baselines);
  } catch (error) {
    if (isNotThere(error)) return {passed: false, message: error.message, observed: null};
    throw error;
  }
};

/** The answer of a query: one value where it is one, otherwise its rows. */
export async function queryValue(
  cluster: Cluster,
  sql: {secretRef: string; query: string},
  signal: AbortSignal,
): Promise<Json> {
  const rows = await withDatabase(cluster, sql.secretRef, {readOnly: true, signal}, query =>
    query(sql.query),
  );
  const [first] = rows;
  return rows.length === 1 && first?.length === 1 ? (first[0] ?? null) : rows;
}
