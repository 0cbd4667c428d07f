#!/bin/sh
# What goes wrong around a farm, and what is said then, as a person meets it: the real program on both sides, with networks
# that are cut, servers that are killed or full, searches that are killed or begun twice, and clocks that differ by days.
. "$top_srcdir/tests/tap.sh"
. "$top_srcdir/tests/farm/bed.sh"
plan 25
full='' disk=$(mktemp -d /tmp/espalier-disk.XXXXXX)
remove_more() {
    [ -z "$full" ] || $server remove "$full"
    umount "$disk" 2>/dev/null
    rmdir "$disk"
}
black_and_white pictures
small="--data idx:pictures --validation 64 --policy random --parent tournament --finish 0 --devices cpu:1 --headless --farm-lease 3
    --start C(4,3,1)A(2,2)SM(2)"
# a long search has more networks than it can train while the test looks at it, however fast the machine is
short="$small --epochs 1 --start-epochs 1" long="$small --epochs 300 --start-epochs 1 --networks 1000"

# logs NAME TEXT: the log of the session has it
logs() {
    "$espalier" show "$1" --events | grep -q -e "$2"
}
# more_results SESSION NUMBER: it has more than that
more_results() {
    [ "$("$espalier" show "$1" --events | grep -c '"k": *"result"')" -gt "$2" ]
}
# each_once SESSION NUMBER: so many networks, and one result for each
each_once() {
    "$espalier" show "$1" --events | sed -n 's/.*"k": *"result".*"node": *\([0-9]*\).*/\1/p' >nodes
    [ "$(wc -l <nodes)" = "$2" ] && [ "$(sort -u nodes | wc -l)" = "$2" ]
}
digest() {
    "$espalier" show "$1" | sed -n 's/^digest  *//p'
}

# --- the worker is there before the server; clocks ---
$server start "$base"
ok "a farm" "$espalier" farm init "$url"
$server stop "$base"
begin early "$espalier" worker "$url" --devices cpu:1
wait_until grep -q "is the server running" early.out
report $? "a worker without a server says so"
$server start "$base"
"$espalier" run $short --networks 4 --out here >here.out 2>&1
ok "and serves when there is one" "$espalier" run $short --networks 4 --out far --farm "$url"
[ "$(grep -c 'is the server running' early.out)" -lt 12 ]
report $? "it asked less and less often"
kill "$early"
wait "$early"
if grep -q -e __asan_init -e __tsan_init "$espalier"; then
    skip "a worker whose clock is a day ahead, a search a day behind" "a sanitizer wants to be loaded first"
    skip "the same digest" "likewise"
else
    begin ahead env FAULT="clock 1+ 86400" LD_PRELOAD="$top_builddir/tests/faults/faults.so" \
        "$espalier" worker "$url" --devices cpu:1 --idle 1h
    ok "a worker whose clock is a day ahead, a search a day behind" env FAULT="clock 1+ -86400" \
        LD_PRELOAD="$top_builddir/tests/faults/faults.so" "$espalier" run $short --networks 4 --out skewed --farm "$url"
    [ -n "$(digest here)" ] && [ "$(digest here)" = "$(digest skewed)" ]
    report $? "the same digest"
    kill "$ahead"
    wait "$ahead"
fi

# --- a network that is cut for longer than the lease; the server is killed ---
mkdir net
begin net "$top_builddir/tests/farm/network" net "$base"
wait_until test -S net/.s.PGSQL.5432
begin search "$espalier" run $long --out night --farm "$url"
begin cut "$espalier" worker "postgresql://espalier@/postgres?host=$work/net" --devices cpu:1
wait_until grep -q '^n2 begins' cut.out
"$top_builddir/tests/farm/network" cut "$net"
begin near "$espalier" worker "$url" --devices cpu:1
wait_until logs night 'no sign of life of process'
report $? "a worker whose network is cut is given up"
wait_until grep -q 'begins' near.out
"$top_builddir/tests/farm/network" join "$net"
wait_until grep -q 'was given up by the search: nothing was heard of it for too long; it enrols anew' cut.out
report $? "when it is back, it is told so"
$server stop "$base" immediate
wait_until logs night 'what trains goes on, and nothing is lost'
report $? "a search whose server was killed goes on"
wait_until grep -q 'what trains goes on' near.out
report $? "and so does a worker"
$server start "$base"
wait_until logs night 'is there again'
report $? "until it is there again"

# --- two processes; a killed search that goes on elsewhere ---
cp -r night.esp copy.esp
says "a copy of a search that runs is refused" 1 "process $search on .* runs this session (.as .*night.esp.); end it first" \
    "$espalier" resume copy --farm "$url" --headless
has=$("$espalier" show copy --events | grep -c '"k": *"result"')
wait_until more_results night "$has"
kill -9 "$search"
wait "$search"
cp -r copy.esp older.esp
"$espalier" show night --events | grep '"k": *"result"' >before
networks=$(($(wc -l <before) + 2))
mkdir elsewhere && cp -r night.esp elsewhere
ok "a search that was killed goes on elsewhere" "$espalier" resume elsewhere/night --networks $networks --farm "$url" --headless
"$espalier" show elsewhere/night --events >after
grep -vFxf after before >lost
[ -s before ] && [ ! -s lost ]
report $? "with each result that it had"
each_once elsewhere/night $networks
report $? "and one of each network"
ok "its session is whole" "$espalier" fsck elsewhere/night
left="SELECT (SELECT count(*) FROM espalier.worker) + (SELECT count(*) FROM espalier.trial) + (SELECT count(*) FROM espalier.blob)"
[ "$($server sql "$base" "$left")" = 0 ]
report $? "and nothing of it is left in the farm"
says "an older copy is refused" 1 "is an older copy: it has [0-9]+ results, and the farm has written $networks .*resume that one" \
    "$espalier" resume older --farm "$url" --headless
kill "$cut" "$near"
wait "$cut" "$near"

# --- the server ends with the search ---
begin search "$espalier" run $long --out left --farm "$url"
begin last "$espalier" worker "$url" --devices cpu:1
wait_until grep -q '^n2 begins' last.out
$server stop "$base" immediate
wait_until logs left 'what trains goes on, and nothing is lost'
kill -INT "$search"
wait "$search"
grep -q "so the farm still has rows of .*left.esp, which has ended: .espalier farm drop URL .*left.esp. removes them" search.out
report $? "a search that ends without its server says what is left"
$server start "$base"
ok "and that can be removed" "$espalier" farm drop "$url" left.esp
kill "$last"
wait "$last"

# --- a full disk ---
if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=120m,mode=755 tmpfs "$disk" 2>/dev/null; then
    full=$($server make "$disk") || exit 99
    url=$($server url "$full")
    $server start "$full"
    ok "a farm on a small disk" "$espalier" farm init "$url"
    begin search "$espalier" run $short --networks 6 --out crowded --farm "$url"
    wait_until logs crowded '"k":"session"'
    cat /dev/zero >"$disk/ballast" 2>/dev/null
    begin crowd "$espalier" worker "$url" --devices cpu:1
    wait_until grep -q "the server's disk is full: make room there; it goes on by itself then" crowd.out
    report $? "a full disk is said"
    wait_until kill -0 "$search"
    report $? "and waited for"
    rm "$disk/ballast"
    wait "$search"
    report $? "it goes on when there is room"
    each_once crowded 6
    report $? "without a loss"
else
    for what in "a farm on a small disk" "a full disk is said" "and waited for" "it goes on when there is room" "without a loss"; do
        skip "$what" "needs root and tmpfs"
    done
fi
