#!/bin/sh
# server.sh - a PostgreSQL server for the tests: private, in a folder of its own, on a Unix socket without passwords.
#
#   tests/farm/server.sh have              does PostgreSQL run here? 77: it is not installed
#   tests/farm/server.sh make [PARENT]     print the new folder that was made under /tmp or PARENT (77: see above)
#   tests/farm/server.sh start FOLDER      until it accepts connections
#   tests/farm/server.sh stop FOLDER [MODE]    fast, or `immediate`: as if it were killed
#   tests/farm/server.sh url FOLDER [ROLE [DATABASE]]    what libpq takes; the superuser of the folder is `espalier`
#   tests/farm/server.sh sql FOLDER STATEMENT [ROLE]     the rows, without heads, with | between columns
#   tests/farm/server.sh remove FOLDER     stop it at once, and remove the folder
#
# PostgreSQL refuses to run as root; root's tests run it as the user `postgres`, or as `nobody`.  `stop` and `remove` of a
# server that does not run succeed.  A test calls `remove` in its trap, or nobody stops the server.  Nothing is synced to the
# disk: what the server has committed survives its own kill, though not the machine's.
set -u

programs=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
PATH=${programs:-/usr/lib/postgresql}:$PATH

# as_user COMMAND…: run it as an ordinary user, with nothing of this environment
as_user() {
    user=
    if [ "$(id -u)" = 0 ]; then
        user=$(id -un postgres 2>/dev/null || echo nobody)
        user="setpriv --reuid=$user --regid=$(id -g "$user") --clear-groups"
    fi
    # shellcheck disable=SC2086
    (cd / && exec env -i PATH="$PATH" LC_ALL=C.UTF-8 HOME="$folder" PGHOST="$folder" $user "$@")
}

have() {
    command -v initdb >/dev/null || { echo "PostgreSQL is not installed" >&2; exit 77; }
}

make_folder() {
    have
    folder=$(mktemp -d "${1:-/tmp}/espalier-pg.XXXXXX") || exit 1
    [ "$(id -u)" != 0 ] || chown "$(id -un postgres 2>/dev/null || echo nobody)" "$folder"
    as_user initdb -D "$folder/data" -U espalier -A trust --no-locale -E UTF8 --no-sync >"$folder/initdb.log" 2>&1 || {
        cat "$folder/initdb.log" >&2
        rm -rf "$folder"
        exit 1
    }
    cat >>"$folder/data/postgresql.conf" <<-END
	listen_addresses = ''
	unix_socket_directories = '$folder'
	fsync = off
	shared_buffers = 16MB
	max_connections = 60
	max_wal_size = 64MB
	min_wal_size = 32MB
	END
    echo "$folder"
}

stop() { # MODE
    [ ! -f "$folder/data/postmaster.pid" ] || as_user pg_ctl -D "$folder/data" -s -w -m "$1" stop >/dev/null 2>&1 || :
}

folder=${2-}
case ${1-} in
have) have ;;
make) make_folder "${2-}" ;;
start) as_user pg_ctl -D "$folder/data" -s -w -l "$folder/log" start >/dev/null || { tail -n 20 "$folder/log" >&2; exit 1; } ;;
stop) stop "${3-fast}" ;;
url) echo "postgresql://${3-espalier}@/${4-postgres}?host=$folder" ;;
sql) as_user psql -X -q -A -t -v ON_ERROR_STOP=1 -U "${4-espalier}" -c "$3" postgres ;;
remove)
    stop immediate
    rm -rf "$folder"
    ;;
*)
    sed -n '2,/^set /s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
