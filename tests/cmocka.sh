#!/bin/sh
# cmocka.sh PROGRAM - run a test program.  cmocka 1.1.5 says "not ok N # SKIP" of a skipped test, which readers of TAP
# count as a failure: here it becomes "ok N # SKIP".  The exit status is the program's.
exec 4>&1
status=$({ { "$@" 3>&- 4>&-; echo $? >&3; } | sed 's/^not ok \([0-9]* # SKIP\)/ok \1/' >&4; } 3>&1)
exit "$status"
