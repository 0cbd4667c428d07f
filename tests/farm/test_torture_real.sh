#!/bin/sh
# The torture of test_torture.c with the real program on both sides, which really trains: workers are killed, told to end,
# stopped, and cut off with their network; searches are killed and resumed, cut off, and begun twice; the server is killed.
# One worker's clock is a day ahead. In the end each network has the weights that it gets on this machine alone, to the bit.
#
# ESPALIER_TEST_LONG=N: so many networks (1: 2,000). ESPALIER_TEST_SEED: other faults.
. "$top_srcdir/tests/tap.sh"

[ -n "${ESPALIER_TEST_LONG-}" ] || { echo "1..0 # SKIP it takes minutes; ESPALIER_TEST_LONG=300 runs it with 300 networks"; exit 0; }
. "$top_srcdir/tests/farm/bed.sh"
plan 8
networks=$ESPALIER_TEST_LONG
[ "$networks" != 1 ] || networks=2000
$server start "$base"
worker1='' worker2='' worker3='' search='' net='' failed=''
remove_more() {
    for process in $worker1 $worker2 $worker3 $search $net; do kill -9 "$process" 2>/dev/null; done
}
exec 2>>"$work/shell.err"
black_and_white pictures
# The networks of a round are the same in whichever order they end.
options="--data idx:pictures --validation 64 --policy random --parent race --asynchronous no --episode-networks 12 --patience 0
    --finish 0 --baseline no --start C(4,3,1)A(2,2)SM(2) --epochs 3 --start-epochs 1 --limit-params 6000 --headless"
faults=$top_builddir/tests/faults/faults.so
! grep -q -e __asan_init -e __tsan_init "$espalier" || faults=''
mkdir network
"$top_builddir/tests/farm/network" network "$base" &
net=$!
sql() {
    $server sql "$base" "$1" 2>/dev/null
}

state=${ESPALIER_TEST_SEED-1}
draw() { # NUMBER: $drawn is below it
    state=$(((state * 1103515245 + 12345) & 0x7fffffff))
    drawn=$(((state >> 8) % $1))
}
begin_worker() { # NUMBER
    case $1 in
    1) "$espalier" worker "postgresql://espalier@/postgres?host=$work/network" --devices cpu:1 >>worker1.out 2>&1 & ;;
    2) FAULT="clock 1+ 86400" LD_PRELOAD=$faults "$espalier" worker "$url" --devices cpu:1 >>worker2.out 2>&1 & ;;
    3) "$espalier" worker "$url" --devices cpu:1 >>worker3.out 2>&1 & ;;
    esac
    eval "worker$1=\$!"
}
# A search that was killed before its first event has no session.
begin_search() {
    if "$espalier" show far >/dev/null 2>&1; then
        "$espalier" resume far --farm "$url" --farm-lease 3 --headless >>search.out 2>&1 &
    else
        rm -rf far.esp
        "$espalier" run $options --networks "$networks" --out far --farm "$url" --farm-lease 3 >>search.out 2>&1 &
    fi
    search=$!
}
count() { # FAULT
    eval "count_$1=\$((\${count_$1:-0} + 1))"
    all=$((all + 1))
}

ok "a farm" "$espalier" farm init "$url"
ok "a search here" "$espalier" run $options --networks "$networks" --devices cpu:1 --out here
began=$(date +%s) all=0
begin_search
for which in 1 2 3; do begin_worker $which; done
until "$espalier" show far --events 2>/dev/null | grep -q '"k":"result"'; do sleep 0.1; done
while :; do
    if ! kill -0 "$search" 2>/dev/null; then
        wait "$search"
        status=$?
        [ $status != 0 ] || break
        # the server was away, or has not seen yet that the one before was killed
        tail -n 1 search.out | grep -qE 'is the server running|runs this session|starting|ended the connection|broke|no answer|took this session|still has rows' ||
            { failed="$status: $(tail -n 2 search.out)"; break; }
        begin_search
    fi
    draw 100
    fault=$drawn
    draw 3
    which=$((drawn + 1))
    eval "worker=\$worker$which"
    if [ "$fault" -lt 18 ]; then
        kill -9 "$worker"
        wait "$worker"
        begin_worker $which
        count killed
    elif [ "$fault" -lt 40 ]; then
        kill "$worker"
        wait "$worker"
        begin_worker $which
        count ended
    elif [ "$fault" -lt 46 ]; then
        kill -STOP "$worker"
        draw 60
        sleep "$((drawn / 10)).$((drawn % 10))"
        kill -CONT "$worker"
        count stopped
    elif [ "$fault" -lt 56 ]; then
        kill -9 "$search"
        wait "$search"
        begin_search
        count searches
    elif [ "$fault" -lt 74 ]; then
        sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'espalier run'" >/dev/null
        count cut
    elif [ "$fault" -lt 88 ]; then
        sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'espalier worker'" >/dev/null
        count workers_cut
    elif [ "$fault" -lt 92 ]; then
        $server stop "$base" immediate
        $server start "$base"
        count servers
    elif [ "$fault" -lt 96 ]; then
        "$top_builddir/tests/farm/network" cut "$net"
        draw 60
        sleep "$((drawn / 10)).$((drawn % 10))"
        "$top_builddir/tests/farm/network" join "$net"
        count networks
    elif [ "$(sql "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'; SELECT pg_sleep(0.5);
            SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'" | tr -d '\n')" = 11 ]; then
        rm -rf copy.esp
        cp -r far.esp copy.esp
        if "$espalier" resume copy --farm "$url" --headless >copy.out 2>&1 && kill -0 "$search"; then
            failed="a copy was not refused"
            break
        fi
        count copies
    fi
    draw 4
    sleep "0.$((drawn + 2))"
done
seconds=$(($(date +%s) - began))
[ -z "$failed" ]
report $? "the search ends: $networks networks, $all faults in $seconds s: ${count_killed:-0} workers killed, ${count_ended:-0}\
 terminated, ${count_stopped:-0} stopped, ${count_searches:-0} searches killed, ${count_cut:-0} cut off, ${count_workers_cut:-0}\
 workers cut off, ${count_servers:-0} server stops, ${count_networks:-0} partitions, ${count_copies:-0} copies refused"
[ -z "$failed" ] || echo "# $failed"
kill -9 "$worker1" "$worker2" "$worker3"
results() {
    "$espalier" show "$1" --events |
        sed -n 's/.*"k": *"result".*"node": *\([0-9]*\),.*"weights_hash": *"\([0-9a-f]*\)".*/\1 \2/p' | sort -n
}
results here >here.results
results far >far.results
[ "$(wc -l <far.results)" = "$networks" ] && [ "$(cut -d ' ' -f 1 far.results | sort -u | wc -l)" = "$networks" ]
report $? "each network has one result"
# A network that lost its worker three times is given up, and the search has another one in its place.
"$espalier" show far --events | sed -n 's/.*"k": *"failed".*"node": *\([0-9]*\),.*"again": *false.*/\1/p' >given_up
awk 'FILENAME == "given_up" {skip[$1]; next} !($1 in skip)' given_up here.results >expected
awk 'FILENAME == "here.results" {known[$1]; next} $1 in known' here.results far.results | diff expected - >differ
report $? "with the weights that it gets on this machine alone ($(wc -l <expected) of them, $(wc -l <given_up) given up)"
[ "$(wc -l <given_up)" -le $((1 + networks / 200)) ]
report $? "hardly any was given up"
sed 's/^/# /' differ | head -n 20
ok "its session is whole" "$espalier" fsck far
left=$(sql "SELECT (SELECT count(*) FROM espalier.worker) + (SELECT count(*) FROM espalier.trial) + (SELECT count(*) FROM espalier.blob)
    + (SELECT count(*) FROM espalier.lane) + (SELECT count(*) FROM espalier.report) + (SELECT count(*) FROM espalier.search WHERE NOT closed)")
[ "$left" = 0 ]
report $? "nothing is left in the farm"
