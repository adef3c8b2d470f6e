import {rm, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {COUNT_ROWS} from '../../src/init/probes.ts';
import {recognise} from '../../src/init/recognise.ts';
import {containerExec} from '../bed/container.ts';
import {ordinaryFolder} from '../bed/daemon.ts';
import {startPostgres, type TestPostgres} from '../bed/postgresql.ts';
import {container, workload} from './facts.ts';

const PASSWORD = 'a"$b c';
let server: TestPostgres;
let dir: string;

beforeAll(async () => {
  dir = await ordinaryFolder('init');
  await writeFile(join(dir, 'password'), `${PASSWORD}\n`, {mode: 0o644});
  server = await startPostgres('app', PASSWORD);
  for (const name of ['shop', 'empty']) await server.query(`create database ${name}`);
  await server.query('create table "Or ders" as select generate_series(1, 1000) as id', 'shop');
  await server.query('create table b (id int)', 'shop');
});
afterAll(async () => {
  await server?.stop();
  if (dir) await rm(dir, {recursive: true, force: true});
});

/** Asks as the probe that `pra init` writes does, in a container with these variables. */
async function exitCode(database: string): Promise<number> {
  const variables = {
    POSTGRES_USER: 'app',
    POSTGRES_DB: database,
    POSTGRES_PASSWORD_FILE: join(dir, 'password'),
  };
  const env = new Map(Object.keys(variables).map(name => [name, undefined]));
  const command = recognise(workload('db', [container('postgres', {env})]))?.notEmpty;
  if (!command) throw new Error('not recognised');
  const exec = containerExec({env: {...variables, PGPORT: String(server.port)}});
  return (await exec({namespace: 'shop', pod: 'db-0', command})).exitCode;
}

describe('what is asked of PostgreSQL', () => {
  test('tells an empty database, and one that is not there, from one with tables', async () => {
    expect(await exitCode('shop')).toBe(0);
    expect(await exitCode('empty')).not.toBe(0);
    expect(await exitCode('nowhere')).not.toBe(0);
  });

  test('counts the rows of all tables', async () => {
    expect(await server.query(COUNT_ROWS, 'shop')).toBe('1000');
    expect(await server.query(COUNT_ROWS, 'empty')).toBe('0');
  });
});
