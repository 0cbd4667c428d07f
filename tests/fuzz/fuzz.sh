#!/bin/sh
# fuzz.sh TARGET...: run fuzz targets one after another, each for $FUZZ_SECONDS of processor time, and print a table.
#
# fuzz.log in the current folder gets a line for each target that came to its end: target, seconds, seed, mutations an hour of
# processor time, the slowest input, memory.  A target that has its line for this time and $FUZZ_SEED, and was not built again
# since, is not run again, so an interrupted run goes on where it was; a whole one leaves its table in fuzz.table.  What a
# target printed is in NAME.fuzz.log, an input that failed in NAME.crash.
seconds=${FUZZ_SECONDS:-60} seed=${FUZZ_SEED:-1} failed=0
export FUZZ_SECONDS="$seconds" FUZZ_SEED="$seed"
for target; do
    name=${target##*/} found="^${target##*/} $seconds s, seed $seed:"
    if [ -z "$(find fuzz.log -newer "$target" 2>/dev/null)" ] || ! grep -q "$found" fuzz.log; then
        if ./"$target" >"$name.fuzz.log" 2>&1; then
            echo "$name $seconds s, seed $seed: $(sed -n 's/^# //p' "$name.fuzz.log" | paste -s -d';' | sed 's/;/; /g')" >>fuzz.log
        else
            echo "$name: failed; see $name.fuzz.log and $name.crash"
            failed=1
            continue
        fi
    fi
    grep "$found" fuzz.log | tail -n 1
done
[ $failed = 1 ] || mv fuzz.log fuzz.table
exit $failed
