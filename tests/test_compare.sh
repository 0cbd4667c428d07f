#!/bin/sh
# compare on the command line: searches of two seeds; grown networks against the same ones from scratch, kept in a file.
. "$top_srcdir/tests/tap.sh"
plan 31

black_and_white set
for seed in 1 2; do
    ok "a search with seed $seed" "$espalier" run $tournament --data idx:set --start 'C(4,3,1) P(2,2) A(4,4) FC(8) SM(2)' \
        --policy random --networks 4 --epochs 1 --start-epochs 2 --validation 112 --limit-flops 0 --devices cpu:1 \
        --headless --seed $seed --out "s$seed"
done
ok "side by side" "$espalier" compare s1 s2 --curves --plot
prints "a row a session" '^s2 +random +2 +3 +[0-9.]+ % +[0-9.]+ % '
prints "one group" '^A  random, seeds 1 2$'
prints "a table" '^ +3 +[0-9.]+ ± +[0-9.]+ 2'
prints "a plot" 'A$'
ok "as CSV" "$espalier" compare s1 s2 --csv
prints "a row a network" '^random,s2,2,4,[0-9.]+,3,[0-9.e+]+,'
says "not both" 2 "--csv and --json exclude" "$espalier" compare s1 --csv --json
says "no such network" 1 "no such network" "$espalier" compare s1:9 --scratch
# Nothing is printed, or trained, before all is known to be right.
refuses() {
    says "$@"
    [ ! -s "$work/out" ]
    report $? "$1: before anything is printed"
}
refuses "no such device" 1 "^espalier: --device gpu: \"gpu\" is no device" "$espalier" compare s1 --scratch --device gpu
refuses "a second session that is not there" 1 "s9: there is no such session" "$espalier" compare s1 s9 --scratch
refuses "an architecture" 1 "SM.2.: is not a session's" "$espalier" compare s1 'C(4,3,1) A(8,8) SM(2)' --scratch
says "an option of the other way" 2 "--curves is not for --scratch" "$espalier" compare s1 --scratch --curves
says "and the other way round" 2 "--best is for --scratch only" "$espalier" compare s1 --best 3
says "named and chosen" 2 "leave out which in s1:2" "$espalier" compare s1 s1:2 --scratch --spread 2

ok "from scratch" "$espalier" compare s1 s2:start --scratch --out results.csv
# The start network is its own lineage: the same epochs, and a gain of inheriting that is none but chance's.
prints "a network without ancestors gets its own epochs" '^s2.esp:n1 .* 2 +2 +[0-9.]+'
prints "a mean" '^2 networks, grown against from scratch: [+-][0-9.]+ points, standard error [0-9.]+, p [01]\.'
cp "$work/out" first
cp results.csv first.csv
ok "again" "$espalier" compare s1 s2:start --scratch --out results.csv
cmp -s "$work/out" first && cmp -s results.csv first.csv
report $? "prints the same, and trains nothing"
ok "by epochs, from the best to the worst" "$espalier" compare s1 --scratch --spread 2 --equal epochs --out results.csv
prints "as many epochs as the lineage" '^s1.esp:n[234] .* 3 +3 +[0-9.]+'
[ "$(wc -l <results.csv)" = 5 ]
report $? "the file holds both"
echo "weights" >other.csv
says "a file where none can be" 1 "^espalier: --out: nowhere/x.csv: can't be written" \
    "$espalier" compare s1 --scratch --out nowhere/x.csv
says "a precision that is none" 2 "--precision f8: must be one of f32|bf16|auto" "$espalier" compare s1 --scratch --precision f8
says "a file of something else" 1 "other.csv: holds no results" "$espalier" compare s1 --scratch --out other.csv
