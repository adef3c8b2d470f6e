import {
  type DumpCommands,
  FIRST,
  type PresetOptions,
  quote,
  SQL_END,
  script,
  setPassword,
  setUser,
  wholeSql,
} from './shell.ts';

/** PostgreSQL: all databases with the roles as SQL, or one database as an archive of pg_dump. */
export function postgresql(options: PresetOptions): DumpCommands {
  const connect = [FIRST, connection(options)];
  if (options.database === undefined)
    return {command: script(...connect, DUMP_ALL, SQL_END), restore: script(...connect, RESTORE_ALL)};
  const database = `export PGDATABASE=${quote(options.database)}`;
  return {
    command: script(...connect, database, 'exec pg_dump -Fc -Z0'),
    restore: script(...connect, database, restoreOne(options.database)),
  };
}

/** Who may read the roles: in images of Bitnami that is postgres, whose password is apart. */
const SUPERUSER = ['POSTGRESQL_POSTGRES_PASSWORD', 'POSTGRES_POSTGRES_PASSWORD'];
const PASSWORD = ['POSTGRES_PASSWORD', 'POSTGRESQL_PASSWORD'];
const USER = ['POSTGRES_USER', 'POSTGRESQL_USERNAME'];

function connection(options: PresetOptions): string {
  const named = [setUser(options, USER, 'postgres'), setPassword(options, PASSWORD)].join('\n');
  const isPlain = options.user === undefined && options.database === undefined;
  const isOpen = options.passwordEnv === undefined && options.passwordFile === undefined;
  const superuser = `user=postgres password=$(first ${SUPERUSER.join(' ')})
if [ -z "$password" ]; then
${named}
fi`;
  return `${isPlain && isOpen ? superuser : named}
[ -z "$password" ] || export PGPASSWORD="$password"
export PGUSER="$user" PGHOST="\${PGHOST:-127.0.0.1}"${options.port === undefined ? '' : ` PGPORT=${options.port}`}
export PGOPTIONS='-c client_min_messages=warning'`;
}

/**
 * Roles first. A new server has some of them already, and pg_dumpall cannot drop the one that asks, so each is made only
 * where it is missing. Databases go by number, because a name may be anything; what connects while they are replaced is
 * sent away where the server can.
 */
const DUMP_ALL = `globals=$(pg_dumpall --globals-only --no-tablespaces)
printf '%s\\n' "$globals" | sed 's/^CREATE ROLE \\([^$]*\\);$/DO $pra$ BEGIN CREATE ROLE \\1; EXCEPTION WHEN duplicate_object THEN NULL; END $pra$;/'
ask() { psql -XAtq --dbname=template1 --command="$1"; }
databases=$(ask 'select oid from pg_database where datallowconn and not datistemplate order by datname')
for oid in $databases; do
  echo '\\connect template1'
  ask "select format('DROP DATABASE IF EXISTS %I%s;', datname,
    case when current_setting('server_version_num')::int >= 130000 then ' WITH (FORCE)' end) from pg_database where oid = $oid"
  PGDATABASE=$(ask "select datname from pg_database where oid = $oid") pg_dump --create --no-tablespaces
done`;

const RESTORE_ALL = wholeSql('psql -Xq -v ON_ERROR_STOP=1 --output=/dev/null --dbname=template1');

/**
 * pg_restore sees by itself when an archive is not whole; in one transaction nothing of it stays then. It would take a name
 * with an equals sign for settings of the connection, so it is given the name as one.
 */
function restoreOne(database: string): string {
  const name = `dbname='${database.replaceAll(/['\\]/g, '\\$&')}'`;
  return `psql -Xqc 'select 1' >/dev/null 2>&1 || createdb "$PGDATABASE"
exec pg_restore --exit-on-error --single-transaction --clean --if-exists --dbname=${quote(name)}`;
}
