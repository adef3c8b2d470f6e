/** Where a recipe gets a value from: variables of the container, by name or, with `_FILE` appended, as files. */
export interface Parameter {
  /** The first one that the container has counts. */
  variables: readonly string[];
  /** What the image takes when there is none: a text, or another parameter as `{name}`. */
  fallback?: string;
  /** Never written into the plan, whatever the container says. */
  secret?: true;
  /** Without it the commands do not work, so the recipe does not fit. */
  required?: true;
}

/** How one kind of database is recognised, and how its data is saved, brought back and looked at. */
export interface Recipe {
  database: string;
  /** Last parts of the names of images. */
  images: readonly string[];
  /** Variables that only a server of this kind has. */
  variables: readonly string[];
  parameters: Readonly<Record<string, Parameter>>;
  /** Words split at spaces, in which `{name}` is a parameter. Undefined when no command can do it. */
  commands?: Commands;
  /** What a person must know to judge the rule. */
  advice: readonly string[];
}

export interface Commands {
  /** Variables that the commands run with. One whose parameter is not there is left out. */
  environment: Readonly<Record<string, string>>;
  dump: string;
  restore: string;
  /** A shell condition that holds when the database is not empty. */
  notEmpty: string;
}

const PG = '--host=127.0.0.1 --username={user} --dbname={database}';
const MYSQL_TABLES =
  "select count(*) from information_schema.tables where table_schema not in ('mysql','sys','information_schema','performance_schema')";
/** The user of the database where there is one; the shell leaves the words out where there is none. */
const MONGO =
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell fills it in
  '${MONGO_INITDB_ROOT_USERNAME:+--username="$MONGO_INITDB_ROOT_USERNAME" --password="$MONGO_INITDB_ROOT_PASSWORD" --authenticationDatabase=admin}';

const mysqlParameters = {
  password: {
    variables: ['MYSQL_ROOT_PASSWORD', 'MARIADB_ROOT_PASSWORD'],
    secret: true,
    required: true,
  },
  database: {variables: ['MYSQL_DATABASE', 'MARIADB_DATABASE'], required: true},
} as const satisfies Recipe['parameters'];

/** The two servers differ in the names of their programs, and MySQL in what it does not want in a dump. */
const mysqlCommands = (client: string, dump: string): Commands => ({
  environment: {MYSQL_PWD: '{password}'},
  dump: `${dump} --databases {database}`,
  restore: `${client} --user=root`,
  notEmpty: `test "$(${client} --user=root -N -B -e "${MYSQL_TABLES}")" -gt 0`,
});
const MYSQL_DUMP = '--user=root --single-transaction --quick --routines --triggers --events --hex-blob';

const mysqlAdvice = ['Saves this one database. Users that were made by hand are not in it.'];

/** The databases that `pra init` knows. A new one is a new entry here. */
export const RECIPES: readonly Recipe[] = [
  {
    database: 'PostgreSQL',
    images: ['postgres', 'postgresql', 'postgis', 'pgvector', 'timescaledb', 'timescaledb-ha'],
    variables: ['PGDATA', 'POSTGRES_INITDB_ARGS', 'POSTGRESQL_VOLUME_DIR'],
    parameters: {
      user: {variables: ['POSTGRES_USER', 'POSTGRESQL_USERNAME'], fallback: 'postgres'},
      database: {variables: ['POSTGRES_DB', 'POSTGRESQL_DATABASE'], fallback: '{user}'},
      password: {variables: ['POSTGRES_PASSWORD', 'POSTGRESQL_PASSWORD'], secret: true},
    },
    commands: {
      environment: {PGPASSWORD: '{password}'},
      // restic compresses, and finds again what did not change, which it cannot in compressed data.
      dump: `pg_dump ${PG} -Fc -Z0`,
      // What the image makes on its first start gives way to what was saved.
      restore: `pg_restore ${PG} --exit-on-error --single-transaction --clean --if-exists`,
      notEmpty: `test "$(psql ${PG} -XAtqc "select count(*) from pg_tables where schemaname not in ('pg_catalog','information_schema')")" -gt 0`,
    },
    advice: [
      'Saves this one database. Other databases of the server need rules of their own, and roles that were',
      'made by hand are not in it: without them the restore fails.',
    ],
  },
  {
    database: 'MariaDB',
    images: ['mariadb', 'mariadb-galera'],
    variables: ['MARIADB_ROOT_PASSWORD', 'MARIADB_ROOT_PASSWORD_FILE'],
    parameters: mysqlParameters,
    commands: mysqlCommands('mariadb', `mariadb-dump ${MYSQL_DUMP}`),
    advice: mysqlAdvice,
  },
  {
    database: 'MySQL',
    images: ['mysql', 'mysql-server', 'percona', 'percona-server'],
    variables: ['MYSQL_ROOT_PASSWORD', 'MYSQL_ROOT_PASSWORD_FILE'],
    parameters: mysqlParameters,
    commands: mysqlCommands('mysql', `mysqldump ${MYSQL_DUMP} --set-gtid-purged=OFF`),
    advice: mysqlAdvice,
  },
  {
    database: 'MongoDB',
    images: ['mongo', 'mongodb', 'mongodb-community-server', 'percona-server-mongodb'],
    variables: ['MONGO_INITDB_ROOT_USERNAME', 'MONGO_INITDB_DATABASE'],
    parameters: {},
    commands: {
      environment: {},
      dump: `mongodump --quiet --archive ${MONGO}`,
      restore: `mongorestore --quiet --archive --drop --stopOnError ${MONGO}`,
      notEmpty: `test "$(mongosh --quiet ${MONGO} --eval 'db.adminCommand({listDatabases: 1}).databases.filter(({name}) => !["admin", "config", "local"].includes(name)).length')" -gt 0`,
    },
    advice: [
      'Without a replica set and --oplog, collections are saved one after another, not at one moment.',
    ],
  },
  {
    database: 'Redis',
    images: ['redis', 'redis-stack-server', 'valkey', 'keydb'],
    variables: ['REDIS_DATA_DIR', 'REDIS_AOF_ENABLED', 'VALKEY_DATA_DIR'],
    parameters: {},
    // A running Redis cannot read a dump from stdin, so there is no restore command that is right everywhere.
    advice: [
      'A cache is filled again by what uses it: `method: none`, `reason: a cache, filled again by its users`.',
      'Data that must not be lost needs `method: dump` with a restore command of yours.',
    ],
  },
];
