import type {DumpRule} from '../volume/dump-commands.ts';

/** Where a recipe gets a value from: variables of the container, by name or, with `_FILE` appended, as files. */
export interface Parameter {
  /** The first one that the container has counts. */
  variables: readonly string[];
  /** What the image takes when there is none: a text, or another parameter as `{name}`. */
  fallback?: string;
  /** Never written into the plan, whatever the container says. */
  secret?: true;
  /** Without it the preset cannot ask the server, so the recipe does not fit. */
  required?: true;
}

/** How one kind of database is recognised, saved and looked at. */
export interface Recipe {
  database: string;
  preset: NonNullable<DumpRule['preset']>;
  /** Last parts of the names of images. */
  images: readonly string[];
  /** Variables that only a server of this kind has. */
  variables: readonly string[];
  parameters: Readonly<Record<string, Parameter>>;
  /** Variables that `notEmpty` runs with. One whose parameter is not there is left out. */
  environment: Readonly<Record<string, string>>;
  /** A shell condition that holds when the database is not empty; `{name}` is a parameter. */
  notEmpty: string;
  /** What a person must know to judge the rule. */
  advice: readonly string[];
}

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
} as const satisfies Recipe['parameters'];

/** The two servers differ in the names of their programs. */
const mysqlAsk = (client: string): Pick<Recipe, 'parameters' | 'environment' | 'notEmpty'> => ({
  parameters: mysqlParameters,
  environment: {MYSQL_PWD: '{password}'},
  notEmpty: `test "$(${client} --user=root -N -B -e "${MYSQL_TABLES}")" -gt 0`,
});

/** The databases that `pra init` knows. A new one is a new entry here, and a preset in src/volume/preset. */
export const RECIPES: readonly Recipe[] = [
  {
    database: 'PostgreSQL',
    preset: 'postgresql',
    images: ['postgres', 'postgresql', 'postgis', 'pgvector', 'timescaledb', 'timescaledb-ha'],
    variables: ['PGDATA', 'POSTGRES_INITDB_ARGS', 'POSTGRESQL_VOLUME_DIR'],
    parameters: {
      user: {variables: ['POSTGRES_USER', 'POSTGRESQL_USERNAME'], fallback: 'postgres'},
      database: {variables: ['POSTGRES_DB', 'POSTGRESQL_DATABASE'], fallback: '{user}'},
      password: {variables: ['POSTGRES_PASSWORD', 'POSTGRESQL_PASSWORD'], secret: true},
    },
    environment: {PGPASSWORD: '{password}'},
    notEmpty: `test "$(psql --host=127.0.0.1 --username={user} --dbname={database} -XAtqc "select count(*) from pg_tables where schemaname not in ('pg_catalog','information_schema')")" -gt 0`,
    advice: ['Saves all databases of the server and its roles, for which the user must be a superuser.'],
  },
  {
    database: 'MariaDB',
    preset: 'mariadb',
    images: ['mariadb', 'mariadb-galera'],
    variables: ['MARIADB_ROOT_PASSWORD', 'MARIADB_ROOT_PASSWORD_FILE'],
    ...mysqlAsk('mariadb'),
    advice: ['Saves all databases of the server and its users.'],
  },
  {
    database: 'MySQL',
    preset: 'mysql',
    images: ['mysql', 'mysql-server', 'percona', 'percona-server'],
    variables: ['MYSQL_ROOT_PASSWORD', 'MYSQL_ROOT_PASSWORD_FILE'],
    ...mysqlAsk('mysql'),
    advice: ['Saves all databases of the server and its users, for a server of the same version.'],
  },
  {
    database: 'MongoDB',
    preset: 'mongodb',
    images: ['mongo', 'mongodb', 'mongodb-community-server', 'percona-server-mongodb'],
    variables: ['MONGO_INITDB_ROOT_USERNAME', 'MONGO_INITDB_DATABASE'],
    parameters: {},
    environment: {},
    notEmpty: `test "$(mongosh --quiet ${MONGO} --eval 'db.adminCommand({listDatabases: 1}).databases.filter(({name}) => !["admin", "config", "local"].includes(name)).length')" -gt 0`,
    advice: [
      'Saves all databases and users; where it is no replica set, collections one after another, not at one moment.',
    ],
  },
  {
    database: 'Redis',
    preset: 'redis',
    images: ['redis', 'redis-stack-server', 'valkey', 'keydb'],
    variables: ['REDIS_DATA_DIR', 'REDIS_AOF_ENABLED', 'VALKEY_DATA_DIR'],
    parameters: {password: {variables: ['REDIS_PASSWORD', 'VALKEY_PASSWORD'], secret: true}},
    environment: {REDISCLI_AUTH: '{password}'},
    notEmpty: 'redis-cli INFO keyspace | grep -q keys=',
    advice: [
      'A restore needs memory for the data twice. A password that is no variable of the container is named by',
      '`passwordEnv` or `passwordFile`. A cache is filled again by what uses it: `method: none` with that `reason`.',
    ],
  },
];
