#!/bin/sh
# A search with all its phases: what is printed at its end, what `best` is then, and how it goes on.
. "$top_srcdir/tests/tap.sh"
plan 28

black_and_white set
race="--parent race --finish 0.5 --start smallest --baseline yes --episode-networks 3 --epochs 1 --start-epochs 2 --limit-flops 30000"
run() { # SESSION [OPTION]…
    out=$1
    shift
    # shellcheck disable=SC2086
    "$espalier" run --data idx:set --validation 112 --devices cpu:1 --headless $race --out "$out" "$@"
}

ok "a search with all phases" run one --networks 7
prints "its start" '^start +1 network, [0-9.]+M FLOPs, .* of training; n1 [0-9.]+ %'
prints "its growth" '^growth +6 networks, [0-9.]+M FLOPs, .* of training; best n[2-7] [0-9.]+ %'
prints "its baseline" '^baseline +1 network, [0-9.]+M FLOPs, .* of training; n8 [0-9.]+ %'
prints "its finish" '^finish +1 network, [0-9.]+M FLOPs, .* of training; n9 [0-9.]+ %'
prints "the finished network, tested" '^finished +n9  test accuracy 100\.00 % on 512 images, validation accuracy 100\.00 %'
prints "whether it was worth it" '^ +the search (beat its baseline: n[1-7] .*, n8 |did not beat its baseline, n8, which)'
weights=$(sed -n 's/^weights  *//p' "$work/out")
[ -n "$weights" ] && [ -f "$weights" ]
report $? "where its weights are ($weights)"
prints "the line that exports it" '^next +espalier export one:n9 writes it as an ONNX file; espalier show one$'
line=$(sed -n 's/^next  *espalier \(export one:n9\) .*/\1/p' "$work/out")
# shellcheck disable=SC2086
ok "which works" "$espalier" $line
ok "the session says it again" "$espalier" show one
prints "in its summary" '^finished +n9  test accuracy 100\.00 %'
prints "in the tree" 'n9 .* finish of n[1-8]  best$'
prints "where controls have no action" 'n2 .* control of n1$'
prints "and a gain is over the control" 'n3 [0-9.]+ % [+-][0-9.]+ over n2 '
ok "the best network is the finished one" "$espalier" show one:best
prints "with its test" '^test accuracy 100\.00 %, loss [0-9.]+, on 512 images$'
ok "for every command" "$espalier" eval one:best
prints "which finds the same accuracy" '^test +error 0\.00 % '
ok "a budget of FLOPs" run four --flops 1e9 --target 0.01
! grep -q '^more ' "$work/out"
report $? "a larger budget is not advised where the target is reached"
ok "a budget of FLOPs, with patience" run two --flops 1e9 --patience 0
prints "which the next line makes larger" '^more +espalier resume two --flops [0-9.]+[MG] goes on$'
more=$(sed -n 's/^more  *espalier resume two \(.*\) goes on$/\1/p' "$work/out")
before=$("$espalier" show two --csv | wc -l)
# shellcheck disable=SC2086
ok "and does" "$espalier" resume two $more --headless
[ "$("$espalier" show two --csv | wc -l)" -gt "$before" ]
report $? "so that more networks grow"

mkdir half
cp set/train-* half
# shellcheck disable=SC2086
ok "a search without test images" "$espalier" run --data idx:half --validation 112 --devices cpu:1 --headless $race \
    --networks 4 --out three
prints "says so first" '^espalier: the finished network won.t be tested: .*half: t10k-images' err
prints "and finishes its network" '^finished +n[0-9]+  validation accuracy 100\.00 %'
