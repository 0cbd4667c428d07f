#!/bin/sh
# screenshots.sh - put the screens that tests/test_screen draws (tests/screens/) into README.md, between the marks.
# `make screenshots` runs it after writing the screens anew; with --check it only says whether README.md has them.
cd "$(dirname "$0")/.." || exit 99
fresh=$(mktemp)
awk '
    /^<!-- screen .* -->$/ {
        print
        file = "tests/screens/" $3 ".txt"
        print "```text"
        while ((getline line <file) > 0) print line
        print "```"
        skipping = 1
        next
    }
    /^<!-- end -->$/ {skipping = 0}
    !skipping {print}
' README.md >"$fresh"
status=0
if [ "$1" = --check ]; then cmp -s "$fresh" README.md || status=1; else cat "$fresh" >README.md; fi
rm -f "$fresh"
exit $status
