#!/bin/sh
# A search on a farm is killed while a worker trains for it, and resumed: the worker keeps its network, and what it delivered
# while nobody ran the search counts. The networks are those of a search that was never killed, to the bit.
. "$top_srcdir/tests/tap.sh"
. "$top_srcdir/tests/farm/bed.sh"
plan 15
$server start "$base"
black_and_white pictures
"$espalier" farm init "$url" >init.out || exit 99

# search NAME COMMAND OPTIONS…: in the background
search() {
    name=$1
    shift
    # shellcheck disable=SC2086
    "$espalier" "$@" --headless --farm "$url" >>"$name.out" 2>&1 &
    search=$!
    processes="$processes $search"
}
events() { # NAME NODE KIND: how many of them the log has
    "$espalier" show "$1" --events | grep "\"k\":\"$3\"" | grep -c "\"node\":$2[,}]"
}
is_amid() { # NAME NODE: it has some epochs, and no result
    [ "$(events "$1" "$2" epoch)" -gt 5 ] && [ "$(events "$1" "$2" result)" = 0 ]
}
has_result() { # NAME NODE
    [ "$(events "$1" "$2" result)" = 1 ]
}
kill_search() {
    kill -9 "$search"
    wait "$search" 2>/dev/null
}
# What they reached, with checksums of the weights: all that must not depend on who was killed when.
outcomes() {
    "$espalier" show "$1" --events | sed -n 's/.*"k":"result".*"node":\([0-9]*\),.*"weights_hash":"\([0-9a-f]*\)".*/\1 \2/p'
}
same() { # NAME NAME
    outcomes "$1" >first.outcomes
    outcomes "$2" >second.outcomes
    [ "$(wc -l <first.outcomes)" = 3 ] || return 1
    diff first.outcomes second.outcomes
}
options="$tournament --data idx:pictures --policy random --start-epochs 1 --validation 64 --networks 3 --seed 5 --devices cpu:1"
start="C(4,3,1) A(2,2) SM(2)"

# --- amid a network that asks after each epoch whether it goes on ---
# shellcheck disable=SC2086
{
    "$espalier" run $options --start "$start" --epochs 60 --rungs 40 --headless --out here >here.out 2>&1
    search far run $options --start "$start" --epochs 60 --rungs 40 --out far
}
worker first
wait_until is_amid far 2
report $? "a worker trains for a search"
kill_search
sleep 0.3
search far resume far
wait "$search"
report $? "which is killed, and resumed to its end"
[ "$(grep -c '^n2 begins' first.out)" = 1 ]
report $? "the worker keeps its network"
"$espalier" show far --events | grep '"k":"started"' | grep '"node":2,' | grep -q '"epochs_done":[1-9]'
report $? "the log says where it was taken up"
[ "$(events far 2 result)" = 1 ]
report $? "it has one result"
ok "and all networks are those of a search that was never killed" same here far
kill "$first"
wait "$first"

# --- and what ends while nobody runs the search ---
# shellcheck disable=SC2086
{
    "$espalier" run $options --start "$start" --epochs 300 --headless --out there >there.out 2>&1
    search night run $options --start "$start" --epochs 300 --out night
}
worker second --idle 3
wait_until is_amid night 2
kill_search
wait "$second"
report $? "a worker trains to the end, and leaves"
prints "with a result" '^n2 has [0-9.]+ %' second.out
rm -rf copy.esp
cp -r night.esp copy.esp
search copy resume copy
wait_until has_result copy 2
report $? "who resumes a copy of the session has the result"
worker third
wait "$search"
report $? "and goes on with another worker"
! grep -q '^n2 begins' third.out
report $? "which doesn't train it again"
ok "all networks are those of a search that was never killed" same there copy

# --- but not after a change of what it depends on ---
kill "$third"
wait "$third"
# shellcheck disable=SC2086
search other run $options --start "$start" --epochs 300 --out other
worker fourth
wait_until is_amid other 2
kill_search
search other resume other --batch 32
wait "$search"
report $? "a search is resumed with other options"
[ "$(grep -c '^n2 begins' fourth.out)" = 2 ]
report $? "and its network begins anew"
rows="SELECT (SELECT count(*) FROM espalier.trial) + (SELECT count(*) FROM espalier.worker)"
[ "$($server sql "$base" "$rows")" = 0 ]
report $? "nothing is left behind"
