#!/bin/sh
# How many networks an hour the search of ./start trains, on all cores.  Training, evaluation, growing and writing all
# count, and so does the start network.
#
# Usage: search.sh PATH-TO-espalier [NETWORKS]
set -eu
espalier=$1 networks=${2:-31}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
begin=$(date +%s.%N)
"$espalier" run --networks "$networks" --seed 1 --headless --out "$folder/search" >"$folder/lines" || {
    tail -n 3 "$folder/lines"
    exit 1
}
end=$(date +%s.%N)
grep -E '^(best|done) ' "$folder/lines"
awk "BEGIN { s = $end - $begin; printf \"%d networks in %.0f s: %.0f networks an hour\n\", $networks, s, 3600 * $networks / s }"
