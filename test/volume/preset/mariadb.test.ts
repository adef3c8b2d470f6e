import {chmod, mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import type {DumpRecord} from '../../../src/repository/snapshot-root.ts';
import {argumentsWith, containerExec, type Userland} from '../../bed/container.ts';
import {startMariadb, type TestMariadb} from '../../bed/mariadb.ts';
import {type Cut, startTrip, type Trip} from './trip.ts';

const PASSWORD = 'a"$b cd';
let source: TestMariadb;
let trip: Trip;
let bin: string;
let target: TestMariadb;
const fresh = async () => {
  await target?.stop();
  target = await startMariadb(PASSWORD);
  return target;
};

beforeAll(async () => {
  [source, trip] = await Promise.all([startMariadb(PASSWORD), startTrip()]);
  await source.query(
    `create database shop character set utf8mb4; create database \`odd na'me\`; use shop;
     create table orders (id int primary key auto_increment, note text, raw longblob) engine=innodb;
     insert into orders (note, raw) select concat(repeat(md5(seq), 20), 'é\\n''x'), unhex(sha1(seq)) from seq_1_to_5000;
     insert into orders (note, raw) values ('larger than a packet', repeat(unhex('00ff'), 5500000));
     insert into orders (note) values ('-- pra: the dump ends here');
     create view big as select id from orders where id > 10;
     create procedure count_orders() select count(*) from orders;
     create trigger shout before insert on orders for each row set new.note = concat(new.note, '!');
     create event nightly on schedule every 1 day do set @a = 1;
     create table \`odd na'me\`.t as select 1 as one;
     create user app@'%' identified by 'password-of-app'; create role reader; grant select on shop.* to reader;
     grant reader to app@'%'; set default role reader for app@'%'; grant insert on shop.orders to app@'%'`,
  );
  bin = await mkdtemp(join(tmpdir(), 'pra-mysql-'));
  await chmod(bin, 0o755);
  // The tools of MariaDB under the names of MySQL; what only MySQL knows is left out.
  const shim = `#!/bin/sh\nfor word; do shift; [ "$word" = --set-gtid-purged=OFF ] || set -- "$@" "$word"; done\nexec mariadb-dump "$@"\n`;
  await writeFile(join(bin, 'mysqldump'), shim, {mode: 0o755});
});
afterAll(async () => {
  trip?.end();
  if (bin) await rm(bin, {recursive: true, force: true});
  for (const server of [source, target]) await server?.stop();
});

const inside = (
  {home}: TestMariadb,
  userland: Userland = 'debian',
  env: Record<string, string> = {MARIADB_ROOT_PASSWORD: PASSWORD},
) => containerExec({env: {...env, HOME: home}, userland, path: [bin]});
const QUERIES = [
  'select count(*), sum(crc32(note)), sum(crc32(raw)), max(length(raw)) from shop.orders',
  "select * from `odd na'me`.t",
  "select table_name, table_type from information_schema.tables where table_schema = 'shop' order by 1",
  "select routine_name from information_schema.routines where routine_schema = 'shop'",
  "select trigger_name from information_schema.triggers where trigger_schema = 'shop'",
  "select event_name from information_schema.events where event_schema = 'shop'",
  "show grants for app@'%'",
  'show grants for reader',
];
const answers = async (server: TestMariadb) => {
  const all: string[] = [];
  for (const query of QUERIES) all.push(await server.query(query));
  return all;
};

describe.each(['mariadb', 'mysql'] as const)('preset %s', preset => {
  const env = {[preset === 'mariadb' ? 'MARIADB_ROOT_PASSWORD' : 'MYSQL_ROOT_PASSWORD']: PASSWORD};

  test.each<Userland>(['debian', 'alpine'])(
    'brings back databases, routines and users (%s)',
    async userland => {
      const record = await trip.save(inside(source, userland, env), {preset});
      await fresh();
      const limit = await target.query('select @@global.max_allowed_packet');
      expect(Number(limit)).toBeLessThan(22_000_000);
      await trip.restore(inside(target, userland, env), record);
      expect(await answers(target)).toEqual(await answers(source));
      expect(await target.query('select @@global.max_allowed_packet')).toBe(limit);
      await trip.restore(inside(target, userland, env), record);
      expect(await target.query('select count(*) from shop.orders')).toBe('5002');
    },
  );

  test('saves one database alone', async () => {
    const rule = {preset, database: "odd na'me", user: 'root', passwordEnv: 'DB_PASSWORD'} as const;
    const own = {DB_PASSWORD: PASSWORD};
    const record = await trip.save(inside(source, 'debian', own), rule);
    await fresh();
    await trip.restore(inside(target, 'debian', own), record);
    expect(await target.query('show databases')).not.toContain('shop');
    expect(await target.query("select * from `odd na'me`.t")).toBe('1');
  });
});

describe('a restore of preset mariadb', () => {
  let record: DumpRecord;
  beforeAll(async () => {
    await fresh();
    record = await trip.save(inside(source), {preset: 'mariadb'});
  });

  test.each<[string, RegExp, Cut]>([
    ['with its last line', /the dump was cut off/, bytes => bytes.length - 28],
    // The client carries out what it has got of a statement, without an error.
    ['between two rows', /the dump was cut off/, bytes => bytes.indexOf('),(', bytes.length >> 2) + 1],
    ['in the middle of a row', /the dump was cut off|ERROR 1064/, bytes => bytes.length >> 1],
    ['to nothing', /the dump was cut off/, () => 0],
  ])('refuses a dump that was cut off %s', async (_where, words, cut) => {
    const {exitCode, stderr} = await trip.restoreCut(inside(target), record, cut);
    expect(exitCode).not.toBe(0);
    expect(stderr).toMatch(words);
  });
});

describe('a dump of preset mariadb fails', () => {
  const secrets = [PASSWORD, 'wrong-secret'];
  const rule = {preset: 'mariadb'} as const;

  test('shows no password to who lists the processes', async () => {
    const seen: string[] = [];
    const onOutput = async () => {
      expect(argumentsWith('sh -c')).not.toEqual([]);
      seen.push(...argumentsWith(PASSWORD));
    };
    await trip.save(containerExec({env: {MARIADB_ROOT_PASSWORD: PASSWORD, HOME: source.home}, onOutput}), {
      preset: 'mariadb',
    });
    expect(seen).toEqual([]);
  });

  test('with a wrong password, in the words of the server', async () => {
    const wrong = inside(source, 'debian', {MARIADB_ROOT_PASSWORD: 'wrong-secret'});
    expect(await trip.failure(wrong, rule, secrets)).toMatchObject({
      code: 'VOLUME_DUMP_FAILED',
      why: expect.stringContaining('Access denied'),
    });
  });

  test('when the server dies in the middle, and when it is not there', async () => {
    const server = await fresh();
    await server.query(
      'create database shop; create table shop.t (a longtext); insert into shop.t select repeat(md5(seq), 30) from mysql.seq_1_to_40000',
    );
    const env = {MARIADB_ROOT_PASSWORD: PASSWORD, HOME: server.home};
    const dying = containerExec({env, onOutput: () => server.kill()});
    expect((await trip.failure(dying, rule, secrets)).why).toMatch(/Lost connection|gone away/);
    expect((await trip.failure(inside(server), rule, secrets)).why).toMatch(/Can't connect/);
  });

  test('and a restore that the server refuses is told in its words', async () => {
    const {restoreCommand} = await trip.save(inside(source), {preset: 'mariadb', database: "odd na'me"});
    const command = ['printf', 'select 1;\nselect nonsense;\n-- pra: the dump ends here\n'];
    const record = await trip.save(containerExec({env: {}}), {command, restore: restoreCommand});
    await expect(trip.restore(inside(await fresh()), record)).rejects.toMatchObject({
      code: 'VOLUME_RESTORE_FAILED',
      why: expect.stringContaining("Unknown column 'nonsense'"),
    });
  });
});
