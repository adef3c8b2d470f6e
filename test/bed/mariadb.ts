import {writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {runProcess} from '../../src/std/process.ts';
import {type Daemon, ordinaryFolder, startDaemon} from './daemon.ts';
import {runAs} from './run-as.ts';

export interface TestMariadb extends Daemon {
  /** Home of users whose clients find the server by themselves. */
  home: string;
  /** Rows as lines, columns with tabs between them. */
  query(sql: string): Promise<string>;
}

/** An empty server behind a socket of its own, with root and its password. */
export async function startMariadb(password: string): Promise<TestMariadb> {
  const dir = await ordinaryFolder('mariadb');
  const data = join(dir, 'data');
  const socket = join(dir, 'socket');
  await runAs([
    ...[
      'mariadb-install-db',
      '--no-defaults',
      `--datadir=${data}`,
      '--auth-root-authentication-method=normal',
    ],
    ...['--skip-test-db', '--innodb-log-file-size=8M'],
  ]);
  const ask = async (sql: string, env: Record<string, string>) => {
    const args = ['--no-defaults', `--socket=${socket}`, '--user=root', '--batch', '--skip-column-names'];
    return (await runProcess('mariadb', [...args, `--execute=${sql}`], {env})).stdout.trim();
  };
  const daemon = await startDaemon({
    dir,
    command: [
      ...[
        '/usr/sbin/mariadbd',
        '--no-defaults',
        `--datadir=${data}`,
        `--socket=${socket}`,
        '--skip-networking',
      ],
      ...['--innodb-buffer-pool-size=16M', '--innodb-log-file-size=8M', '--innodb-flush-log-at-trx-commit=0'],
      ...[`--pid-file=${join(dir, 'pid')}`],
    ],
    answers: () =>
      ask('select 1', {}).then(
        () => true,
        () => false,
      ),
  });
  await ask(`alter user root@localhost identified by '${password}'`, {});
  await writeFile(join(dir, '.my.cnf'), `[client]\nsocket=${socket}\n`, {mode: 0o644});
  return {...daemon, home: dir, query: sql => ask(sql, {MYSQL_PWD: password})};
}
