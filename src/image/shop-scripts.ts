/** Starts PostgreSQL as an ordinary user on a read-only root; makes an empty database where there is none. */
export const POSTGRES_ENTRYPOINT = `#!/bin/sh
set -eu
: "\${POSTGRES_PASSWORD_FILE:?}" "\${POSTGRES_DB:=postgres}"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  initdb -D "$PGDATA" -U postgres --auth-local=trust --auth-host=scram-sha-256 --pwfile="$POSTGRES_PASSWORD_FILE" --encoding=UTF8 --locale=C.UTF-8 >/tmp/initdb.log 2>&1 || { cat /tmp/initdb.log >&2; exit 1; }
  echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
  if [ "$POSTGRES_DB" != postgres ]; then
    printf 'create database "%s";\\n' "$POSTGRES_DB" | postgres --single -D "$PGDATA" -j postgres >/dev/null
  fi
fi
exec postgres -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/tmp -c jit=off
`;

/** Answers one HTTP request: /healthz, and /orders from the database. */
export const WEB_ANSWER = `#!/bin/sh
read -r method path version || exit 0
while read -r header; do [ "\${#header}" -le 1 ] && break; done
answer() {
  printf 'HTTP/1.1 %s\\r\\nContent-Type: application/json\\r\\nContent-Length: %s\\r\\nConnection: close\\r\\n\\r\\n%s' "$1" "\${#2}" "$2"
}
ask() { psql "$(cat /etc/shop/dsn)" -AtX -v ON_ERROR_STOP=1 -c "$1" 2>/dev/null; }
case "$path" in
  /healthz) if ask 'select 1' >/dev/null; then answer '200 OK' '{"ok":true}'; else answer '503 Service Unavailable' '{"ok":false}'; fi ;;
  /orders)
    if body=$(ask "select json_build_object('count', count(*), 'total', sum(total), 'latest', (select json_agg(id) from (select id from orders order by id desc limit 3) l)) from orders"); then
      answer '200 OK' "$body"
    else
      answer '503 Service Unavailable' '{"error":"the database does not answer"}'
    fi ;;
  *) answer '404 Not Found' '{"error":"there is only /orders and /healthz"}' ;;
esac
`;
