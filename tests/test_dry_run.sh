#!/bin/sh
# run --dry-run: what it says of a search, and that it refuses what the search would.
. "$top_srcdir/tests/tap.sh"
plan 25

black_and_white set
start='C(4,3,1) P(2,2) A(4,4) FC(8) SM(2)'
dry() {
    ok "$*" "$espalier" run $tournament --dry-run --data idx:set --validation 112 --start "$start" --devices cpu:1 --epochs 3 "$@"
}
ok "the default policy" "$espalier" run $tournament --dry-run --data idx:set --validation 112 --devices cpu:1
prints "has learned to widen" '^  .*simulated: proposed by widen instead of reinforce, on parents drawn at random'
prints "a limit that it says" '^limit +20M FLOPs an image; --limit-flops sets another$'
prints "a start network of this data" '^start +C\(4,3,1\) .* SM\(2\)$'
dry --policy widen --parent start --networks 8
prints "the policy that was asked for" 'simulated: proposed by widen, on the start network'
prints "as many as the budget has" '^search +7 grown networks of 3 epochs, about [0-9.]+[MG] FLOPs'
dry --policy manual --actions 'widen:conv1; deepen:conv1 ; ' --networks 8
prints "only those of --actions" '^search +2 grown networks'
dry --episodes 2 --episode-networks 3 --networks 100
prints "the budget that is spent first" '^search +6 grown networks'
dry --seconds 60
prints "a budget of time" '^search +[0-9]+ grown networks .* about (59|1m0)'
dry --networks 8 --parent race --episode-networks 4 --finish 0.5 --baseline yes --limit-flops 100000
prints "the phases: growth" '^  growth +7 networks +about [0-9.]+[MG] FLOPs, about '
prints "a baseline" '^  baseline +1 network +about [0-9.]+[MG] FLOPs, about '
prints "and a finish" '^  finish +[0-9]+ epochs +about [0-9.]+[MG] FLOPs, about '
prints "on the largest of the round" 'on the largest network of the round before'
# 400 images, 3 passes: 1e10 FLOPs, of which half are for 20 epochs, are 208k FLOPs an image.
dry --flops 1e10 --finish 0.5 --parent race --start auto
prints "a limit from a budget of FLOPs" '^limit +210k FLOPs an image, from the budget; --limit-flops sets another$'
prints "as much growth as it allows" '^search +[0-9]+ grown networks? of 3 epochs, about (9\.[5-9][0-9]*|10(\.[0-4])?)G FLOPs'
dry --seconds 60 --finish 0.5
prints "one from a budget of time" '^limit +[0-9.]+[kMG] FLOPs an image, from the budget'
[ ! -e state ]
report $? "no session is made"
says "a start for other classes" 1 "--start: the classifier SM.7. has 7 classes, the data has 2" \
    "$espalier" run --dry-run --data idx:set --validation 112 --start 'C(4,3,1) A(8,8) SM(7)'
