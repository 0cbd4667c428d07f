#!/bin/sh
# results.sh - run the searches that results.md reports, and write its tables anew from them.
#
#   results.sh run FOLDER SPEC [POLICY…]   run or go on with the searches in FOLDER, one after the other
#   results.sh scratch FOLDER SESSION…     five networks of each of these sessions of FOLDER against training from scratch
#   results.sh copies FOLDER SESSION NODE SPEC   that network grown with copies and with fresh units, at two rates
#   results.sh keep FOLDER                 copy the logs of its sessions, and what else the page reads, to searches/ here
#   results.sh page [FOLDER]               write into results.md what comes of FOLDER [searches/] now
#
# SPEC is the data, as cifar10+:DIR.  The environment: ESPALIER, the program [espalier]; SEEDS [1 2 3]; JOBS may be had by
# starting several with different policies.  Everything may be stopped and started again.
#
# A block of results.md is the output of the command in the mark above it, run in FOLDER; there, $sessions are all
# sessions.  What searches/ has are copies without weights, which the tables don't need.
set -eu
ESPALIER=${ESPALIER:-espalier}
seeds=${SEEDS:-1 2 3}
# random-flops needs the session that it matches.  random-stopping is random with rungs and termination,
# reinforce-tournament the controller with parents and steps as hillclimb's.
policies="random reinforce random-flops widen hillclimb reinforce-tournament random-stopping"
docs=$(cd "$(dirname "$0")" && pwd)
page=$docs/results.md

usage() {
    sed -n 's/^#   //p' "$0" >&2
    exit 2
}

start() { # POLICY SEED
    more= policy=${1%-stopping}
    policy=${policy%-tournament}
    # Steps from grown networks add up: they are small, and no network gets larger than half of those of random in the mean.
    steps="--wider 1 --deeper 1 --limit-flops 4000000 --episodes 0 --networks 151"
    case $1 in
    random-flops) more="--match reinforce-$2" ;;
    hillclimb) more=$steps ;;
    reinforce-tournament) more="--parent tournament $steps" ;;
    random-stopping) more="--rungs 5 --stop-hopeless 0.01" ;;
    esac
    # shellcheck disable=SC2086
    "$ESPALIER" run --preset eas-small --data "$spec" --train-subset 10000 --epochs 10 --split fresh --rate 0.1 \
        --policy "$policy" --seed "$2" --devices cpu:1 --headless $more --out "$1-$2"
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
    "$ESPALIER" compare --scratch --spread 5 --out scratch.csv "$@" | tee scratch.txt
    ;;
copies)
    [ $# = 5 ] || usage
    cd "$2"
    session=$3 spec=$5
    # The split of the search: its validation images have trained none of its networks.
    option() { "$ESPALIER" show "$session" --events | sed -n '1s/.*"'"$1"'=\([0-9]*\)".*/\1/p'; }
    validation=$(option validation) subset=$(option train-subset)
    actions=$("$ESPALIER" show "$session" --events |
        sed -n 's/.*"k":"node","node":'"$4"',.*"actions":\[\([^]]*\)\].*/\1/p' | tr -d '"' | tr , ' ')
    {
        printf '%-24s %10s %10s\n' "$session:n$4" "rate 0.02" "rate 0.1"
        while read -r split noise name; do
            # shellcheck disable=SC2086
            "$ESPALIER" morph "$session:start" $actions --split "$split" --noise "$noise" --out grown.safetensors >/dev/null
            scratch=
            [ "$name" != "from scratch" ] || scratch=--scratch
            printf '%-24s' "$name"
            for rate in 0.02 0.1; do
                # shellcheck disable=SC2086
                "$ESPALIER" train grown.safetensors --data "$spec" --epochs 10 --validation "$validation" \
                    --train-subset "$subset" --rate "$rate" --device cpu:1 $scratch --out trained.safetensors |
                    sed -n 's/^epoch 10.* validation *\([0-9.]*\) %.*/\1/p' | xargs printf ' %8s %%'
            done
            echo
        done <<-EOF
		equal 0.01 copies
		equal 1 copies, noise 1
		fresh 0.01 fresh units
		fresh 0 from scratch
		EOF
    } | tee copies.txt
    rm -f grown.safetensors trained.safetensors
    ;;
keep)
    [ $# = 2 ] || usage
    fresh=$(mktemp -d "$docs/searches.XXXXXX")
    for session in "$2"/*.esp; do
        "$ESPALIER" copy --thin --weights none "$session" "$fresh/${session##*/}"
        rm -rf "$fresh/${session##*/}"/[!e]* # the folders for weights, the lock
    done
    for table in "$2"/*.txt; do
        [ ! -f "$table" ] || cp "$table" "$fresh"
    done
    chmod 755 "$fresh"
    rm -rf "$docs/searches"
    mv "$fresh" "$docs/searches"
    ;;
page)
    [ $# -le 2 ] || usage
    cd "${2-$docs/searches}"
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
            stopping() { "$docs/stopping.py" "$@"; }
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
