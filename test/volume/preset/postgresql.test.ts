import {writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {argumentsWith, containerExec, type Userland} from '../../bed/container.ts';
import {startPostgres, type TestPostgres} from '../../bed/postgresql.ts';
import {type Cut, startTrip, type Trip} from './trip.ts';

const PASSWORD = `a"$b c'd`;
const REPORTER = 'the-password-of-reporter';
let source: TestPostgres;
let trip: Trip;
let target: TestPostgres;

/** A database with a user, as an image makes it on its first start. */
async function fresh(): Promise<TestPostgres> {
  await target?.stop();
  target = await startPostgres('app', PASSWORD);
  await target.query('create database shop');
  return target;
}

beforeAll(async () => {
  [source, trip] = await Promise.all([startPostgres('app', PASSWORD), startTrip()]);
  await source.query('create database shop');
  await source.query('create database "odd ""na\'me=1"');
  await source.query(
    `create role reporter login password '${REPORTER}'; create role "the boss"; grant "the boss" to reporter`,
  );
  await source.query(
    `create table orders (id serial primary key, note text, raw bytea);
     insert into orders (note, raw) select repeat(md5(i::text), 40), sha256(i::text::bytea) from generate_series(1, 6000) i;
     insert into orders (note) values (E'a\\\\.\\nb\\tc'), ('-- pra: the dump ends here');
     create view big as select id from orders where id > 10; grant select on orders to reporter;
     alter table orders owner to "the boss"; comment on table orders is 'it''s'`,
    'shop',
  );
  await source.query(
    `create table notes as select 'é' as text; alter database "odd ""na'me=1" set work_mem = '5MB'`,
    `odd "na'me=1`,
  );
  await source.query('create table in_postgres as select 1 as one');
});
afterAll(async () => {
  trip?.end();
  for (const server of [source, target]) await server?.stop();
});

const variables = {POSTGRES_USER: 'app', POSTGRES_DB: 'shop', POSTGRES_PASSWORD: PASSWORD};
const inside = (
  {port}: TestPostgres,
  userland: Userland = 'debian',
  env: Record<string, string> = variables,
) => containerExec({env: {...env, PGPORT: String(port)}, userland});
const ORDERS =
  "select count(*), sum(hashtext(o::text)), max(obj_description('orders'::regclass)) from orders o";

describe('preset postgresql', () => {
  test.each<Userland>(['debian', 'alpine'])(
    'brings back all databases, and roles with their passwords (%s)',
    async userland => {
      const record = await trip.save(inside(source, userland), {preset: 'postgresql'});
      await fresh();
      await trip.restore(inside(target, userland), record);
      for (const [sql, database] of [
        [ORDERS, 'shop'],
        ["select viewname from pg_views where schemaname = 'public'", 'shop'],
        ["select tableowner from pg_tables where tablename = 'orders'", 'shop'],
        ['select text from notes', `odd "na'me=1`],
        ['select one from in_postgres', 'postgres'],
        [
          "select rolname, rolsuper, rolcanlogin from pg_roles where rolname !~ '^pg_' order by 1",
          'postgres',
        ],
        ['select datname, datcollate from pg_database order by 1', 'postgres'],
        ['select setconfig from pg_db_role_setting', 'postgres'],
      ] as const)
        expect(await target.query(sql, database)).toBe(await source.query(sql, database));
      expect(await target.query('select count(*) from orders', 'shop')).toBe('6002');
      const reporter = inside(target, userland, {
        PGUSER: 'reporter',
        PGPASSWORD: REPORTER,
        PGHOST: '127.0.0.1',
        PGDATABASE: 'shop',
      });
      const command = ['psql', '-XAtqc', 'select count(*) from orders'];
      expect(await reporter({namespace: '', pod: '', command})).toEqual({exitCode: 0, stderr: ''});
    },
  );

  test('replaces what is there, also while somebody is connected', async () => {
    await fresh();
    await target.query('create table orders as select 1 as old', 'shop');
    const record = await trip.save(inside(source), {preset: 'postgresql'});
    const idle = target.query('select pg_sleep(60)', 'shop').catch(() => undefined);
    await trip.restore(inside(target), record);
    await trip.restore(inside(target), record);
    await idle;
    expect(await target.query(ORDERS, 'shop')).toBe(await source.query(ORDERS, 'shop'));
  });

  test('saves one database alone, into a server that does not have it yet', async () => {
    const rule = {
      preset: 'postgresql',
      database: `odd "na'me=1`,
      user: 'app',
      passwordEnv: 'DB_PASSWORD',
    } as const;
    const env = {DB_PASSWORD: PASSWORD};
    const record = await trip.save(inside(source, 'debian', env), rule);
    await fresh();
    await trip.restore(inside(target, 'debian', env), record);
    expect(await target.query('select text from notes', `odd "na'me=1`)).toBe('é');
    expect(await target.query('select count(*) from pg_database')).toBe('5');
    expect(
      (await trip.restoreCut(inside(target, 'debian', env), record, bytes => bytes.length - 20)).exitCode,
    ).not.toBe(0);
  });

  test.each<[string, RegExp, Cut]>([
    ['with its last line', /the dump was cut off/, bytes => bytes.length - 28],
    ['in the middle of a line', /the dump was cut off|missing data/, bytes => bytes.length - 400_000],
    // psql takes such an end for the end of the rows.
    ['between two rows', /the dump was cut off/, bytes => bytes.indexOf('\n', bytes.length >> 1) + 1],
    ['to nothing', /the dump was cut off/, () => 0],
  ])('refuses a dump that was cut off %s', async (_where, words, cut) => {
    const record = await trip.save(inside(source), {preset: 'postgresql'});
    const {exitCode, stderr} = await trip.restoreCut(inside(target), record, cut);
    expect(exitCode).not.toBe(0);
    expect(stderr).toMatch(words);
  });

  test('a dump that is no SQL at some place fails with the words of the server', async () => {
    const exec = inside(target);
    const record = await trip.save(containerExec({env: {}}), {
      command: ['printf', 'select 1;\nselect nonsense;\n-- pra: the dump ends here\n'],
      restore: (await trip.save(inside(source), {preset: 'postgresql'})).restoreCommand,
    });
    await expect(trip.restore(exec, record)).rejects.toMatchObject({
      code: 'VOLUME_RESTORE_FAILED',
      why: expect.stringContaining('column "nonsense" does not exist'),
    });
  });

  test('shows no password to who lists the processes', async () => {
    const seen: string[] = [];
    const onOutput = async () => {
      expect(argumentsWith('sh -c')).not.toEqual([]);
      seen.push(...argumentsWith(PASSWORD));
    };
    await trip.save(containerExec({env: {...variables, PGPORT: String(source.port)}, onOutput}), {
      preset: 'postgresql',
    });
    expect(seen).toEqual([]);
  });

  test('asks as the superuser of an image whose user is none', async () => {
    await source.query(`create role postgres superuser login password 'of-the-superuser'`);
    const file = join(target.dir, 'superuser');
    await writeFile(file, 'of-the-superuser\n', {mode: 0o644});
    const env = {POSTGRES_USER: 'reporter', POSTGRES_PASSWORD: REPORTER};
    const rule = {preset: 'postgresql'} as const;
    expect((await trip.failure(inside(source, 'debian', env), rule, [REPORTER])).why).toContain(
      'permission denied',
    );
    await trip.save(inside(source, 'debian', {...env, POSTGRES_POSTGRES_PASSWORD_FILE: file}), rule);
    await source.query('drop role postgres');
  });

  test('a wrong password, a missing variable, a server that is not there or that dies fails the dump', async () => {
    const secrets = [PASSWORD, 'wrong-secret'];
    const rule = {preset: 'postgresql'} as const;
    const wrong = inside(source, 'debian', {POSTGRES_USER: 'app', POSTGRES_PASSWORD: 'wrong-secret'});
    expect(await trip.failure(wrong, rule, secrets)).toMatchObject({
      code: 'VOLUME_DUMP_FAILED',
      why: expect.stringContaining('password authentication failed'),
    });
    expect((await trip.failure(inside(source), {...rule, passwordEnv: 'NOWHERE'}, secrets)).why).toContain(
      'no variable NOWHERE',
    );
    const server = await fresh();
    await server.query(
      'create table big as select md5(i::text) as a, repeat(md5(i::text), 20) as b from generate_series(1, 40000) i',
      'shop',
    );
    const dying = containerExec({
      env: {...variables, PGPORT: String(server.port)},
      onOutput: () => server.kill(),
    });
    expect((await trip.failure(dying, {...rule, database: 'shop'}, secrets)).why).toMatch(
      /server closed the connection|could not receive/,
    );
    expect((await trip.failure(inside(server), rule, secrets)).why).toContain('Connection refused');
  });
});
