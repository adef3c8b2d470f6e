import {
  BINARY_END,
  type DumpCommands,
  FIRST,
  type PresetOptions,
  quote,
  script,
  setPassword,
  setUser,
  wholeBytes,
} from './shell.ts';

/**
 * MongoDB: an archive of mongodump. Its first line says whether it has an oplog, because only then may it be replayed; its
 * end is marked, because an archive that was cut off between two collections looks whole.
 */
export function mongodb(options: PresetOptions): DumpCommands {
  const {database, port} = options;
  const connect = [
    FIRST,
    setPassword(options, ['MONGO_INITDB_ROOT_PASSWORD', 'MONGODB_ROOT_PASSWORD']),
    setUser(options, ['MONGO_INITDB_ROOT_USERNAME', 'MONGODB_ROOT_USER'], 'root'),
    `set -- --archive${port === undefined ? '' : ` --port=${port}`}`,
    AUTHENTICATE,
  ];
  const all = database === undefined;
  const dump = [
    all ? SEE_OPLOG(port) : `oplog=no; set -- "$@" --db=${quote(database)}`,
    `echo "pra mongodb oplog=$oplog"`,
    `mongodump "$@" ${CONFIG}`,
    BINARY_END,
  ];
  const restore = [
    'set -- "$@" --drop --stopOnError',
    all ? '' : `set -- "$@" --nsInclude=${quote(`${database}.*`)}`,
    READ_HEAD,
    `restore() { mongorestore "$@" ${CONFIG}\n}`,
    wholeBytes('restore "$@"'),
  ].filter(part => part !== '');
  return {command: script(...connect, ...dump), restore: script(...connect, ...restore)};
}

/** The tools take a password from a file too, which here is a pipe. */
const AUTHENTICATE = `config=
if [ -n "$password" ]; then
  config="password: '$(printf %s "$password" | sed "s/'/''/g")'"
  set -- "$@" --username="$user" --authenticationDatabase=admin --config=/dev/fd/9
fi`;

const CONFIG = `9<<CONFIG
$config
CONFIG`;

/** Only the members of a replica set have an oplog, and mongodump fails when it is told to read one that is not there. */
const SEE_OPLOG = (port: number | undefined) => `shell=mongosh; command -v mongosh >/dev/null || shell=mongo
member=$("$shell" --quiet --norc${port === undefined ? '' : ` --port=${port}`} --eval 'print((db.hello ? db.hello() : db.isMaster()).setName || "")')
oplog=no; [ -z "$member" ] || { oplog=yes; set -- "$@" --oplog; }`;

/** The shell reads a line byte by byte, so the archive behind it stays whole. */
const READ_HEAD = `head=; read -r head || :
case $head in
  'pra mongodb oplog=yes') set -- "$@" --oplogReplay ;;
  'pra mongodb oplog=no') ;;
  *) echo 'the dump does not begin as one of preset mongodb does' >&2; exit 1 ;;
esac`;
