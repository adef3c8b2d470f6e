/**
 * Keeps all of PostgreSQL still but its first process, which writes nothing, and a signal cannot stop: a copy of the files is
 * then of one moment. Whatever still runs when it is looked at is stopped again. Should nobody let go, it lets go by itself.
 */
const HOLD = `
set -eu
psql -XqAt -h /tmp -U postgres -d shop -c CHECKPOINT
running() {
  read -r me rest </proc/self/stat
  for dir in /proc/[0-9]*; do
    pid=\${dir#/proc/}
    case "$pid" in 1 | $$ | "$me") continue ;; esac
    read -r stat 2>/dev/null <"$dir/stat" || continue
    case "\${stat##*) }" in T* | Z*) ;; *) echo "$stat" ;; esac
  done
}
: >/tmp/held
tries=0
kill -STOP -1
while left=$(running) && [ -n "$left" ]; do
  tries=$((tries + 1))
  if [ "$tries" -gt 500 ]; then echo "still running: $left" >&2; exit 1; fi
  kill -STOP -1
done
(
  waited=0
  while [ -e /tmp/held ] && [ "$waited" -lt 120 ]; do sleep 1; waited=$((waited + 1)); done
  kill -CONT -1
) </dev/null >/dev/null 2>&1 &
`;

/** Does no harm where nothing is held. */
const LET_GO = 'rm -f /tmp/held; kill -CONT -1';

/** Hooks by which the files of a database can be copied as they lie. */
export const holdHook = (select: Record<string, string>) => ({
  name: 'hold',
  select,
  container: 'db',
  pre: ['sh', '-c', HOLD],
  post: ['sh', '-c', LET_GO],
  timeout: '20s',
});
