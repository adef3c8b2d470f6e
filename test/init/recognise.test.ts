import {describe, expect, test} from 'vitest';
import {recognise} from '../../src/init/recognise.ts';
import {container, workload} from './facts.ts';

const env = (variables: Record<string, string | undefined>) => ({env: new Map(Object.entries(variables))});
const questionOf = (image: string, rest: Parameters<typeof container>[1] = {}) =>
  recognise(workload('db', [container(image, rest)]))?.notEmpty?.at(-1);

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

  test('writes user and database as they are', () => {
    const named = questionOf('postgres', env({POSTGRES_USER: 'app', POSTGRES_DB: 'shop'}));
    expect(named).toContain('psql --host=127.0.0.1 --username=app --dbname=shop ');
    expect(questionOf('postgres')).toContain('--dbname=postgres');
  });

  test('never writes a password', () => {
    const password = 'hunter2-do-not-write';
    for (const variable of [
      'POSTGRES_PASSWORD',
      'POSTGRESQL_PASSWORD',
      'MYSQL_ROOT_PASSWORD',
      'REDIS_PASSWORD',
    ])
      for (const image of ['postgres', 'mysql', 'mariadb', 'mongo', 'redis']) {
        const found = recognise(workload('db', [container(image, env({[variable]: password}))]));
        expect(JSON.stringify([found?.notEmpty, found?.missing])).not.toContain(password);
      }
    expect(questionOf('postgres', env({POSTGRES_PASSWORD: password}))).toMatch(
      /^export PGPASSWORD="\$POSTGRES_PASSWORD"; test /,
    );
    expect(questionOf('postgres', env({POSTGRES_PASSWORD_FILE: '/run/x'}))).toContain(
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
    const question = questionOf('postgres', env({POSTGRES_USER: name, POSTGRES_DB: name}));
    expect(question).toContain('--username="$POSTGRES_USER" --dbname="$POSTGRES_DB"');
    expect(JSON.stringify(question)).not.toContain(JSON.stringify(name).slice(1, -1));
  });

  test('takes variables that are elsewhere from the shell', () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: for the shell
    const user = '--username="${POSTGRES_USER:-${POSTGRESQL_USERNAME:-postgres}}"';
    expect(questionOf('postgres', {hasEnvFrom: true})).toContain(user);
    expect(questionOf('postgres', env({POSTGRES_DB: undefined}))).toContain('"$POSTGRES_DB"');
  });

  test('says which variable is missing', () => {
    const found = recognise(workload('db', [container('mysql', env({MYSQL_DATABASE: 'shop'}))]));
    expect(found?.notEmpty).toBeUndefined();
    expect(found?.missing).toContain('MYSQL_ROOT_PASSWORD');
  });
});
