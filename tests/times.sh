#!/bin/sh
# times.sh [FOLDER] - what each test of this build folder took of the processor when it ran last, the longest first, then
# the sum.  Processes that a test left to themselves, as searches in the background, don't count.
cd "${1:-.}" || exit 1
find tests -name '*.log' -exec grep -H '^# processor time:' {} + | sort -t: -k3 -rn | awk -F: '
    {sub("[.]log$", "", $1); sub(" s$", "", $3); sum += $3; printf "%8.2f s  %s\n", $3, $1}
    END {printf "%8.2f s  in %d tests\n", sum, NR}'
