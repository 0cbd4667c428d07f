# tap.sh - TAP for shell tests, read by them: `plan N`, then N times `ok`, `prints`, `says`, `report` or `skip`. Works in a
# folder of its own ($work, removed at the end), where no session or preset of the person's is seen.

espalier=$top_builddir/espalier
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 99
XDG_STATE_HOME=$work/state
export XDG_STATE_HOME LC_ALL=C.UTF-8
unset ESPALIER_DATA ESPALIER_PRESETS ESPALIER_ISA
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

# black_and_white FOLDER: an IDX data set of 512 images of 8×8 pixels, in turn black (class 0) and white (class 1)
black_and_white() {
    mkdir "$1"
    { head -c 64 /dev/zero; head -c 64 /dev/zero | tr '\000' '\377'; } >images
    printf '\000\001' >labels
    for doubling in 1 2 3 4 5 6 7 8; do
        cat images images >more && mv more images
        cat labels labels >more && mv more labels
    done
    for part in train t10k; do
        { printf '\000\000\010\003\000\000\002\000\000\000\000\010\000\000\000\010'; cat images; } \
            >"$1/$part-images-idx3-ubyte"
        { printf '\000\000\010\001\000\000\002\000'; cat labels; } >"$1/$part-labels-idx1-ubyte"
    done
}
