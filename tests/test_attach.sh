#!/bin/sh
# Searches in the background: --detach, and attach from other processes that watch and steer.
. "$top_srcdir/tests/tap.sh"
plan 43

trap 'for lock in "$work"/*.esp/lock; do owner "$lock" && kill -9 "$process" 2>/dev/null; done; rm -rf "$work"' EXIT

# owner LOCK: $process is the one that writes the session
owner() {
    process=
    [ -e "$1" ] && read -r process host <"$1"
    [ -n "$process" ]
}

# within NAME COMMAND…: the command succeeds before a minute is over
within() {
    name=$1 tries=0
    shift
    until "$@" >"$work/out" 2>"$work/err"; do
        tries=$((tries + 1))
        if [ $tries = 2400 ]; then
            report 1 "$name"
            sed 's/^/# /' "$work/out" "$work/err" | tail -n 20
            return
        fi
        sleep 0.05
    done
    report 0 "$name"
}

gone() {
    ! owner "$1/lock"
}

black_and_white set
start() {
    "$espalier" run $tournament --detach --data idx:set --start 'C(4,3,1) P(2,2) C(4,3,1) A(4,4) FC(8) SM(2)' --epochs 20 --start-epochs 1 \
        --validation 112 --networks 0 --seconds 300 --devices cpu:1 "$@"
}

# --- into the background ---
printed=$(start --out one --json)
report $? "a search goes into the background, and lets go of the pipe"
[ "$printed" = "one.esp
espalier attach one" ]
report $? "it says where it is and how to attach"
[ "$(stat -c %a:%F one.esp/socket)" = 600:socket ]
report $? "the socket is for its owner only"
owner one.esp/lock && [ "$(cut -d ' ' -f 6 "/proc/$process/stat")" = "$process" ] &&
    [ "$(readlink "/proc/$process/fd/0")" = /dev/null ] && [ "$(readlink "/proc/$process/fd/2")" = "$work/one.esp/output.log" ]
report $? "the search has no terminal"
ok "a session in use can be shown" "$espalier" show one
says "and written by nobody else" 1 "one.esp: process $process on" "$espalier" resume one --detach

# --- errors are told in the foreground; the search pauses meanwhile, so that it takes no processor ---
"$espalier" attach one --send pause >/dev/null
says "a session that is there already" 1 "one.esp: already exists" start --out one
says "a data set that is not there" 1 "nowhere" "$espalier" run --detach --out two --data idx:nowhere
says "a start network that does not fit" 1 "SM\(3\)" "$espalier" run --detach --out two --data idx:set --validation 112 \
    --start 'C(4,3,1) SM(3)'
says "an option that is none" 2 "--epochs many" "$espalier" run --detach --epochs many
says "a session to go on with that is not there" 1 "nowhere" "$espalier" resume nowhere --detach
[ ! -e two.esp ]
report $? "and nothing is left of them"

"$espalier" attach one --send continue >/dev/null

# --- two watchers, and commands ---
"$espalier" attach one --json >first.json 2>&1 &
first=$!
"$espalier" attach one --json >second.json 2>&1 &
second=$!
"$espalier" attach one >lines.out 2>&1 &
third=$!
ok "pause" "$espalier" attach one --send pause
prints "is answered" '^pause: done$' "$work/out"
says "a second pause is refused" 1 "pause: refused: the search is paused already" "$espalier" attach one --send pause
ok "continue and pin, in one call" "$espalier" attach one --send continue --send 'pin 1'
prints "both are answered" '^pin 1: networks grow from pinned ones only$' "$work/out"
within "grow" "$espalier" attach one --send 'grow 1 widen:conv1'
prints "says what becomes of it" '^grow 1 widen:conv1: it is n[0-9]+, next in the queue$' "$work/out"
says "nothing is sent after a refusal" 1 "grow 1 dance" \
    "$espalier" attach one --send 'grow 1 dance' --send pause
ok "as JSON" "$espalier" attach one --json --send 'note 1 hello "you"'
prints "the answer is the event" '"k": *"command".*"words": *"note 1 hello \\"you\\""' "$work/out"
says "two lines are no command" 1 "one line" "$espalier" attach one --send "pause
pause"
says "a line that is too long" 1 "one line of at most" "$espalier" attach one --send "note 1 $(printf '%5000s' x)"

"$espalier" attach one >left.out 2>&1 &
left=$!
within "someone watches in lines" grep -q progress left.out
kill -INT $left
wait $left
status=$?
[ $status = 130 ] && grep -q 'the search goes on; espalier attach one' left.out
report $? "and leaves (status $status)"
ok "which does not stop the search" "$espalier" attach one --send 'note 1 still here'

ok "stop" "$espalier" attach one --send stop
wait $first && wait $second && wait $third
report $? "those who watch see the end"
prints "a command is a line" '^[0-9-]+ [0-9:]+  person +stop' lines.out
prints "in lines, the end is told" '^stopped +espalier resume one goes on$' lines.out
within "the search's process ends as well" gone one.esp
cmp first.json one.esp/output.log && cmp second.json one.esp/output.log
report $? "what it printed itself is what they saw, every durable event once"
says "there is nothing to attach to" 1 "no process runs this session; .espalier resume one." "$espalier" attach one
[ ! -e one.esp/socket ]
report $? "its socket is gone"

# --- a killed search leaves its socket ---
ok "resume --detach" "$espalier" resume one --detach
owner one.esp/lock
"$espalier" attach one >killed.out 2>&1 &
watcher=$!
within "someone watches" grep -q progress killed.out
kill -9 "$process"
wait $watcher
[ $? = 1 ] && [ -S one.esp/socket ] && grep -q 'has died; espalier resume one' killed.out
report $? "who watches a search that is killed is told"
says "and nobody answers at its socket" 1 "no process runs this session" "$espalier" attach one --send pause
ok "resume goes on" "$espalier" resume one --headless --networks "$("$espalier" show one --csv | wc -l)"

# --- a path that no socket's address holds ---
long=$(printf 'a%.0s' $(seq 100))
mkdir -p "$long/$long" && start --out "$long/$long/far" >/dev/null
ok "a long path" "$espalier" attach "$work/$long/$long/far" --send stop

# --- a pipe that nobody reads ---
mkfifo pipe
exec 3<>pipe # open at both ends, so that nothing waits for the other
"$espalier" run $tournament --json --out slow --data idx:set --start 'C(4,3,1) P(2,2) C(4,3,1) A(4,4) FC(8) SM(2)' --epochs 25 \
    --start-epochs 1 --validation 112 --networks 20 --devices cpu:1 >pipe &
slow=$!
finished() { # the first is cheaper to ask again and again
    grep -aqs finished slow.esp/events.log && "$espalier" show slow | grep -q 'finished (budget)'
}
within "a search whose output nobody reads goes on to its end" finished
cat pipe >slow.out 3>&- &
reader=$!
exec 3>&-
wait $slow && wait $reader && grep -c . slow.out >lines && [ "$(wc -c <slow.out)" -gt 70000 ] &&
    tail -n 1 slow.out | grep -q '"k": *"finished"'
report $? "and then all of it can be read"
