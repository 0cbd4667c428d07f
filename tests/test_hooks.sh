#!/bin/sh
# Commands of a person at a new best network and at the end: what they get, where they print, and that nothing of a session
# becomes part of them.
. "$top_srcdir/tests/tap.sh"
plan 6

if [ ! -d "$fashion" ]; then
    while [ "$number" -lt "$planned" ]; do skip "commands of a person" "no Fashion-MNIST"; done
    exit 0
fi

cat >hook <<'END'
#!/bin/sh
printf '%s %s %s %s\n' "$ESPALIER_HOOK_EVENT" "$ESPALIER_HOOK_NODE" "$ESPALIER_HOOK_REASON" "$ESPALIER_HOOK_ARCH" >>"$ESPALIER_HOOK_SESSION/told"
echo printed
END
chmod +x hook
odd='a;touch hurt $(touch hurt)'
ok "a search with commands" "$espalier" run $tournament --networks 3 --episode-networks 2 --parent start --epochs 1 \
    --start-epochs 1 --train-subset 300 --validation 100 --devices cpu:1 --limit-flops 0 --headless --out "$odd" \
    --on-best ./hook --on-end './hook; touch ended'
tries=0
while [ ! -e ended ] && [ "$tries" -lt 200 ]; do sleep 0.05; tries=$((tries + 1)); done
grep -q '^best 1  C(' "$odd.esp/told"
report $? "the first network is the best at first"
[ "$(grep -c '^end ' "$odd.esp/told")" = 1 ] && grep -q '^end [0-9]* budget C(' "$odd.esp/told"
report $? "the end is told once, with its reason and the best network"
grep -q printed "$odd.esp/hooks.log"
report $? "what they print is in the session's folder"
[ ! -e hurt ]
report $? "a session's name is no part of a command"
says "an option without a command" 2 "on-best" "$espalier" run --on-best
