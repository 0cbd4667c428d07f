#!/bin/sh
# A real search, killed three times while it trains and resumed: no result is lost, and none is trained twice.
. "$top_srcdir/tests/tap.sh"
if [ ! -d "$fashion" ]; then
    plan 1
    skip "a real search killed three times" "no Fashion-MNIST (dataset-fashion-mnist)"
    exit 0
fi
plan 11

results() {
    "$espalier" show killed --events | grep '"k": *"result"'
}

# When the search of this process has written `$1` results in all, kill it.  A network has weights before its result, and to
# count them is cheaper than to read the log.
kill_at() {
    until [ "$(ls killed.esp/weights 2>/dev/null | wc -l)" -ge "$1" ] && [ "$(results 2>/dev/null | wc -l)" -ge "$1" ]; do
        kill -0 "$search" 2>/dev/null || return 1
        sleep 0.02
    done
    kill -9 "$search"
    wait "$search" 2>/dev/null
    results >"before-$1"
}

"$espalier" run $tournament --out killed --networks 8 --epochs 1 --start-epochs 1 --train-subset 2000 --validation 500 --headless \
    >run.out 2>&1 &
search=$!
for count in 1 3 5; do
    ok "killed with $count results" kill_at "$count"
    ok "the session loads" "$espalier" show killed
    if [ "$count" != 5 ]; then
        "$espalier" resume killed --headless >"resume-$count.out" 2>&1 &
        search=$!
    fi
done
ok "resumed to its end" "$espalier" resume killed --headless
results >after
ok "every result recorded before the last kill is there, unchanged" sh -c 'while read -r line; do grep -qFx -e "$line" after || exit 1; done <before-5'
twice=$(sed 's/.*"node": *\([0-9]*\).*/\1/' after | sort | uniq -d)
[ -z "$twice" ]
report $? "no network has two results${twice:+ (n$twice)}"
[ "$(wc -l <after)" = 8 ]
report $? "all eight networks have a result"
ok "fsck finds nothing" "$espalier" fsck killed
