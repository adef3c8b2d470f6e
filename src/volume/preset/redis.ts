import {type DumpCommands, FIRST, type PresetOptions, quote, script, setPassword} from './shell.ts';

/** Port of loopback on which the second server of a restore listens for a while. */
const SPARE_PORT = 16_379;

/**
 * Redis and what descends from it: an RDB, which a replica is sent. A running server reads none, except from its master: so
 * a restore starts a second one in the container, which takes the RDB from stdin, and lets the real one follow it for as long as
 * it takes to get everything. An RDB that is not whole stops the second server before the real one has lost anything.
 */
export function redis(options: PresetOptions): DumpCommands {
  const {user, port = 6379} = options;
  const connect = [
    FIRST,
    setPassword(options, ['REDISCLI_AUTH', 'REDIS_PASSWORD', 'VALKEY_PASSWORD']),
    '[ -z "$password" ] || export REDISCLI_AUTH="$password"',
    PROGRAMS,
    `cli() { "$client" -p ${port}${user === undefined ? '' : ` --user ${quote(user)}`} "$@"; }`,
  ];
  return {
    command: script(...connect, 'cli --rdb -'),
    restore: script(...connect, START_SPARE, AWAIT_LOADED, LET_IN, FOLLOW),
  };
}

const PROGRAMS = `fail() { echo "$1" >&2; exit 1; }
name=redis
for other in valkey keydb; do
  command -v "$name-cli" >/dev/null || name=$other
done
client=$name-cli server=$name-server`;

/** Its data file is its stdin, so no copy is made on a disk. Whatever happens, it goes, and the real server is its own master. */
const START_SPARE = `state=$(cli INFO replication)
case $state in
  *role:master*) ;;
  *role:slave*) fail 'this server is a replica: its master is to be restored' ;;
  *) fail "the server does not answer: $state" ;;
esac
exec 3<&0
cat <&3 | "$server" --bind 127.0.0.1 --port ${SPARE_PORT} --dir /dev --dbfilename stdin --save '' --appendonly no \\
  --repl-diskless-sync yes --repl-diskless-sync-delay 0 --loglevel warning --logfile '' >&2 3<&- &
spare=$!
exec 3<&-
following=no
trap '[ $following = no ] || cli REPLICAOF NO ONE >/dev/null; kill -9 $spare 2>/dev/null || :' EXIT
trap 'exit 1' INT TERM HUP
spare() {
  if [ -n "\${auth-}" ]; then REDISCLI_AUTH=$auth "$client" -p ${SPARE_PORT} "$@"; else (unset REDISCLI_AUTH; exec "$client" -p ${SPARE_PORT} "$@"); fi
}`;

/** Another server at this port is told from ours by the number of its process. */
const AWAIT_LOADED = `until state=$(spare INFO 2>/dev/null | tr -d '\\r') && echo "$state" | grep -qx "process_id:$spare" && echo "$state" | grep -qx loading:0; do
  kill -0 $spare 2>/dev/null || fail 'the dump was not loaded: it is not whole, or this server cannot read it'
  sleep 1
done`;

/** A server with a masterauth shows it to every master, and one without a password would refuse it. */
const LET_IN = `setting() { cli CONFIG GET "$1" | sed -n 2p; }
secret=$(setting masterauth) as=$(setting masteruser)
if [ -n "$secret" ] && [ -n "$as" ]; then
  spare ACL SETUSER "$as" on nopass +psync +replconf +ping >/dev/null
elif [ -n "$secret" ]; then
  printf %s "$secret" | spare -x CONFIG SET requirepass >/dev/null
  auth=$secret
fi`;

const FOLLOW = `following=yes
answer=$(cli REPLICAOF 127.0.0.1 ${SPARE_PORT})
[ "$answer" = OK ] || fail "the server does not follow another one: $answer"
idle=0
until state=$(cli INFO replication | tr -d '\\r') && echo "$state" | grep -qx master_link_status:up && echo "$state" | grep -qx master_sync_in_progress:0; do
  kill -0 $spare 2>/dev/null || fail 'the second server is gone: is there memory for the data twice?'
  if echo "$state" | grep -qx master_sync_in_progress:1; then idle=0; else idle=$((idle + 1)); fi
  [ $idle -lt 60 ] || fail 'the server has not begun to follow the second one within a minute'
  sleep 1
done
answer=$(cli REPLICAOF NO ONE)
[ "$answer" = OK ] || fail "the server does not go on by itself: $answer"
following=no
if [ "$(setting repl-diskless-load)" != disabled ] && [ -n "$(setting save)" ]; then cli BGSAVE >/dev/null; fi`;
