import {Writable} from 'node:stream';
import {afterAll, beforeAll, describe, expect, test, vi} from 'vitest';
import {applyObject, deleteObject} from '../../src/cluster/apply.ts';
import {type Cluster, connectCluster} from '../../src/cluster/client.ts';
import {CORE_TYPES} from '../../src/cluster/core-types.ts';
import {discoverResources} from '../../src/cluster/discover.ts';
import {execInPod} from '../../src/cluster/exec.ts';
import {ResourceMap} from '../../src/cluster/resource-map.ts';
import {waitHealthy} from '../../src/cluster/wait-healthy.ts';
import type {DrillProbe} from '../../src/evidence/record.ts';
import {shopImages} from '../../src/image/shop.ts';
import {measureBaselines} from '../../src/probe/baseline.ts';
import {observeCanary, readCanaryHash, type WrittenCanary, writeCanary} from '../../src/probe/canary.ts';
import {parseDsn, withDatabase} from '../../src/probe/database.ts';
import type {ProbeContext} from '../../src/probe/probe.ts';
import {runProbe} from '../../src/probe/run.ts';
import {shopObjects} from '../../src/quickstart/manifests.ts';
import {startLocalCluster, type TestCluster} from '../bed/local-cluster.ts';
import {configMap} from '../cluster/objects.ts';
import {contextOf, errorOf, lookWith, type ProbeText, planProbe} from './plan-probe.ts';

const namespace = 'shop-db';
const password = 'quickstart-only-5f2b';
const wrong = 'hunter2-is-wrong';
const {ConfigMap, Secret, StatefulSet} = CORE_TYPES;
const KINDS = ['Namespace', 'ServiceAccount', 'Secret', 'Service', 'StatefulSet'];
const SEED = `
  create table orders (id serial primary key, total numeric(12, 2) not null, placed_at timestamptz);
  insert into orders (total, placed_at) select 1.50, '2026-01-01 08:00+00' from generate_series(1, 5000);
  create table empty (id int);
  create role reader login password '${password}';`;

const host = 'db.shop-db.svc.cluster.local:5432';
const DSNS: Record<string, string> = {
  wrong: `postgres://postgres:${wrong}@${host}/shop`,
  reader: `postgres://reader:${password}@${host}/shop`,
  lost: `postgres://postgres:${password}@${host}/nothing`,
  elsewhere: `postgres://postgres:${wrong}@gone.shop-db.svc:5432/shop`,
  garbled: `mysql://postgres:${wrong}@${host}/shop`,
};

let bed: TestCluster;
let cluster: Cluster;
let context: ProbeContext;
/** Takes as long as the server lets it, so it begins with the first test and is read by the last. */
let slow: Promise<string>;

beforeAll(async () => {
  const {postgres} = await shopImages({signal: AbortSignal.timeout(170_000)});
  bed = await startLocalCluster({images: [postgres]});
  cluster = await connectCluster({kubeconfig: bed.kubeconfig});
  context = contextOf(cluster);
  const types = new ResourceMap(await discoverResources(cluster));
  const database = (await shopObjects()).filter(
    ({kind, metadata}) => KINDS.includes(kind) && [metadata.name, metadata.namespace].includes(namespace),
  );
  for (const object of database) await applyObject(cluster, types.of(object), object);
  for (const [name, dsn] of Object.entries(DSNS))
    await applyObject(cluster, Secret, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {name, namespace},
      stringData: {dsn},
    });
  const outcome = await waitHealthy(cluster, [{type: StatefulSet, namespace, name: 'db'}], {
    timeoutMs: 90_000,
  });
  expect(outcome.objects).toMatchObject([{state: 'healthy'}]);
  await psql(SEED);
  slow = errorOf(select('select pg_sleep(60)'));
});
afterAll(async () => {
  await cluster?.close();
  await bed?.stop();
});

/** What an administrator says to the database, in the pod itself. */
async function psql(sql: string): Promise<string> {
  let said = '';
  const stdout = new Writable({
    write(chunk: Buffer, _encoding, done) {
      said += chunk.toString();
      done();
    },
  });
  const command = [
    'psql',
    '-h',
    '/tmp',
    '-U',
    'postgres',
    '-AtXq',
    '-v',
    'ON_ERROR_STOP=1',
    '-c',
    sql,
    'shop',
  ];
  const {exitCode, stderr} = await execInPod(cluster, {namespace, pod: 'db-0', command, stdout});
  expect(stderr).toBe('');
  expect(exitCode).toBe(0);
  return said.trim();
}

const sqlProbe = (query: string, compare?: ProbeText['compare'], secret = 'dsn'): ProbeText => ({
  sql: {secretRef: `${namespace}/${secret}`, query},
  ...(compare === undefined ? {} : {compare}),
});
const select = (query: string, compare?: ProbeText['compare'], secret?: string) =>
  lookWith(sqlProbe(query, compare, secret), context);

/** A whole probe, as the record has it. */
const run = (text: ProbeText, policy: ProbeText['policy'] = {}): Promise<DrillProbe> =>
  runProbe(planProbe({...text, policy: {errorLimit: 1, failureLimit: 1, ...policy}}), context, {
    signal: AbortSignal.timeout(30_000),
  });

const orders = () => psql('select count(*) from orders');

describe('a query', () => {
  test('one value is compared as it is, several as rows', async () => {
    expect(await select('select count(*) from orders', {equals: 5000})).toMatchObject({
      passed: true,
      message: '5000',
    });
    const query = 'select count(*), sum(total), max(id) from orders';
    expect(await select(query, {equals: [['5000', '7500.00', 5000]]})).toMatchObject({
      passed: true,
      message: '5000, 7500.00, 5000',
    });
    expect((await select('select id from orders order by id limit 3')).message).toBe('saw 1; 2; 3');
  });

  test('values of every usual type', async () => {
    const query = `select true, null, 1.5::float8, 'text', 2::int, 9007199254740993::bigint, '{"a": [1]}'::jsonb,
      '2026-01-01 08:00+00'::timestamptz, array[1, 2]`;
    expect((await select(query)).observed).toEqual([
      [true, null, 1.5, 'text', 2, '9007199254740993', {a: [1]}, '2026-01-01T08:00:00.000Z', [1, 2]],
    ]);
  });

  test('no rows are no rows, and no value is null', async () => {
    expect((await select('select id from empty', {equals: []})).passed).toBe(true);
    expect((await select('select max(id) from empty', {equals: null})).passed).toBe(true);
    expect(await select('select max(id) from empty', {equals: 5000})).toMatchObject({
      passed: false,
      message: 'expected 5000, saw null',
    });
  });

  test('the baseline is measured with the same query, and a lost row is a failure', async () => {
    const text = sqlProbe('select count(*), sum(total), max(id) from orders', {baseline: 'snapshot'});
    const measured = await measureBaselines([planProbe(text)], cluster, AbortSignal.timeout(20_000));
    expect(measured).toEqual([{probe: 'asked', value: [['5000', '7500.00', 5000]]}]);
    const later = {...context, baselines: new Map(measured.map(({probe, value}) => [probe, value]))};
    expect((await lookWith(text, later)).message).toBe('5000, 7500.00, 5000 as at the snapshot');
    await psql('delete from orders where id = 17');
    expect(await lookWith(text, later)).toMatchObject({
      passed: false,
      message: 'expected 5000, 7500.00, 5000 as at the snapshot, saw 4999, 7498.50, 5000',
    });
    await psql('insert into orders (id, total) values (17, 1.50)');
  });

  test('more rows than can be compared are an error, and not silently cut', async () => {
    expect(await select('select id from orders order by id limit 1000')).toMatchObject({passed: true});
    expect(await errorOf(select('select id from orders'))).toContain('more than 1000 rows');
  });
});

describe('a probe cannot write', () => {
  const attempts = [
    'insert into orders (total) values (1)',
    'delete from orders',
    'drop table orders',
    'create table mine (id int)',
    "select nextval('orders_id_seq')",
    'with gone as (delete from orders returning id) select count(*) from gone',
    'set transaction read write',
    "select set_config('transaction_read_only', 'off', false)",
    'do $$ begin delete from orders; end $$',
    "do $$ begin rollback; perform set_config('transaction_read_only', 'off', false); delete from orders; end $$",
    'commit; delete from orders',
    'set transaction read write; delete from orders',
    'rollback; begin read write; delete from orders; commit',
  ];

  test.for(attempts)('%s', async query => {
    const {verdict, message} = await run(sqlProbe(query));
    expect(verdict, message).toBe('inconclusive');
    expect(message).toMatch(/read-only|read-write mode|multiple commands|invalid transaction termination/);
    expect(await orders()).toBe('5000');
  });

  test('also not by what an earlier query of the connection has set', async () => {
    const signal = AbortSignal.timeout(20_000);
    const work = withDatabase(cluster, `${namespace}/dsn`, {readOnly: true, signal}, async query => {
      await query('set session characteristics as transaction read write');
      await query('set default_transaction_read_only = off');
      return query('delete from orders');
    });
    expect(await errorOf(work)).toContain('read-only');
    expect(await orders()).toBe('5000');
  });
});

describe('what is not there', () => {
  test('a table, a column and a schema that are gone fail, by name', async () => {
    expect(await run(sqlProbe('select count(*) from customers'))).toMatchObject({
      verdict: 'failed',
      message: 'relation "customers" does not exist',
    });
    expect((await run(sqlProbe('select price from orders'))).message).toBe('column "price" does not exist');
    expect((await run(sqlProbe('select shop.total()'))).message).toBe('schema "shop" does not exist');
  });

  test('a database that is gone fails, by name', async () => {
    expect(await run(sqlProbe('select 1', undefined, 'lost'))).toMatchObject({
      verdict: 'failed',
      message: 'database "nothing" does not exist',
    });
  });

  test('a query with a mistake in it has not failed', async () => {
    expect(await run(sqlProbe('selct 1'))).toMatchObject({
      verdict: 'inconclusive',
      message: 'syntax error at or near "selct"',
    });
  });

  test('a table that may not be read has not failed', async () => {
    expect(await run(sqlProbe('select * from orders', undefined, 'reader'))).toMatchObject({
      verdict: 'inconclusive',
      message: 'permission denied for table orders',
    });
  });

  test('a query that divides by zero has not failed', async () => {
    expect(await run(sqlProbe('select 1 / 0'))).toMatchObject({
      verdict: 'inconclusive',
      message: 'division by zero',
    });
  });
});

describe('the DSN', () => {
  const told = (probe: DrillProbe) => JSON.stringify(probe);

  test('a wrong password errs, and is nowhere in what is recorded', async () => {
    const result = await run(sqlProbe('select 1', undefined, 'wrong'));
    expect(result).toMatchObject({
      verdict: 'inconclusive',
      message: 'password authentication failed for user "postgres"',
    });
    expect(told(result)).not.toContain(wrong);
    expect(told(result)).not.toContain('postgres://');
  });

  test('no error that has to do with it shows it', async () => {
    for (const [secret, message] of [
      ['elsewhere', 'no way to Service shop-db/gone port 5432: there is no such Service'],
      ['garbled', 'does not hold a DSN'],
      ['absent', 'there is no Secret shop-db/absent'],
      ['dsn#other', 'Secret shop-db/dsn has no key "other"'],
    ] as const) {
      const result = await run(sqlProbe('select 1', undefined, secret));
      expect(result).toMatchObject({verdict: 'inconclusive', message: expect.stringContaining(message)});
      expect(told(result)).not.toMatch(/hunter2|5f2b|shop-db\.svc/);
    }
  });

  test('its parts are read, with their defaults and escapes', () => {
    expect(parseDsn('postgresql://me:p%40ss%3A@db', 'here')).toEqual({
      namespace: 'here',
      service: 'db',
      port: 5432,
      user: 'me',
      password: 'p@ss:',
      database: 'postgres',
    });
    expect(parseDsn('postgres://me@db.there.svc:6432/shop?sslmode=disable\n', 'here')).toMatchObject({
      namespace: 'there',
      port: 6432,
      database: 'shop',
    });
  });

  test('text that is no DSN is refused without being shown', async () => {
    for (const text of [
      '',
      'secret',
      'mysql://u:secret@db/x',
      'postgres://',
      'postgres://u:secret%zz@db/x',
    ]) {
      const refused = await errorOf((async () => parseDsn(text, 'here'))());
      expect(refused, text).toContain('does not hold a DSN such as');
      expect(refused).not.toContain('secret');
    }
  });

  test('variables of pg in the environment of the operator change nothing', async () => {
    vi.stubEnv('PGSSLMODE', 'require');
    vi.stubEnv('PGOPTIONS', '-c search_path=nowhere');
    vi.stubEnv('PGDATABASE', 'other');
    try {
      expect((await select('select count(*) from orders', {equals: 5000})).passed).toBe(true);
    } finally {
      vi.unstubAllEnvs();
    }
  });
});

describe('time', () => {
  test('a query that hangs is ended at the deadline of the probe', async () => {
    const began = performance.now();
    const result = await run(sqlProbe('select pg_sleep(50)'), {timeout: '1s', errorLimit: 9});
    expect(result.verdict).toBe('inconclusive');
    expect(performance.now() - began).toBeLessThan(4_000);
  });
});

describe('the canary', () => {
  const spec = {
    namespace,
    rotate: 'everySnapshot' as const,
    sql: {secretRef: `${namespace}/dsn`},
  };
  const write = () => writeCanary(cluster, spec, AbortSignal.timeout(20_000));
  const observe = (written: WrittenCanary) =>
    observeCanary(
      planProbe({canary: {}}),
      {...context, canary: {...written, sqlSecretRef: spec.sql.secretRef}},
      AbortSignal.timeout(20_000),
    );

  test('the one that was written last is found in both places, and only its hash is kept', async () => {
    const written = await write();
    expect(await observe(written)).toEqual({
      passed: true,
      message: `canary of ${written.writtenAt} found in ConfigMap and database`,
      expected: written.writtenAt,
      observed: written.writtenAt,
    });
    expect(await readCanaryHash(cluster, namespace, AbortSignal.timeout(20_000))).toEqual(written);
    const nonce = await psql('select nonce from pra_canary');
    expect(nonce).toMatch(/^[0-9a-f]{32}$/);
    expect(JSON.stringify([written, await observe(written)])).not.toContain(nonce);
  });

  test('an older database, and an older cluster, fail with both times', async () => {
    const old = await write();
    const oldNonce = await psql('select nonce from pra_canary');
    const written = await write();
    await psql(`update pra_canary set nonce = '${oldNonce}', written_at = '${old.writtenAt}'`);
    expect(await observe(written)).toEqual({
      passed: false,
      message: `stale canary: expected the one of ${written.writtenAt}, the database holds the one of ${old.writtenAt}`,
      expected: written.writtenAt,
      observed: old.writtenAt,
    });
    const data = {nonce: oldNonce, writtenAt: old.writtenAt};
    await applyObject(cluster, ConfigMap, configMap(namespace, 'pra-canary', data));
    expect((await observe(written)).message).toBe(
      `stale canary: expected the one of ${written.writtenAt}, the ConfigMap holds the one of ${old.writtenAt}, ` +
        `the database holds the one of ${old.writtenAt}`,
    );
    expect((await observe(old)).passed).toBe(true);
  });

  test('a nonce that was made up with the right time is stale too', async () => {
    const written = await write();
    await psql("update pra_canary set nonce = 'made up'");
    expect((await observe(written)).passed).toBe(false);
  });

  test('an empty table, a table that is gone and a ConfigMap that is gone fail', async () => {
    const written = await write();
    const missing = {
      passed: false,
      message: `stale canary: expected the one of ${written.writtenAt}, the database holds none`,
      observed: null,
    };
    await psql('delete from pra_canary');
    expect(await observe(written)).toMatchObject(missing);
    await psql('drop table pra_canary');
    expect(await observe(written)).toMatchObject(missing);
    await deleteObject(cluster, ConfigMap, {namespace, name: 'pra-canary'});
    expect((await observe(written)).message).toContain('the ConfigMap holds none, the database holds none');
    expect(await readCanaryHash(cluster, namespace, AbortSignal.timeout(20_000))).toBeUndefined();
  });

  test('a table that may not be read errs: that says nothing about what it holds', async () => {
    const written = await write();
    const reader = {...context, canary: {...written, sqlSecretRef: `${namespace}/reader`}};
    const look = observeCanary(planProbe({canary: {}}), reader, AbortSignal.timeout(20_000));
    expect(await errorOf(look)).toContain('permission denied for table pra_canary');
  });
});

test('a statement may take 20 seconds, and is an error after that', async () => {
  expect(await slow).toContain('canceling statement due to statement timeout');
});
