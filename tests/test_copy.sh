#!/bin/sh
# Copies of a session: whole and thin, with and without files; resumed, damaged, and with no room for them.
. "$top_srcdir/tests/tap.sh"
plan 33

if [ ! -d "$fashion" ]; then
    while [ "$number" -lt "$planned" ]; do skip "copies of a session" "no Fashion-MNIST"; done
    exit 0
fi

"$espalier" run $tournament --networks 5 --episode-networks 2 --policy reinforce --parent start --epochs 1 --start-epochs 1 \
    --train-subset 300 --validation 100 --devices cpu:1 --limit-flops 0 --headless --out one >/dev/null 2>&1

# --- whole ---
ok "a session is copied" "$espalier" copy one all
prints "with all that it has" "^all.esp: [0-9]+ events, [0-9]+ files .*, [0-9.]+ [KM]iB$"
ok "the copy is whole" "$espalier" fsck all
cmp -s one.esp/events.log all.esp/events.log
report $? "its log is the session's, byte for byte"
ok "it can be resumed" "$espalier" resume all --networks 6 --headless

# --- smaller ---
"$espalier" show one --events >events
ok "a thin copy without files" "$espalier" copy --thin --weights none one thin
prints "says what was left out" "^thin.esp: [0-9]+ events \([0-9]+ left out\), 0 files "
[ "$(wc -c <thin.esp/events.log)" -lt "$(wc -c <one.esp/events.log)" ]
report $? "it is smaller"
"$espalier" show thin --events | cmp -s - events
report $? "and has every durable event"
[ -d thin.esp/weights ] && [ -d thin.esp/policy ] && [ -z "$(ls thin.esp/weights thin.esp/policy | grep -v :)" ]
report $? "and no file"
says "what needs weights says so" 1 "weights" "$espalier" export thin:best --out x.onnx

"$espalier" copy one kept >/dev/null
ok "a session drops weights" "$espalier" resume kept --keep best --networks 6 --headless
"$espalier" copy --weights none kept bare >/dev/null
says "and says of its copy that it came without any" 1 "came without its weights" "$espalier" resume bare --headless

ok "a copy of the first half" "$espalier" copy one half --until 50%
"$espalier" show half --events >half-events
head -n "$(wc -l <half-events)" events | cmp -s - half-events && [ "$(wc -l <half-events)" -lt "$(wc -l <events)" ]
report $? "has the events of the first half"
ok "it is a session that can be resumed" "$espalier" resume half --networks 6 --headless
says "a place that is none" 1 "--until x: must be a share" "$espalier" copy one nowhere --until x

ok "a copy with the best network" "$espalier" copy --thin --weights best one best
[ "$(ls best.esp/weights | wc -l)" -le 2 ] && [ "$(ls best.esp/policy | wc -l)" = 1 ]
report $? "has two networks and the last state of the controller"
ok "which is evaluated" "$espalier" eval best:best
ok "and the search goes on" "$espalier" resume best --networks 6 --headless
ok "with a good log" sh -c '"$0" show best --events >/dev/null' "$espalier"
"$espalier" compare one thin >rows
[ "$(sed -n 's/^one *//p' rows)" = "$(sed -n 's/^thin *//p' rows)" ]
report $? "a thin copy has lasted as long"

# --- while it is being written ---
cp -r one.esp torn.esp
printf '\100\000\000\000abcdefg' >>torn.esp/events.log
ok "a session with half an event at its end" "$espalier" copy torn untorn
cmp -s one.esp/events.log untorn.esp/events.log
report $? "is copied up to there"

# --- refused ---
says "a name that is taken" 1 "all.esp: already exists" "$espalier" copy one all
says "weights that are none" 2 "--weights some: must be one of all\|best\|none" "$espalier" copy one two --weights some
says "no such session" 1 "no-such" "$espalier" copy no-such two
cp -r one.esp bad.esp
head -c 40 /dev/zero | dd of=bad.esp/events.log bs=1 seek=1400 conv=notrunc 2>/dev/null
python3 - <<'END'
log, out, at, number = open("one.esp/events.log", "rb").read(), b"", 8, 0
while at < len(log):  # all frames but the third
    end, number = at + 8 + int.from_bytes(log[at:at + 4], "little"), number + 1
    out, at = out + (log[at:end] if number != 3 else b""), end
open("gap.log", "wb").write(log[:8] + out)
END
cp -r one.esp gap.esp && mv gap.log gap.esp/events.log
says "a session that lacks an event" 1 "events are missing; .espalier fsck --repair" "$espalier" copy gap two
sed 's/^ESPALOG./ESPALOG\x09/' one.esp/events.log >gap.esp/events.log
says "a session of a format to come" 1 "use a newer espalier" "$espalier" copy gap two
says "a damaged session" 1 "bad.esp/events.log: damaged at byte [0-9]+ .*espalier fsck --repair" "$espalier" copy bad two
says "no room for it" 1 "two.esp/weights/.*can't be written" sh -c 'ulimit -f 8; "$0" copy one two' "$espalier"
[ ! -e two.esp ]
report $? "nothing is left of a copy that failed"
