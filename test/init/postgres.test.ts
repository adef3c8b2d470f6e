import {execFile, execFileSync, spawn} from 'node:child_process';
import {chmod, mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {promisify} from 'node:util';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {COUNT_ROWS} from '../../src/init/probes.ts';
import {recognise} from '../../src/init/recognise.ts';
import {freePorts} from '../bed/free-ports.ts';
import {container, workload} from './facts.ts';

const run = promisify(execFile);
let dir: string;
let environment: NodeJS.ProcessEnv;
const BIN = '/usr/lib/postgresql/15/bin';
/** PostgreSQL does not run as root. */
const asUser = (command: readonly string[]) =>
  process.getuid?.() === 0 ? ['runuser', '-u', 'postgres', '--', ...command] : [...command];
const psql = async (database: string, query: string) =>
  (
    await run('psql', ['-h', '127.0.0.1', '-U', 'app', '-XAtqc', query, database], {env: environment})
  ).stdout.trim();
const asApp = async ([file = '', ...args]: readonly string[], env: NodeJS.ProcessEnv, input?: Buffer) => {
  const child = spawn(file, args, {env: {...environment, ...env}, stdio: ['pipe', 'pipe', 'pipe']});
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stderr.resume();
  child.stdin.on('error', () => undefined).end(input);
  const {promise, resolve} = Promise.withResolvers<number | null>();
  child.once('close', resolve);
  return {exitCode: await promise, output: Buffer.concat(chunks)};
};

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pra-init-pg-'));
  await chmod(dir, 0o777);
  const [port = 0] = await freePorts(1);
  await writeFile(join(dir, 'password'), 'a"$b c\n', {mode: 0o644});
  environment = {...process.env, PGPORT: String(port), PGPASSWORD: 'a"$b c'};
  const initdb = asUser([`${BIN}/initdb`, '-D', join(dir, 'data'), '-U', 'app', '-A', 'scram-sha-256']);
  const options = `-p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=${dir} -c fsync=off`;
  const start = asUser([
    `${BIN}/pg_ctl`,
    '-D',
    join(dir, 'data'),
    '-w',
    '-l',
    join(dir, 'log'),
    '-o',
    options,
    'start',
  ]);
  await run(initdb[0] ?? '', [...initdb.slice(1), `--pwfile=${join(dir, 'password')}`], {cwd: dir});
  execFileSync(start[0] ?? '', start.slice(1), {stdio: 'ignore', cwd: dir});
  for (const name of ['shop', 'copy', 'empty']) await psql('postgres', `create database ${name}`);
  await psql(
    'shop',
    'create table "Or ders" as select generate_series(1, 1000) as id; create table b (id int)',
  );
});
afterAll(async () => {
  const stop = asUser([`${BIN}/pg_ctl`, '-D', join(dir, 'data'), '-m', 'immediate', 'stop']);
  execFileSync(stop[0] ?? '', stop.slice(1), {stdio: 'ignore', cwd: dir});
  await rm(dir, {recursive: true, force: true});
});

const variables = (database: string) => ({
  POSTGRES_USER: 'app',
  POSTGRES_DB: database,
  POSTGRES_PASSWORD_FILE: join(dir, 'password'),
  PGPASSWORD: undefined,
});
const commands = () => {
  const names = ['POSTGRES_USER', 'POSTGRES_DB', 'POSTGRES_PASSWORD_FILE'];
  const env = new Map(names.map(name => [name, undefined]));
  const found = recognise(workload('db', [container('postgres', {env})]))?.commands;
  if (!found) throw new Error('not recognised');
  return found;
};

describe('the commands for PostgreSQL', () => {
  test('save and bring back a database, twice over', async () => {
    const saved = await asApp(commands().dump, variables('shop'));
    expect(saved.exitCode).toBe(0);
    for (let time = 0; time < 2; time += 1)
      expect((await asApp(commands().restore, variables('copy'), saved.output)).exitCode).toBe(0);
    expect(await psql('copy', COUNT_ROWS)).toBe('1000');
    const cut = saved.output.subarray(0, saved.output.length - 2000);
    expect((await asApp(commands().restore, variables('empty'), cut)).exitCode).not.toBe(0);
    expect(await psql('empty', COUNT_ROWS)).toBe('0');
  });

  test('tell an empty database, and one that is not there, from one with tables', async () => {
    expect((await asApp(commands().notEmpty, variables('shop'))).exitCode).toBe(0);
    expect((await asApp(commands().notEmpty, variables('empty'))).exitCode).not.toBe(0);
    expect((await asApp(commands().notEmpty, variables('nowhere'))).exitCode).not.toBe(0);
    expect((await asApp(commands().dump, variables('nowhere'))).exitCode).not.toBe(0);
  });
});
