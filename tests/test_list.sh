#!/bin/sh
# `espalier list`: sessions of this folder and of the state folder, in every state there is.
. "$top_srcdir/tests/tap.sh"
plan 16

black_and_white set
small="$tournament --data idx:set --validation 112 --epochs 1 --start-epochs 1 --devices cpu:1 --limit-flops 0 --headless"
state() { # SESSION: its state as `list` has it
    "$espalier" list | awk -v name="$1" '$1 == name {print $2}'
}

ok "without sessions" "$espalier" list
prints "says so, and how to make one" '^no session is here .*espalier run'
ok "an empty JSON array" "$espalier" list --json
prints "is one" '^\[\]$'

mkdir elsewhere
(cd elsewhere && "$espalier" run $small --data "idx:$work/set" --out far --networks 2 >/dev/null 2>&1)
ok "a search" "$espalier" run $small --networks 3 --out near
ok "are listed" "$espalier" list
prints "one of this folder" '^near +finished +idx +[0-9.]+ % +[0-9.]+k? +3 '
prints "and one of another, with its age and size" '^far +finished +idx +[0-9.]+ % +[0-9.]+k? +2 .* [0-9]+s +[0-9.]+ [KM]iB$'
[ "$("$espalier" list | grep -c '^near ')" = 1 ]
report $? "each once, though the state folder has a link to both"

"$espalier" run $small --networks 0 --out busy >/dev/null 2>&1 &
search=$!
until "$espalier" list | grep -q "^busy .*running .*process $search on .* by "; do
    kill -0 $search 2>/dev/null || break
    sleep 0.05
done
[ "$(state busy)" = running ]
report $? "a search that runs, with its process and whose it is"
kill -9 $search
wait $search 2>/dev/null
[ "$(state busy)" = died ]
report $? "one whose process was killed"
"$espalier" resume busy --headless >/dev/null 2>&1 &
search=$!
until "$espalier" attach busy --send stop >/dev/null 2>&1; do sleep 0.05; done
wait $search
[ "$(state busy)" = stopped ]
report $? "one that was stopped"
printf 'no log at all' >near.esp/events.log
[ "$(state near)" = damaged ]
report $? "one whose log is damaged"
rm -r elsewhere
"$espalier" list | grep -q '^far '
[ $? = 1 ]
report $? "one that is gone is not listed"
"$espalier" list --json >list.json
if command -v jq >/dev/null; then
    [ "$(jq -r '[.[] | .session + " " + .state] | sort | join(", ")' list.json)" = "busy stopped, near damaged" ]
    report $? "as JSON"
else
    skip "as JSON" "no jq"
fi
prints "with the reason why a log can't be read" '"error": ".*near.esp' list.json
