import {PassThrough, Readable} from 'node:stream';
import {text} from 'node:stream/consumers';
import type {Cluster} from '../../src/cluster/client.ts';
import {execInPod} from '../../src/cluster/exec.ts';
import {waitFor} from '../../src/std/wait.ts';

const ACCOUNTS = 1000;
const BALANCE = 100;
/** Whatever is moved between accounts, they hold this together. */
export const MONEY = ACCOUNTS * BALANCE;

const SEED = `
create extension amcheck;
create table accounts (id int primary key, balance bigint not null, filler text not null default repeat('x', 200));
create table counter (n bigint not null);
create table log (n bigint primary key, src int not null, dst int not null, amount int not null, at timestamptz not null default clock_timestamp());
insert into accounts (id, balance) select i, ${BALANCE} from generate_series(1, ${ACCOUNTS}) i;
insert into counter values (0);
`;

/** In the order of the accounts, so that no two lock each other out. */
const TRANSFER = `
\\set one random(1, ${ACCOUNTS})
\\set other random(1, ${ACCOUNTS})
\\set src least(:one, :other)
\\set dst greatest(:one, :other)
\\set amount random(-50, 50)
begin;
update accounts set balance = balance - :amount where id = :src;
update accounts set balance = balance + :amount where id = :dst;
update counter set n = n + 1 returning n \\gset
insert into log (n, src, dst, amount) values (:n, :src, :dst, :amount);
commit;
`;

/** What holds in a database of which nothing is lost, torn or doubled, asked by one query each. */
export const INVARIANTS = {
  money: {query: 'select sum(balance) from accounts', equals: MONEY},
  sequence: {
    query:
      'select count(*) = max(n) and min(n) = 1 and max(n) = (select n from counter) and (select count(*) from counter) = 1 from log',
    equals: true,
  },
  // Each account holds what the log says that it was given.
  ledger: {
    query: `select count(*) from accounts left join (select id, sum(change) as change from (select src as id, -amount as change from log union all select dst, amount from log) moves group by id) moved using (id) where balance <> ${BALANCE} + coalesce(change, 0)`,
    equals: 0,
  },
  // Every index holds every row of its table; it is an error when one does not.
  indexes: {
    query:
      "select count(*) > 50 from (select bt_index_check(index => c.oid, heapallindexed => true) from pg_index i join pg_class c on c.oid = i.indexrelid join pg_am a on a.oid = c.relam where a.amname = 'btree' and i.indisvalid and c.relpersistence = 'p') checked",
    equals: true,
  },
} as const;

/** The whole history up to a transaction, as one line. */
export const historyQuery = (until = 'n') =>
  `select max(n), md5(string_agg(n || ' ' || src || ' ' || dst || ' ' || amount, ',' order by n)), extract(epoch from max(at)) from log where n <= ${until}`;

const CLIENT = ['-h', '/tmp', '-U', 'postgres'];

async function run(cluster: Cluster, namespace: string, command: string[], input?: string): Promise<string> {
  const stdout = new PassThrough();
  const stdin = input === undefined ? {} : {stdin: Readable.from([input])};
  const [output, {exitCode, stderr}] = await Promise.all([
    text(stdout),
    execInPod(cluster, {namespace, pod: 'db-0', container: 'db', command, stdout, ...stdin}),
  ]);
  if (exitCode !== 0) throw new Error(`${command[0]} in ${namespace} ended with ${exitCode}: ${stderr}`);
  return output.trim();
}

/** Asks a database of the source past everything that is tested. */
export const ask = (cluster: Cluster, namespace: string, query: string): Promise<string> =>
  run(cluster, namespace, ['psql', ...CLIENT, '-AtXq', '-v', 'ON_ERROR_STOP=1', 'shop'], query);

export const seedBank = (cluster: Cluster, namespace: string) => ask(cluster, namespace, SEED);

export const lastOf = async (cluster: Cluster, namespace: string): Promise<number> =>
  Number(await ask(cluster, namespace, 'select coalesce(max(n), 0) from log'));

export interface Load {
  /** Ends it. @returns what pgbench says of its transactions */
  stop(): Promise<{processed: number; failed: number}>;
}

const TPS = 100;
const CLIENTS = 4;
const ROOM_S = 1200;

/** Has pgbench move money in a database, TPS times a second whatever the database takes for it, until it is stopped. */
export async function startLoad(cluster: Cluster, namespace: string): Promise<Load> {
  const options = ['-n', '-f', '-', '-c', `${CLIENTS}`, '-j', '1', '-R', `${TPS}`, '-T', `${ROOM_S}`];
  const report = run(cluster, namespace, ['pgbench', ...CLIENT, ...options, 'shop'], TRANSFER);
  report.catch(() => undefined); // It is waited for at the end.
  const moves = async () => ((await lastOf(cluster, namespace)) > CLIENTS ? true : undefined);
  await waitFor(moves, {waitingFor: `pgbench in ${namespace}`, timeoutMs: 300_000});
  return {
    stop: async () => {
      // As when its time is over: it ends its transactions and reports.
      await run(cluster, namespace, ['busybox', 'killall', '-ALRM', 'pgbench']);
      const said = await report;
      const numberOf = (what: string) => Number(new RegExp(`number of ${what}: (\\d+)`).exec(said)?.[1]);
      return {
        processed: numberOf('transactions actually processed'),
        failed: numberOf('failed transactions'),
      };
    },
  };
}

/** How long a database committed nothing, at most, in s; in a span of its own clock, ISO 8601. */
export const longestPause = async (
  cluster: Cluster,
  namespace: string,
  {from, to}: {from: string; to: string},
): Promise<{seconds: number; transactions: number}> => {
  const query = `select coalesce(extract(epoch from max(pause)), 0), count(*) from (select at - lag(at) over (order by n) as pause, at from log) l where at between '${from}' and '${to}'`;
  const [seconds, transactions] = (await ask(cluster, namespace, query)).split('|').map(Number);
  return {seconds: seconds ?? 0, transactions: transactions ?? 0};
};
