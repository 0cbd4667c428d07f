#!/bin/sh
# run --dry-run: what it says of a search, and that it refuses what the search would.
. "$top_srcdir/tests/tap.sh"
plan 14

black_and_white set
start='C(4,3,1) P(2,2) A(4,4) FC(8) SM(2)'
dry() {
    ok "$1" "$espalier" run --dry-run --data idx:set --validation 112 --start "$start" --devices cpu:1 $tournament --epochs 3 "$@"
}
ok "the default policy" "$espalier" run $tournament --dry-run --data idx:set --validation 112 --devices cpu:1
prints "has learned nothing" '^  .*simulated: proposed by reinforce, which has learned nothing, on parents drawn at random'
prints "a start network of this data" '^start +C\(4,3,1\) .* SM\(2\)$'
dry --policy widen --parent start --networks 8
prints "the policy that was asked for" 'simulated: proposed by widen, on the start network'
prints "as many as the budget has" '^search +7 grown networks of 3 epochs, about [0-9.]+[MG] FLOPs'
dry --policy manual --actions 'widen:conv1; deepen:conv1 ; ' --networks 8
prints "only those of --actions" '^search +2 grown networks'
dry --episodes 2 --episode-networks 3 --networks 100
prints "the budget that is spent first" '^search +6 grown networks'
dry --seconds 60
prints "a budget of time" '^search +no limit of networks or episodes; 1m00s'
[ ! -e state ]
report $? "no session is made"
says "a start for other classes" 1 "--start: the classifier SM.7. has 7 classes, the data has 2" \
    "$espalier" run --dry-run --data idx:set --validation 112 --start 'C(4,3,1) A(8,8) SM(7)'
