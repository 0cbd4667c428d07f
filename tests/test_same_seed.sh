#!/bin/sh
# Real training with one trainer: one seed gives one digest of what is recorded, another seed another.
. "$top_srcdir/tests/tap.sh"
plan 3
black_and_white set

# digest_of SEED NAME: run a small search, and print its session's digest
digest_of() {
    "$espalier" run $tournament --out "$2" --seed "$1" --data idx:set --devices cpu:1 --networks 6 --epochs 1 --start-epochs 1 \
        --validation 112 --headless >"$2.out" 2>&1 || return 1
    "$espalier" show "$2" | sed -n 's/^digest  *//p'
}

first=$(digest_of 5 first)
again=$(digest_of 5 again)
other=$(digest_of 6 other)
echo "$first" | grep -qE '^[0-9a-f]{32}$'
report $? "show prints a digest"
[ "$first" = "$again" ]
report $? "one seed, one digest ($first, $again)"
[ "$first" != "$other" ]
report $? "another seed, another digest ($other)"
