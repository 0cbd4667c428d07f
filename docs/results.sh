#!/bin/sh
# results.sh - run the searches that results.md reports, and write its tables anew from them.
#
#   results.sh run FOLDER SPEC [POLICY…]   run or go on with the searches in FOLDER, one after the other
#   results.sh scratch FOLDER SESSION…     ten networks of each of these sessions of FOLDER against training from scratch
#   results.sh page FOLDER                 write into results.md what comes of FOLDER now
#
# SPEC is the data, as cifar10+:DIR.  The environment: ESPALIER, the program [espalier]; SEEDS [1 2 3]; JOBS may be had by
# starting several with different policies.  Everything may be stopped and started again.
#
# A block of results.md is the output of the command in the mark above it, run in FOLDER; there, $sessions are all
# sessions.
set -eu
ESPALIER=${ESPALIER:-espalier}
seeds=${SEEDS:-1 2 3}
# random-flops needs the session that it matches.
policies="random reinforce random-flops widen hillclimb"
page=$(cd "$(dirname "$0")" && pwd)/results.md

usage() {
    sed -n 's/^#   //p' "$0" >&2
    exit 2
}

start() { # POLICY SEED
    match=
    [ "$1" = random-flops ] && match="--match reinforce-$2"
    # shellcheck disable=SC2086
    "$ESPALIER" run --preset eas-small --data "$spec" --train-subset 10000 --epochs 10 --policy "$1" --seed "$2" \
        --devices cpu:1 --headless $match --out "$1-$2"
}

case ${1-} in
run)
    [ $# -ge 3 ] || usage
    mkdir -p "$2"
    cd "$2"
    spec=$3
    shift 3
    for seed in $seeds; do
        for policy in ${*:-$policies}; do
            if [ ! -d "$policy-$seed.esp" ]; then
                start "$policy" "$seed"
            elif "$ESPALIER" compare "$policy-$seed" | grep -q ' unfinished$'; then
                "$ESPALIER" resume "$policy-$seed" --headless
            fi
        done
    done
    ;;
scratch)
    [ $# -ge 3 ] || usage
    cd "$2"
    shift 2
    "$ESPALIER" compare --scratch --spread 10 --out scratch.csv "$@" | tee scratch.txt
    ;;
page)
    [ $# = 2 ] || usage
    cd "$2"
    sessions=
    for policy in $policies; do
        for seed in $seeds; do
            [ ! -d "$policy-$seed.esp" ] || sessions="$sessions $policy-$seed"
        done
    done
    fresh=$(mktemp)
    trap 'rm -f "$fresh"' EXIT
    skipping=
    while IFS= read -r line; do
        [ "$line" != '<!-- end -->' ] || skipping=
        [ -n "$skipping" ] || printf '%s\n' "$line"
        case $line in
        '<!-- results: '*' -->')
            command=${line#<!-- results: }
            printf '```text\n'
            espalier() { LC_ALL=C.UTF-8 "$ESPALIER" "$@"; }
            eval "${command% -->}"
            printf '```\n'
            skipping=yes
            ;;
        esac
    done <"$page" >"$fresh"
    cat "$fresh" >"$page"
    ;;
*) usage ;;
esac
