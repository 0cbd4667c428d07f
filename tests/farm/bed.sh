# bed.sh - what the scripts of the farm share: a PostgreSQL of their own, waiting, and an end of all that they began.
#
# Sourced behind tap.sh, before the plan. Skips the script without libpq or PostgreSQL. Sets $server (the command),
# $base (its folder; it isn't started) and $url. At the end the $processes are killed; a script that has more to remove
# defines remove_more.

"$espalier" worker x 2>&1 | grep -q 'built without libpq' && { echo "1..0 # SKIP built without libpq"; exit 0; }
server="sh $top_srcdir/tests/farm/server.sh"
$server have 2>/dev/null || { echo "1..0 # SKIP PostgreSQL is not installed"; exit 0; }
base=$($server make) || exit 99
url=$($server url "$base")
processes=
remove_more() {
    :
}
finish() {
    for process in $processes; do kill -9 "$process" 2>/dev/null; done
    remove_more
    $server remove "$base"
    rm -rf "$work"
}
trap finish EXIT

# wait_until COMMAND…: it succeeds, within 40 seconds
wait_until() {
    tries=0
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ $tries -lt 800 ] || return 1
        sleep 0.05
    done
}

# begin NAME COMMAND…: in the background; its output is in NAME.out, its process in $NAME
begin() {
    name=$1
    shift
    "$@" >"$name.out" 2>&1 &
    eval "$name=\$!"
    processes="$processes $!"
}
worker() { # NAME OPTIONS…: in the background, likewise
    process=$1
    shift
    begin "$process" "$espalier" worker "$url" --devices cpu:1 "$@"
}
