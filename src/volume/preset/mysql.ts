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

/** What MariaDB and MySQL do not share. */
export interface Dialect {
  /** Sets `dump` and `client`, the programs. */
  programs: string;
  users: readonly string[];
  passwords: readonly string[];
  /** Commands that come after all databases, because rights may be those on a table. */
  afterwards: readonly string[];
  /** Options that save all databases. */
  all: string;
  /** Options of this dump program alone. */
  own: string;
}

/** MySQL: everything as SQL. With all databases its schema `mysql` comes too, and in it the users. */
export const mysql = (options: PresetOptions): DumpCommands =>
  sqlDump(options, {
    programs: 'dump=mysqldump client=mysql',
    users: ['MYSQL_ROOT_USER'],
    passwords: ['MYSQL_ROOT_PASSWORD'],
    afterwards: [],
    all: '--all-databases --flush-privileges',
    own: '--set-gtid-purged=OFF',
  });

/**
 * One consistent view of all InnoDB tables; bytes as hexadecimal digits, which no character set changes. The largest packet
 * is allowed on both ends, since a row that fits into the server may not fit when it is written out.
 */
const DUMP =
  '--single-transaction --quick --routines --triggers --events --hex-blob --no-tablespaces --max-allowed-packet=1G --default-character-set=utf8mb4';

export function sqlDump(options: PresetOptions, dialect: Dialect): DumpCommands {
  const {database, port} = options;
  const connect = [
    FIRST,
    setUser(options, dialect.users, 'root'),
    setPassword(options, dialect.passwords),
    '[ -z "$password" ] || export MYSQL_PWD="$password"',
    dialect.programs,
    `set -- --user="$user"${port === undefined ? '' : ` --host=127.0.0.1 --port=${port}`}`,
  ];
  const what = database === undefined ? dialect.all : `--databases ${quote(database)}`;
  const own = dialect.own === '' ? '' : ` ${dialect.own}`;
  return {
    command: script(
      ...connect,
      `"$dump" "$@" ${DUMP}${own} ${what}`,
      ...(database === undefined ? dialect.afterwards : []),
      SQL_END,
    ),
    restore: script(...connect, RAISE_PACKET, RESTORE),
  };
}

/** A server takes no statement that is longer than its limit; only an administrator may raise that, and only for a while. */
const RAISE_PACKET = `ask() { "$client" "$@" --batch --skip-column-names </dev/null; }
limit=$(ask "$@" --execute='select @@global.max_allowed_packet')
lower() { [ -z "$limit" ] || ask "$@" --execute="set global max_allowed_packet=$limit" 2>/dev/null || :; }
ask "$@" --execute='set global max_allowed_packet=1073741824' 2>/dev/null || limit=
trap 'lower "$@"' EXIT`;

/** With --binary-mode the client obeys none of its own commands, such as one that runs a shell. */
const RESTORE = wholeSql(
  '"$client" "$@" --binary-mode --max-allowed-packet=1G --default-character-set=utf8mb4',
);
