#!/bin/sh
# run.sh TEST - run a test, and end with what it took of the processor, for tests/times.sh: in the test itself and in the
# processes that it waited for.  cmocka 1.1.5 says "not ok N # SKIP" of a skipped test, which readers of TAP count as a
# failure: here it becomes "ok N # SKIP".  The exit status is the test's.
exec 4>&1
status=$({ { "$@" 3>&- 4>&-; echo $? >&3; times; } | awk '
    /^[0-9]+m[0-9.]+s [0-9]+m[0-9.]+s$/ {split($0, part, "[ms ]+"); time = 60 * (part[1] + part[3]) + part[2] + part[4]; next}
    /^not ok [0-9]+ # SKIP/ {sub("not ", "")}
    {print}
    END {printf "# processor time: %.2f s\n", time}' >&4; } 3>&1)
exit "$status"
