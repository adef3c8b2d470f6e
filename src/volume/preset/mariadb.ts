import {sqlDump} from './mysql.ts';
import type {DumpCommands, PresetOptions} from './shell.ts';

/** MariaDB: everything as SQL; users and roles as statements, which a server of another version takes too. */
export const mariadb = (options: PresetOptions): DumpCommands =>
  sqlDump(options, {
    // Images before 10.5 have only the old names, those from 11 on only the new ones.
    programs: `dump=mysqldump client=mysql
if command -v mariadb-dump >/dev/null; then dump=mariadb-dump client=mariadb; fi`,
    users: ['MARIADB_ROOT_USER'],
    passwords: ['MARIADB_ROOT_PASSWORD', 'MYSQL_ROOT_PASSWORD'],
    // With --replace root would lose its rights in the middle of a restore. In a run of their own, because the rows of tables
    // must not be ignored where they collide.
    afterwards: ['"$dump" "$@" --system=users --insert-ignore'],
    all: '--all-databases --ignore-database=mysql --ignore-database=sys',
    own: '',
  });
