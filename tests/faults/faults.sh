# faults.sh - what test_faults.sh and test_attacks.sh share: a small search, its results, and the promise about them.

search="$tournament --episode-networks 2 --policy reinforce --epochs 1 --start-epochs 1 --train-subset 64 --validation 32
    --devices cpu:1 --limit-flops 0 --headless --data idx:set"
networks=4
black_and_white set

# Without the events' numbers, which a repair changes.
results() {
    "$espalier" show "$1" --events 2>/dev/null | only_results
}
only_results() { grep '"k": *"result"' | sed 's/"n": *[0-9]*,//'; }

# has_all BEFORE AFTER: no line of BEFORE is lost, and no network has two results
has_all() {
    while read -r line; do grep -qFx -e "$line" "$2" || { echo "lost: $line"; return 1; }; done <"$1"
    [ -z "$(sed 's/.*"node": *\([0-9]*\).*/\1/' "$2" | sort | uniq -d)" ] || { echo "twice:"; cat "$2"; return 1; }
}

# is_whole SESSION: a check finds nothing, or there is no session yet
is_whole() {
    ! "$espalier" show "$1" >shown 2>&1 || "$espalier" fsck "$1" >found 2>&1 || { cat found; return 1; }
}

# nothing_incomplete FOLDER [NAME]: no temporary file that a killed process wrote (of NAME) is left
nothing_incomplete() {
    [ -z "$(find "$1" -name "${2-}*.espalier-*")" ] || { find "$1" -name "${2-}*.espalier-*"; return 1; }
}

# goes_on SESSION: whatever is left of it becomes a whole search of $networks networks, with each result that it has now
goes_on() {
    results "$1" >before
    folder=$1.esp
    if "$espalier" show "$1" >shown 2>&1; then
        "$espalier" resume "$1" --networks $networks --headless >resumed 2>&1 || { cat resumed; return 1; }
    else
        grep -q -e "has no events" -e "no such session" -e "not a session" shown || { cat shown; return 1; }
        "$espalier" run $search --networks $networks --out "$1" >again 2>&1 || { cat again; return 1; }
    fi
    results "$1" >after
    has_all before after || return 1
    [ "$(wc -l <after)" = $networks ] || { cat after; return 1; }
    nothing_incomplete "$folder" || return 1
    "$espalier" fsck "$1" >found 2>&1 || { cat found; return 1; }
}
