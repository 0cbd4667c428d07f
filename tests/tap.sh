# tap.sh - TAP for shell tests, read by them: `plan N`, then N times `ok`, `prints`, `says`, `report` or `skip`. Works in a
# folder of its own ($work, removed at the end), where no session or preset of the person's is seen.

. "$top_srcdir/tests/black_and_white.sh"

espalier=$top_builddir/espalier
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 99
XDG_STATE_HOME=$work/state
export XDG_STATE_HOME LC_ALL=C.UTF-8
unset ESPALIER_DATA ESPALIER_PRESETS ESPALIER_ISA
# a search without rounds, baseline and finish, for tests that count networks
tournament="--start smallest --parent tournament --finish 0 --baseline no --steady no --average 0 --episode-networks 10"
number=0
fashion=/usr/share/datasets/fashion-mnist

plan() {
    planned=$1
    echo "1..$planned"
}

# report STATUS NAME: one line of TAP
report() {
    number=$((number + 1))
    if [ "$1" = 0 ]; then echo "ok $number - $2"; else echo "not ok $number - $2"; fi
}

# ok NAME COMMAND…: the command succeeds
ok() {
    name=$1
    shift
    if "$@" >"$work/out" 2>"$work/err"; then report 0 "$name"; else
        report 1 "$name"
        sed 's/^/# /' "$work/out" "$work/err" | tail -n 20
    fi
}

# prints NAME PATTERN [FILE]: the last command, or what FILE is kept of, wrote a line like this
prints() {
    grep -qE -e "$2" "${3-$work/out}"
    status=$?
    report $status "$1"
    [ $status = 0 ] || { echo "# expected: $2"; sed 's/^/# /' "${3-$work/out}" | tail -n 30; }
}

# says NAME STATUS PATTERN COMMAND…: the command ends with that status, and one line on stderr that matches
says() {
    name=$1 expected=$2 pattern=$3
    shift 3
    "$@" >"$work/out" 2>"$work/err"
    status=$?
    lines=$(wc -l <"$work/err")
    if [ "$status" = "$expected" ] && [ "$lines" = 1 ] && grep -qE -e "$pattern" "$work/err"; then
        report 0 "$name"
    else
        report 1 "$name"
        echo "# status $status (expected $expected), $lines lines on stderr, expected one like: $pattern"
        sed 's/^/# /' "$work/err" | tail -n 20
    fi
}

skip() {
    number=$((number + 1))
    echo "ok $number - $1 # SKIP $2"
}
