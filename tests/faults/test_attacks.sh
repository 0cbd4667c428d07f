#!/bin/sh
# A search and its log under attack: signals, logs that are cut or have a wrong bit, a file system that is full, connections
# that send anything.  No recorded result is lost, and no network is trained twice.
# ESPALIER_TEST_LONG=1: 205 signals, 500 cuts, 2,000 bits, 16 sizes, 1,000 connections (`make check-faults`).
if [ -z "$ESPALIER_TEST_MOUNTS" ] && unshare -rm true 2>/dev/null; then
    ESPALIER_TEST_MOUNTS=yes exec unshare -rm sh "$0" # file systems that end with this script
fi
. "$top_srcdir/tests/tap.sh"
. "$top_srcdir/tests/faults/faults.sh"
plan 5

# some FEW MANY: how much is tried; less with the sanitizers, under which each process takes longer to begin
sanitized=$(grep -c -e __asan_init -e __tsan_init "$espalier")
some() {
    if [ -n "$ESPALIER_TEST_LONG" ]; then echo "$2"; elif [ "$sanitized" = 0 ]; then echo "$1"; else echo $((($1 + 2) / 3)); fi
}

# draw COUNT PROGRAM: lines that an awk program prints, each with its own random numbers
draw() {
    awk -v count="$1" -v seed="${ESPALIER_TEST_SEED:-1}" "BEGIN {srand(seed); for (i = 0; i < count; i++) print $2}"
}

# tried STATUS NAME COUNT
tried() {
    report "$1" "$2 ($3)"
    [ "$1" = 0 ] || sed 's/^/# /' why | tail -n 20
}

# --- signals: the search is stopped when its log has grown by so many bytes, and goes on ---
log_size() { stat -c %s new.esp/events.log 2>/dev/null || echo 0; }
signalled() {
    if "$espalier" show new >shown 2>&1; then set -- "$@" resume new --headless; else set -- "$@" run $search --networks 60 --out new; fi
    signal=$1 size=$(($(log_size) + $2))
    shift 2
    "$espalier" "$@" >out 2>err &
    process=$!
    until [ "$(log_size)" -ge "$size" ]; do kill -0 $process 2>/dev/null || break; done
    kill -s "$signal" $process 2>/dev/null
    wait $process 2>/dev/null
    status=$?
    results new >after
    has_all before after || return 1
    "$espalier" show new >shown 2>&1 || grep -q -e "has no events" -e "no such session" -e "not a session" shown || { cat shown; return 1; }
    mv after before
    [ $status = 0 ] || return 0
    "$espalier" fsck new >found && [ "$(wc -l <before)" = 60 ] && rm -r new.esp && : >before
}
: >before
count=$(some 6 205) number_tried=0
draw "$count" 'substr("INT TERMHUP QUITKILLPIPEALRMABRTUSR1SEGV", 1 + 4 * int(rand() * 10), 4), int(rand() * 3000)' >drawn
while read -r signal bytes; do
    signalled "$signal" "$bytes" >why || break
    number_tried=$((number_tried + 1))
done <drawn
[ $number_tried = "$count" ]
tried $? "signals at any moment" "$number_tried signals"

# --- the log of a whole search, cut or with one bit changed ---
"$espalier" run $search --networks 4 --out whole >/dev/null 2>&1
"$espalier" show whole --events >events
# Where the frame of each of these events is.  A transient event has the number of the one before it, and is not shown.
od -An -v -w1 -tu1 whole.esp/events.log | awk '
    {byte[NR - 1] = $1}
    END {
        for (at = 8; at < NR; at = end) {
            end = at + 8 + byte[at] + 256 * byte[at + 1]
            value = at + 8 + (byte[at + 8] == 222 ? 3 : 1) + 2 # behind the head of the map and its first key, "n"
            number = byte[value] == 204 ? byte[value + 1] : byte[value]
            if (number > last) print at, end
            last = number
        }
    }' >frames
[ "$(wc -l <frames)" = "$(wc -l <events)" ] || { echo "Bail out! frames and events differ in number"; exit 1; }
size=$(stat -c %s whole.esp/events.log)
fresh() { rm -rf new.esp && cp -r whole.esp new.esp; }

cut_at() {
    fresh
    truncate -s "$1" new.esp/events.log
    head -n "$(awk -v cut="$1" '$2 <= cut' frames | wc -l)" events >kept
    "$espalier" show new --events 2>/dev/null | cmp -s - kept || { echo "not the events before byte $1"; return 1; }
    [ "$1" -ge "$(awk 'NR == 1 {print $2}' frames)" ] || rm -r new.esp # nothing was recorded; the program says to begin again
    goes_on new
}
count=$(some 5 500) number_tried=0
draw "$count" "int(rand() * $size)" >drawn
while read -r bytes; do
    cut_at "$bytes" >why || { echo "cut at byte $bytes" >>why; break; }
    number_tried=$((number_tried + 1))
done <drawn
[ $number_tried = "$count" ]
tried $? "a log cut at any byte" "$number_tried cuts"

# The frame with the bit is lost; all that is recorded of other networks stays.  Without its first event a log can't be
# read, says so, and is left as it is.
flipped() {
    fresh
    printf "\\$(printf %o $(($(od -An -tu1 -j "$1" -N 1 whole.esp/events.log) ^ (1 << $2))))" |
        dd of=new.esp/events.log bs=1 seek="$1" conv=notrunc 2>/dev/null
    cp new.esp/events.log flipped.log
    if ! "$espalier" fsck --repair new >found 2>&1; then
        [ "$1" -lt "$(awk 'NR == 1 {print $2}' frames)" ] && grep -q "first event is lost" found && cmp -s flipped.log new.esp/events.log
        return
    fi
    awk -v at="$1" 'NR == FNR {hit[FNR] = $1 <= at && at < $2; next} hit[FNR]' frames events >hit
    lost=$(sed -n 's/.*"k": *"\(node\|result\)", *\("node": *[0-9]*,\).*/\2/p' hit)
    only_results <events | grep -v -e "${lost:-nothing}" >kept
    results new >repaired
    has_all kept repaired || return 1
    if grep -q '"k": *"node", *"node": *1,' hit; then
        ! "$espalier" resume new --headless >resumed 2>&1 && grep -q "start network was lost.*begin a new search" resumed
    else
        goes_on new
    fi
}
count=$(some 6 2000) number_tried=0
draw "$count" "int(rand() * $size), int(rand() * 8)" >drawn
while read -r byte bit; do
    flipped "$byte" "$bit" >why || { echo "bit $bit of byte $byte" >>why; break; }
    number_tried=$((number_tried + 1))
done <drawn
[ $number_tried = "$count" ]
tried $? "a log with one wrong bit" "$number_tried bits"

# --- a file system that becomes full, and larger again ---
full_at() {
    mkdir -p small && mount -t tmpfs -o size="${1}k" none small || return 1
    "$espalier" run $search --networks 4 --out small/new >out 2>err
    status=$?
    case $status in
    0) true ;;
    1) [ "$(grep -c '^espalier' err)" = 1 ] || { cat err; false; } ;;
    *) echo "status $status"; cat err; false ;;
    esac && mount -o remount,size=64m small && is_whole small/new && goes_on small/new
    status=$?
    umount small
    return $status
}
if [ -n "$ESPALIER_TEST_MOUNTS" ]; then
    count=$(some 1 16) number_tried=0
    for step in $(seq "$count"); do
        full_at $((16 * step * step * 16 / count)) >why 2>&1 || { echo "step $step" >>why; break; }
        number_tried=$((number_tried + 1))
    done
    [ $number_tried = "$count" ]
    tried $? "a full file system" "$number_tried sizes"
else
    skip "a full file system" "no mount namespace"
fi

# --- connections ---
rm -rf new.esp
"$espalier" run $search --networks 100000 --out new >out 2>err &
process=$!
until results new | grep -q .; do kill -0 $process 2>/dev/null || break; done
results new >before
"$top_builddir/tests/faults/connections" new.esp/socket "$(some 50 1000)" >why 2>&1
connected=$?
kill -s INT $process
wait $process
status=$?
results new >after
[ $connected = 0 ] && [ $status = 130 ] && has_all before after >>why && "$espalier" fsck new >>why
tried $? "connections that send anything" "$(sed -n 's/^connections: //p' why)"
