import type {Duplex} from 'node:stream';
import pg from 'pg';
import {z} from 'zod';
import type {Cluster} from '../cluster/client.ts';
import {readSecret} from '../cluster/secret.ts';
import {PraError} from '../errors.ts';
import type {Json} from '../std/json.ts';
import {sleep} from '../std/wait.ts';
import {openService} from './service-stream.ts';

const STATEMENT_TIMEOUT_MS = 20_000;
const MAX_ROWS = 1000;
const GOODBYE_MS = 50;

/** An error of the database itself, with its SQLSTATE. Its text never holds the DSN. */
export class SqlError extends Error {
  readonly state: string;
  constructor(message: string, state: string) {
    super(message);
    this.name = 'SqlError';
    this.state = state;
  }
}

/**
 * SQLSTATEs by which a database says that what a query asks for is not there: a table, a schema, the database. It did
 * answer, and the answer is no. A syntax error (42601) and a missing permission (42501) say nothing about the data.
 */
const NOT_THERE = /^(42(?!501|601)|3D|3F)/;

export const isNotThere = (error: unknown): error is SqlError =>
  error instanceof SqlError && NOT_THERE.test(error.state);

/** How to reach a database inside the cluster, from its DSN. */
export interface Dsn {
  namespace: string;
  service: string;
  port: number;
  user: string;
  password: string;
  database: string;
}

/**
 * Reads a DSN such as `postgres://user:password@db.shop-db.svc:5432/shop`.
 * @throws PraError PLAN_INVALID, without the text of the DSN.
 */
export function parseDsn(text: string, namespace: string): Dsn {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^postgres(ql)?:$/.test(url.protocol) || !url.hostname || !isDecodable(url)) {
    throw new PraError(
      'PLAN_INVALID',
      'the Secret of a sql probe does not hold a DSN such as postgres://user:password@service.namespace.svc:5432/database',
    );
  }
  const [service = '', ns] = url.hostname.split('.');
  return {
    namespace: ns ?? namespace,
    service,
    port: url.port === '' ? 5432 : Number(url.port),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: decodeURIComponent(url.pathname.slice(1)) || 'postgres',
  };
}

function isDecodable(url: URL): boolean {
  try {
    return decodeURIComponent(`${url.username}${url.password}${url.pathname}`) !== undefined;
  } catch {
    return false;
  }
}

/** Connects to a database inside the cluster and lets `work` use it. `readOnly` sessions cannot write, whatever the query says. */
export async function withDatabase<T>(
  cluster: Cluster,
  secretRef: string,
  options: {readOnly: boolean; signal: AbortSignal},
  work: (query: (sql: string, values?: string[]) => Promise<Json[][]>) => Promise<T>,
): Promise<T> {
  const [reference = '', key = 'dsn'] = secretRef.split('#');
  const dsn = parseDsn(
    await readSecret(cluster, reference, key, {signal: options.signal}),
    reference.split('/')[0] ?? '',
  );
  const stream = await openService(
    cluster,
    {namespace: dsn.namespace, name: dsn.service, port: dsn.port},
    options.signal,
  );
  return useConnection(asSocket(stream), dsn, options.readOnly, work);
}

/** The same over any connection that is there already. */
export async function useConnection<T>(
  stream: Duplex,
  dsn: Pick<Dsn, 'user' | 'password' | 'database'>,
  readOnly: boolean,
  work: (query: (sql: string, values?: string[]) => Promise<Json[][]>) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({
    user: dsn.user,
    password: dsn.password,
    database: dsn.database,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    connectionTimeoutMillis: STATEMENT_TIMEOUT_MS,
    application_name: 'pra',
    // Both are given so that PGSSLMODE and PGOPTIONS, which are about other databases, are not taken from the environment.
    ssl: false,
    options: `-c default_transaction_read_only=${readOnly ? 'on' : 'off'}`,
    stream: () => stream as never,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    // In a transaction that is read-only, and with one statement at a time, no query can make it read-write.
    if (readOnly) await client.query('begin transaction read only; select 1');
    return await work(async (sql, values = []) => {
      const config = {text: sql, values, rowMode: 'array', queryMode: 'extended'} as const;
      const {rows} = await client.query(config);
      if (rows.length > MAX_ROWS) throw tooManyRows();
      return z.array(z.array(z.json())).parse(JSON.parse(JSON.stringify(rows)));
    });
  } catch (error) {
    if (error instanceof pg.DatabaseError) throw new SqlError(error.message, error.code ?? '');
    throw error;
  } finally {
    // The server's own end of a forwarded connection comes a second late, and nothing depends on it.
    await Promise.race([client.end().catch(() => undefined), sleep(GOODBYE_MS)]);
    stream.destroy();
  }
}

const tooManyRows = () =>
  new PraError('PLAN_INVALID', `a sql probe gives more than ${MAX_ROWS} rows`, {
    next: ['let the query count or sum them'],
  });

/** pg wants a socket that it connects itself; a forwarded port is connected already. */
function asSocket(stream: Duplex): Duplex {
  const nothing = () => stream;
  return Object.assign(stream, {
    connect: () => {
      setImmediate(() => stream.emit('connect'));
      return stream;
    },
    setNoDelay: nothing,
    setKeepAlive: nothing,
    ref: nothing,
    unref: nothing,
  });
}
