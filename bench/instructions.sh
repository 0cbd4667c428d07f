#!/bin/sh
# Counts the instructions of one training step with valgrind, and compares them with bench/instructions.txt.  The counts
# don't depend on the load of the machine, so a change of a few percent shows; they do depend on the compiler, which that
# file names.  Fails when a network takes 2 % more than is written there.
#
# Usage: instructions.sh PATH-TO-bench/train
set -eu
train=$1
table=$(dirname "$0")/instructions.txt

count() { # network, steps
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$train" -b -i "$isa" -n "$1" -k "$2" 2>&1 >/dev/null |
        sed -n 's/.*Collected : *//p'
}

status=0
while read -r isa network expected; do
    [ "$isa" != '#' ] || continue
    one=$(count "$network" 1)
    two=$(count "$network" 2)
    found=$((two - one))
    percent=$(awk "BEGIN { printf \"%+.1f\", 100 * ($found - $expected) / $expected }")
    echo "$isa $network $found ($percent %)"
    [ "$(awk "BEGIN { print ($found > 1.02 * $expected) }")" = 0 ] || status=1
done <"$table"
exit $status
