#!/bin/sh
# `espalier farm serve`: a private server in a folder, for an ordinary user: it is made, reached, ended and begun again, and
# what can't work is said.
. "$top_srcdir/tests/tap.sh"

server=$top_srcdir/tests/farm/server.sh
"$espalier" farm status "$work" 2>&1 | grep -q 'built without libpq' && { echo "1..0 # SKIP built without libpq"; exit 0; }
sh "$server" have 2>/dev/null || { echo "1..0 # SKIP PostgreSQL is not installed"; exit 0; }
plan 36

# The program and the folders are an ordinary user's: PostgreSQL refuses root.
home=$(mktemp -d /tmp/espalier-serve.XXXXXX)
cp "$espalier" "$home/espalier"
chmod 755 "$home/espalier"
user=
if [ "$(id -u)" = 0 ]; then
    name=$(id -un postgres 2>/dev/null || echo nobody)
    chown "$name" "$home"
    user="setpriv --reuid=$name --regid=$(id -g "$name") --clear-groups"
fi
farm() { # VERB…: as that user, in $home
    (cd "$home" && HOME=$home exec $user "$home/espalier" farm "$@")
}
process=
end_server() { # SIGNAL
    kill -"$1" "$process" 2>/dev/null
    wait "$process"
    status=$?
    process=
}
trap '[ -z "$process" ] || end_server TERM; rm -rf "$work" "$home"' EXIT
# begin ARGUMENTS…: serve until it is ready, or has ended
begin() {
    : >"$work/served" # what the last server said
    # A signal that `nohup make check` ignores would stay ignored.
    (cd "$home" && HOME=$home exec env --default-signal $user "$home/espalier" farm serve "$@" >>"$work/served" 2>&1) &
    process=$!
    until grep -q 'a worker ' "$work/served"; do
        kill -0 "$process" 2>/dev/null || break
        sleep 0.2
    done
}

# --- what can't work ---
if [ "$(id -u)" = 0 ]; then
    says "root is refused" 1 "refuses to run as root; run this as an ordinary user" "$espalier" farm serve "$work/x"
else
    skip "root is refused" "not root"
fi
says "no such verb" 2 "farm: fly: must be init, serve, status or drop" farm fly there
says "an option of another verb" 2 "farm: status doesn't take --listen" farm status x --listen 0.0.0.0
ESPALIER_POSTGRESQL=/nonexistent
export ESPALIER_POSTGRESQL
says "no PostgreSQL" 1 "no PostgreSQL of version 13 or newer is installed .*apt-get install postgresql" farm serve new
unset ESPALIER_POSTGRESQL
says "an address that is none" 1 "listen a,b: must be ADDRESS or ADDRESS:PORT" farm serve new --listen a,b
says "an address of another machine" 1 "listen 192.0.2.1: can't listen there .*name an address of this machine" \
    farm serve new --listen 192.0.2.1
$user mkdir "$home/other" "$home/other/files"
says "a folder with other files" 1 "other: has other files already" farm serve other
says "a folder of another user" 1 "/usr: belongs to another user" farm serve /usr
long=$(printf '%0100d' 0)
says "a path too long for a socket" 1 "this path is too long for a socket" farm serve "$long"
rm -rf "${home:?}/$long"

# --- on a socket ---
begin there
prints "a server is made" 'there: a server is being made' "$work/served"
prints "and says how a search reaches it" "^ +a search +espalier run --farm $home/there\$" "$work/served"
prints "and a worker" "^ +a worker +espalier worker $home/there/worker\$" "$work/served"
open=$(find "$home/there" -maxdepth 2 ! -path "*/data/*" ! -type s -perm /077)
[ -z "$open" ]
report $? "no file is open to others"
[ -z "$open" ] || echo "# $open"
sed 's/.*://' "$home/there/passfile" "$home/there/worker/passfile" >secrets
[ "$(grep -c '^.\{32\}$' secrets)" = 3 ] && ! grep -q -F -f secrets "$work/served" "$home/there/log" &&
    ! cat /proc/[0-9]*/cmdline 2>/dev/null | grep -q -F -f secrets
report $? "no password is shown"
says "a second server of the folder" 1 "there: its server runs already \(process $process on " farm serve there
says "and a third" 1 "there: its server runs already \(process $process on " farm serve there
ok "its state, by the folder" farm status there
prints "says what to do" 'no search is here; begin one: espalier run --farm there$'
ok "as JSON" farm status there --json
prints "is that" '^  "searches": \[\]$'
cp -Rp "$home/there/worker" "$home/copied"
ok "a worker gets in with a copy of its folder" farm status copied
says "but may not remove the farm" 1 "must be owner of schema espalier" farm drop copied
says "without its password nobody gets in" 1 "no password supplied.*pgpass" \
    farm status "postgresql://espalier@/espalier?host=$home/there"
says "a password in a URL is refused" 1 "the address of the database has a password" \
    farm status "postgresql://espalier:secret@/espalier?host=$home/there"
end_server TERM
[ "$status" = 0 ] && [ ! -e "$home/there/.s.PGSQL.5432" ] && [ ! -e "$home/there/data/postmaster.pid" ]
report $? "SIGTERM ends it cleanly"
says "then nobody answers" 1 "is the server running" farm status there

# --- for other machines ---
port=$((20000 + $$ % 20000))
while :; do
    begin there --listen "127.0.0.1:$port"
    grep -q 'is taken' "$work/served" || break
    port=$((port + 1))
done
prints "with an address, it says how other machines get in" "scp -pr $home/there/worker HOST:farm" "$work/served"
says "a port that is taken" 1 "port $port is taken; choose another: --listen 127.0.0.1:$((port + 1))" \
    farm serve elsewhere --listen "127.0.0.1:$port"
rm -rf "$home/copied"
cp -Rp "$home/there/worker" "$home/copied"
ok "a worker gets in by TLS" farm status copied
says "nobody gets in without TLS" 1 "no encryption" \
    farm status "postgresql://espalier@127.0.0.1:$port/espalier?passfile=$home/there/passfile&sslmode=disable"
$user openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=other -keyout "$home/key" \
    -out "$home/copied/server.crt" 2>/dev/null
says "a server with another certificate is not trusted" 1 "certificate verify failed" farm status copied

PGPASSFILE=$home/there/passfile psql -q -h "$home/there" -p "$port" -U espalier -c "UPDATE espalier.meta SET version = 0" espalier

# --- killed, moved ---
end_server KILL
begin there
until ! grep -q 'postmaster.pid' "$work/served"; do begin there; done # of the server that is still ending
prints "after a kill it serves again" "a worker +espalier worker" "$work/served"
prints "with the farm of an older program it serves too, and says what to do" "is older than this program .*farm drop" "$work/served"
end_server HUP
$user sh -c "echo 77 elsewhere >$home/there/running"
says "a folder whose server runs on another machine" 1 "its server runs on elsewhere, or was killed there" farm serve there
says "and again" 1 "its server runs on elsewhere, or was killed there" farm serve there
rm "$home/there/running"
echo 9 >"$home/there/data/PG_VERSION"
says "a folder of another PostgreSQL" 1 "was made by PostgreSQL 9, whose programs are not here; install postgresql-9" farm serve there
