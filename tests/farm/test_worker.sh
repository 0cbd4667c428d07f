#!/bin/sh
# `espalier worker` and `run --farm` as a person meets them: real training, a worker that is killed, one that is told to end,
# and what each mistake says.
. "$top_srcdir/tests/tap.sh"
. "$top_srcdir/tests/farm/bed.sh"
plan 28
black_and_white pictures
small="--data idx:pictures --epochs 1 --start-epochs 1 --validation 64 --policy random --parent tournament --finish 0 --devices cpu:1
    --headless --farm-lease 3"
start="C(4,3,1) A(2,2) SM(2)"


# --- what can't work ---
says "no server" 1 "is the server running, and the address right" "$espalier" run $small --start "$start" --farm "$url"
says "no server, for a worker's password in the URL" 1 "put it into ~/.pgpass" "$espalier" worker postgresql://me:secret@db/x
$server start "$base"
says "no farm, for a search" 1 "has no farm.*espalier farm init" "$espalier" run $small --start "$start" --farm "$url"
says "no farm, for a worker" 1 "has no farm.*espalier farm init" "$espalier" worker "$url"
says "a duration that is none" 2 "idle 5x: is no duration; write 90, 10m or 2h" "$espalier" worker "$url" --idle 5x
says "a lease that is none" 1 "farm-lease 1: is not a number of seconds from 3 on" \
    "$espalier" run $small --start "$start" --farm "$url" --farm-lease 1
ok "a farm" "$espalier" farm init "$url"
$server sql "$base" "UPDATE espalier.meta SET version = version + 1"
says "a newer farm, for a search" 1 "the farm is newer than this program" "$espalier" run $small --start "$start" --farm "$url"
says "a newer farm, for a worker" 1 "the farm is newer than this program" "$espalier" worker "$url"
$server sql "$base" "UPDATE espalier.meta SET version = version - 1"
ok "a search without --parent" "$espalier" run --data idx:pictures --validation 64 --limit-flops 0 --start "$start" --farm "$url" --dry-run
prints "is a tournament on a farm" '^parent +tournament, for which no trainer waits'
ok "nothing to do" "$espalier" worker "$url" --idle 0.1

# --- one seed, one digest ---
"$espalier" run $small --start "$start" --networks 6 --out here >here.out 2>&1
worker first
ok "a search on the farm" "$espalier" run $small --start "$start" --networks 6 --out far --farm "$url"
digest() {
    "$espalier" show "$1" | sed -n 's/^digest  *//p'
}
[ -n "$(digest here)" ] && [ "$(digest here)" = "$(digest far)" ]
report $? "has the digest of one on this machine"
rows="SELECT count(*) FROM espalier.worker"
wait_until sh -c "[ \$($server sql '$base' '$rows') = 0 ]"
report $? "and leaves nothing behind"
[ "$($server sql "$base" "SELECT hourly > 0 FROM espalier.search")" = t ]
report $? "but how many results came in an hour"

kill "$first"
wait "$first"

# --- a worker that is killed, one that is told to end, one with other images ---
cp -r pictures others
printf '\001' | dd of=others/train-images-idx3-ubyte bs=1 seek=20 conv=notrunc 2>/dev/null
"$espalier" run $small --start "$start" --epochs 1500 --networks 5 --out night --farm "$url" >night.out 2>&1 &
search=$!
processes="$processes $search"
worker killed
wait_until grep -q '^n2 begins' killed.out
kill -9 "$killed"
worker second --data "idx=$work/others"
wait_until grep -q "can't serve" second.out
grep -q "its images have the checksum [0-9a-f]*, and idx:$work/others on this machine has [0-9a-f]*; copy the search's images" second.out
report $? "other images are refused, with both checksums"
# says NAME's log TEXT
logs() {
    "$espalier" show "$1" --events | grep -q -e "$2"
}
wait_until logs night "a worker on .* can't serve this search: its images have the checksum"
report $? "and the search says so too"
kill "$second"
wait "$second"
report $? "a worker that is asked to end has not failed"
worker third
wait_until grep -q '^n[0-9]* begins' third.out
wait_until logs night 'no sign of life of process'
report $? "the killed worker is given up"
# The network that began last has trained for an epoch.
in_midst() {
    "$espalier" show night --events | awk '/"k":"started"/ {epochs = 0} /"k":"epoch"/ {epochs++} END {exit !epochs}'
}
wait_until in_midst
kill "$third"
wait "$third"
prints "a worker that is told to end says so" "^ends: it was asked to" third.out
wait_until logs night 'its worker left'
report $? "and the search knows that it left"
$server sql "$base" "UPDATE espalier.search SET program = 'espalier 0.1.0 (sources 000000000000)' WHERE session LIKE '%night%'"
worker other
wait_until grep -q "can't serve" other.out
prints "another build of this version is refused" \
    "it is run by espalier 0.1.0 \(sources 000000000000\), and this is espalier [^ ]* \(sources [0-9a-f]{12}\); use one program" other.out
kill "$other"
wait "$other"
report $? "and has not failed"
$server sql "$base" "UPDATE espalier.search SET program = '$("$espalier" version | head -n 1)' WHERE session LIKE '%night%'"
worker fourth --idle 1h --data "idx=$work/pictures"
wait "$search"
report $? "the search goes on to its end"
logs night '"k":"started".*"epochs_done":[1-9]'
report $? "what was handed back goes on from its checkpoint"
trained=$("$espalier" show night --events | grep -c '"k": *"result"')
[ "$trained" = 5 ]
report $? "each network has one result ($trained)"
ok "and its session is whole" "$espalier" fsck night
