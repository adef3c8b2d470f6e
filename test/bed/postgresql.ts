import {readdirSync} from 'node:fs';
import {writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {runProcess} from '../../src/std/process.ts';
import {type Daemon, ordinaryFolder, startDaemon} from './daemon.ts';
import {freePorts} from './free-ports.ts';
import {runAs} from './run-as.ts';

export interface TestPostgres extends Daemon {
  port: number;
  dir: string;
  /** Rows as lines, columns with | between them. */
  query(sql: string, database?: string): Promise<string>;
}

const ROOT = '/usr/lib/postgresql';

/** An empty server on loopback, which asks everybody for a password, and has one user, a superuser. */
export async function startPostgres(user: string, password: string): Promise<TestPostgres> {
  const [version = ''] = readdirSync(ROOT).sort((a, b) => Number(b) - Number(a));
  const bin = join(ROOT, version, 'bin');
  const dir = await ordinaryFolder('postgres');
  const [port = 0] = await freePorts(1);
  await writeFile(join(dir, 'password'), `${password}\n`, {mode: 0o644});
  const data = join(dir, 'data');
  await runAs([
    ...[join(bin, 'initdb'), '-D', data, '-U', user, '-A', 'scram-sha-256', '-E', 'UTF8', '--no-sync'],
    `--pwfile=${join(dir, 'password')}`,
  ]);
  const query = async (sql: string, database = 'postgres') => {
    const env = {PGPASSWORD: password, PGCONNECT_TIMEOUT: '5', PGDATABASE: database};
    const args = ['-h', '127.0.0.1', '-p', String(port), '-U', user, '-XAtq', '-v', 'ON_ERROR_STOP=1'];
    const {stdout} = await runProcess('psql', [...args, '-c', sql], {env, cwd: '/'});
    return stdout.trim();
  };
  const settings = ['listen_addresses=127.0.0.1', `unix_socket_directories=${dir}`, 'fsync=off'];
  const daemon = await startDaemon({
    dir,
    command: [join(bin, 'postgres'), '-D', data, '-p', String(port), ...settings.flatMap(one => ['-c', one])],
    answers: () =>
      query('select 1').then(
        () => true,
        () => false,
      ),
  });
  return {...daemon, port, dir, query};
}
