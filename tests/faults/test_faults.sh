#!/bin/sh
# The program with faults (faults.c): killed at its calls on files, and with a disk, a file system, threads and memory that
# fail. No recorded result is lost, none is trained twice, and what is left can be used or says what to do.
# ESPALIER_TEST_LONG=1: at every call on a file, not at some of them, and killed in a longer search (`make check-faults`).
. "$top_srcdir/tests/tap.sh"
plan 33
faults=$top_builddir/tests/faults/faults.so

if grep -q -e __asan_init -e __tsan_init "$espalier"; then
    while [ "$number" -lt "$planned" ]; do skip "faults" "a sanitizer wants to be loaded first"; done
    exit 0
fi
. "$top_srcdir/tests/faults/faults.sh"

# faulty FAULT PATH COMMAND…: with that fault in its calls on files with that path
faulty() {
    FAULT=$1 FAULT_PATH=$2 FAULT_COUNT=$work/count
    export FAULT FAULT_PATH FAULT_COUNT
    shift 2
    LD_PRELOAD=$faults "$@" >"$work/out" 2>"$work/err"
    status=$?
    unset FAULT FAULT_PATH FAULT_COUNT
    return $status
}

# places CALL PATH SOME COMMAND…: the numbers of the calls at which a fault is tried: SOME of them; in a long test all,
# and 300 of those that allocate memory.
# The command runs once, without a fault.
places() {
    call=$1 path=$2 some=$3
    shift 3
    faulty "$call 0 0" "$path" "$@"
    count=$(cat "$work/count")
    echo "$count" >"$work/calls"
    if [ -n "$ESPALIER_TEST_LONG" ]; then [ "$call" = alloc ] && some=300 || some=$count; fi
    [ "$count" -gt "$some" ] || some=$count
    for i in $(seq "$some"); do echo $((1 + (i - 1) * count / some)); done
}

# answers STATUS…: the last faulty command ended with one of these; a failure said why in one line, or in what a check found
answers() {
    case " $* " in *" $status "*) ;; *) echo "status $status: $(cat "$work/err")"; return 1 ;; esac
    [ "$status" != 1 ] || [ "$(grep -c '^espalier' "$work/err")" = 1 ] || grep -q '; weights: ' "$work/out" || { cat "$work/err"; return 1; }
}

# each NAME CALL WHAT PATH SOME STATUSES LEFT COMMAND…: at each place the command ends with one of the statuses, and then LEFT
# holds. `fresh` makes ready what the command works on.
each() {
    name=$1 call=$2 what=$3 path=$4 some=$5 statuses=$6 left=$7
    shift 7
    fresh
    tried=0
    for place in $(places "$call" "$path" "$some" "$@"); do
        fresh
        tried=$((tried + 1))
        faulty "$call $place $what" "$path" "$@"
        if ! { answers $statuses && $left; } >why; then
            report 1 "$name ($call $place $what)"
            sed 's/^/# /' why "$work/err" | tail -n 20
            return
        fi
    done
    report 0 "$name ($tried of $(cat "$work/calls" 2>/dev/null || echo 0) calls)"
}

KILLED=137 ABORTED=134 NO_SPACE=28 EIO=5 READ_ONLY=30 TRY_AGAIN=11

# record NETWORKS: done.esp, a whole search of them, and half.esp, the first half of one
record() {
    networks=$1
    rm -rf done.esp half.esp
    "$espalier" run $search --networks "$networks" --out done >/dev/null 2>&1
    "$espalier" run $search --networks $((networks / 2)) --out half >/dev/null 2>&1
    cp done.esp/events.log kept.log
}
left() { is_whole new && goes_on new; }
unchanged() { cmp -s done.esp/events.log kept.log; }
interrupted() {
    unchanged && { ! "$espalier" show new >shown 2>&1 || "$espalier" fsck new; } || return 1
    "$espalier" copy done new >again 2>&1 || grep -q "exists .*or remove it" again || { cat again; return 1; }
}

# --- killed ---
if [ -n "$ESPALIER_TEST_LONG" ]; then record 20; else record 4; fi
fresh() { rm -rf new.esp; }
each "a search killed at a call on a file" any kill new.esp 25 "0 $KILLED" left "$espalier" run $search --networks $networks --out new
each "a copy killed" any kill .esp 10 "0 $KILLED" interrupted "$espalier" copy done new
fresh() { rm -rf new.esp && cp -r half.esp new.esp; }
each "a resumed search killed" any kill new.esp 8 "0 $KILLED" left "$espalier" resume new --networks $networks --headless

# --- a search ---
record 4
fresh() { rm -rf new.esp; }
each "a search whose write fails once" write $NO_SPACE new.esp 3 "0 1" left "$espalier" run $search --networks $networks --out new
each "a search whose sync fails once" sync $EIO new.esp 3 "0 1" left "$espalier" run $search --networks $networks --out new
each "a search whose rename fails once" rename $EIO new.esp 2 "0 1" left "$espalier" run $search --networks $networks --out new
each "a search that can't open a file" open $READ_ONLY new.esp 4 "0 1" left "$espalier" run $search --networks $networks --out new
each "a search that can't read a file" read $EIO new.esp 6 "0 1" left "$espalier" run $search --networks $networks --out new
each "a search without a thread" thread $TRY_AGAIN '' 9 "0 1" left "$espalier" run $search --networks $networks --out new
each "a search without memory" alloc 12 '' 8 "0 1 $ABORTED" left "$espalier" run $search --networks $networks --out new
each "a search whose clock goes back by years" clock -999999999 '' 4 "0" left "$espalier" run $search --networks $networks --out new
each "a search whose clock goes on by years" clock 999999999 '' 4 "0" left "$espalier" run $search --networks $networks --out new

# --- the first event ---
fresh
FAULT="write 2+ $NO_SPACE" FAULT_PATH=new.esp/events.log LD_PRELOAD=$faults "$espalier" run $search --networks $networks --out new >out 2>err
status=$?
grep -q "begin again: nothing of this search was recorded" err
report $? "a first event that can't be written says to begin again (status $status)"
[ ! -e new.esp ]
report $? "and leaves no folder"
fresh
FAULT="thread 1 $TRY_AGAIN" LD_PRELOAD=$faults "$espalier" run $search --networks $networks --out new >out 2>err
status=$?
[ "$status" = 1 ] && [ ! -e new.esp ] && grep -q "no thread" err
report $? "without a thread for the search nothing is left (status $status)"

# --- a resumed search ---
fresh() { rm -rf new.esp && cp -r half.esp new.esp; }
each "a resumed search whose write fails" write $NO_SPACE new.esp 2 "0 1" left "$espalier" resume new --networks $networks --headless
each "a resumed search that can't read" read $EIO new.esp 6 "0 1" left "$espalier" resume new --networks $networks --headless
each "a resumed search on a file system that is read-only" open "$READ_ONLY" new.esp 3 "0 1" left \
    "$espalier" resume new --networks $networks --headless

# --- a copy ---
fresh() { rm -rf new.esp; }
copied() {
    unchanged || return 1
    [ "$status" != 1 ] || [ ! -e new.esp ] || { ls -R new.esp; return 1; }
    [ "$status" != 0 ] || "$espalier" fsck new
}
each "a copy whose write fails" write $NO_SPACE new.esp 4 "0 1" copied "$espalier" copy done new
each "a copy whose sync fails" sync $EIO new.esp 4 "0 1" copied "$espalier" copy done new
each "a copy whose rename fails" rename $EIO new.esp 3 "0 1" copied "$espalier" copy done new
each "a copy that can't open a file" open $READ_ONLY new.esp 4 "0 1" copied "$espalier" copy done new
each "a copy that can't read" read $EIO .esp 6 "0 1" copied "$espalier" copy done new
each "a copy without memory" alloc 12 '' 4 "0 1 $ABORTED" interrupted "$espalier" copy done new

# --- a repair ---
cp -r done.esp bad.esp
head -c 40 /dev/zero | dd of=bad.esp/events.log bs=1 seek=2000 conv=notrunc 2>/dev/null
cp -r bad.esp good.esp
"$espalier" fsck --repair good >/dev/null
fresh() { rm -rf new.esp && cp -r bad.esp new.esp; }
repaired() {
    cmp -s new.esp/events.log bad.esp/events.log || cmp -s new.esp/events.log good.esp/events.log || return 1
    "$espalier" fsck --repair new >found 2>&1 || "$espalier" show new >/dev/null || { cat found; return 1; }
    cmp -s new.esp/events.log good.esp/events.log && nothing_incomplete new.esp && [ ! -e new.esp/events.log.damaged.2 ]
}
each "a repair killed" any kill new.esp 9 "0 1 $KILLED" repaired "$espalier" fsck --repair new
each "a repair whose write fails" write $NO_SPACE new.esp 3 "0 1" repaired "$espalier" fsck --repair new
each "a repair whose sync fails" sync $EIO new.esp 3 "0 1" repaired "$espalier" fsck --repair new
each "a repair that can't read" read $EIO new.esp 3 "0 1" repaired "$espalier" fsck --repair new

# --- export and train ---
fresh() { rm -f net.onnx*; }
exported() { [ ! -e net.onnx ] || cmp -s net.onnx whole.onnx; }
"$espalier" export done:best --out whole.onnx >/dev/null
each "an export killed" any kill net.onnx 9 "0 $KILLED" exported "$espalier" export done:best --out net.onnx
each "an export whose write fails" write $NO_SPACE net.onnx 2 "0 1" exported "$espalier" export done:best --out net.onnx
fresh() { rm -f net.safetensors*; }
trained() {
    [ ! -e net.safetensors ] || "$espalier" eval net.safetensors --data idx:set || return 1
    "$espalier" train done:best --epochs 2 --out net.safetensors && cmp -s net.safetensors whole.safetensors || return 1
    nothing_incomplete . net.safetensors && [ ! -e net.safetensors.lock ] && [ ! -e net.safetensors.checkpoint ]
}
"$espalier" train done:best --epochs 2 --out whole.safetensors >/dev/null
each "a training killed" any kill net.safetensors 8 "0 $KILLED" trained "$espalier" train done:best --epochs 2 --out net.safetensors
each "a training whose write fails" write $NO_SPACE net.safetensors 2 "0 1" trained \
    "$espalier" train done:best --epochs 2 --out net.safetensors
each "a training that can't rename" rename $EIO net.safetensors 2 "0 1" trained \
    "$espalier" train done:best --epochs 2 --out net.safetensors
