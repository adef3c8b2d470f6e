import {describe, expect, test} from 'vitest';
import {recognise} from '../../src/init/recognise.ts';
import {container, workload} from './facts.ts';

const env = (variables: Record<string, string | undefined>) => ({env: new Map(Object.entries(variables))});
const commandsOf = (image: string, rest: Parameters<typeof container>[1] = {}) =>
  recognise(workload('db', [container(image, rest)]))?.commands;

describe('recognise', () => {
  test.each([
    ['postgres:16', 'PostgreSQL'],
    ['registry.example:5000/bitnami/postgresql@sha256:0123', 'PostgreSQL'],
    ['mariadb:11', 'MariaDB'],
    ['docker.io/library/mysql:8.4', 'MySQL'],
    ['mongo', 'MongoDB'],
    ['valkey/valkey:8', 'Redis'],
    ['prometheuscommunity/postgres-exporter', undefined],
    ['example/postgres/backup', undefined],
  ])('knows %s as %s', (image, database) => {
    expect(recognise(workload('db', [container(image)]))?.recipe.database).toBe(database);
  });

  test('knows an image of one’s own by variables of a server, if it keeps data', () => {
    const own = container('example/db', env({PGDATA: '/data'}));
    expect(recognise(workload('db', [own]))?.recipe.database).toBe('PostgreSQL');
    expect(recognise(workload('db', [{...own, mountsClaim: false}]))).toBeUndefined();
    expect(recognise(workload('db', [container('app', env({POSTGRES_USER: 'x'}))]))).toBeUndefined();
  });

  test('does not take a client for a server', () => {
    const client = container('postgres', {mountsClaim: false});
    expect(recognise(workload('app', [container('app'), client]))).toBeUndefined();
    expect(recognise(workload('backup', [container('postgres')], {kind: 'CronJob'}))).toBeUndefined();
  });

  test('writes user and database as they are, without a shell, where no password is needed', () => {
    expect(commandsOf('postgres', env({POSTGRES_USER: 'app', POSTGRES_DB: 'shop'}))?.dump).toEqual(
      'pg_dump --host=127.0.0.1 --username=app --dbname=shop -Fc -Z0'.split(' '),
    );
    expect(commandsOf('postgres')?.restore).toContain('--dbname=postgres');
  });

  test('never writes a password', () => {
    const password = 'hunter2-do-not-write';
    for (const variable of ['POSTGRES_PASSWORD', 'POSTGRESQL_PASSWORD', 'MYSQL_ROOT_PASSWORD']) {
      const rest = env({[variable]: password, MYSQL_DATABASE: 'shop'});
      for (const image of ['postgres', 'mysql', 'mariadb', 'mongo'])
        expect(
          JSON.stringify(recognise(workload('db', [container(image, rest)]))?.commands ?? {}),
        ).not.toContain(password);
    }
    expect(commandsOf('postgres', env({POSTGRES_PASSWORD: password}))?.dump.at(-1)).toMatch(
      /^PGPASSWORD="\$POSTGRES_PASSWORD" pg_dump /,
    );
    expect(commandsOf('postgres', env({POSTGRES_PASSWORD_FILE: '/run/x'}))?.dump.at(-1)).toContain(
      'PGPASSWORD="$(cat "$POSTGRES_PASSWORD_FILE")"',
    );
  });

  test.each([
    '$(id)',
    '-f/etc/passwd',
    'host=evil dbname=x',
    'a"; rm -rf / #',
    "x'y",
    'a\nb',
    'postgres://evil/x',
  ])('leaves a hostile name to the variable of the container: %j', name => {
    const {dump, restore, notEmpty} =
      commandsOf('postgres', env({POSTGRES_USER: name, POSTGRES_DB: name})) ?? {};
    expect(dump?.at(-1)).toContain('--username="$POSTGRES_USER" --dbname="$POSTGRES_DB"');
    expect(JSON.stringify([dump, restore, notEmpty])).not.toContain(JSON.stringify(name).slice(1, -1));
  });

  test('takes variables that are elsewhere from the shell', () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: for the shell
    const user = '--username="${POSTGRES_USER:-${POSTGRESQL_USERNAME:-postgres}}"';
    expect(commandsOf('postgres', {hasEnvFrom: true})?.dump.at(-1)).toContain(user);
    expect(commandsOf('postgres', env({POSTGRES_DB: undefined}))?.dump.at(-1)).toContain('"$POSTGRES_DB"');
  });

  test('says which variable is missing', () => {
    const found = recognise(workload('db', [container('mysql', env({MYSQL_DATABASE: 'shop'}))]));
    expect(found?.commands).toBeUndefined();
    expect(found?.missing).toContain('MYSQL_ROOT_PASSWORD');
  });
});
