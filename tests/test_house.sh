#!/bin/sh
# The laws of ARCHITECTURE.md that a compiler doesn't check: who may include whom, who may see which library, and what
# a file looks like.
. "$top_srcdir/tests/tap.sh"

cd "$top_srcdir" || exit 99

# lines of "room included-room file", without a room's own headers: a room is a folder below src/ (backend/NAME for a
# backend), or a top folder
includes() {
    grep -rE '^#include "' --include='*.[ch]' src sessions tui | awk -F'[:"]' '
        function room(path, part) {
            split(path, part, "/")
            if (part[1] != "src") return part[1]
            return part[2] == "backend" ? "backend/" part[3] : part[2]
        }
        $3 == "config.h" {next}
        {
            to = $3 ~ "^(sessions|tui)/" ? room($3) : room("src/" $3)
            if (room($1) != to) print room($1), to, $1
        }'
}

# may ROOM ROOMS…: it includes those only
may() {
    from=$1
    shift
    strangers=$(awk -v from="$from" -v rooms=" $* " \
        '$1 == from && !index(rooms, " " $2 " ") {print "# " $3 " includes " $2}' "$work/includes")
    [ -z "$strangers" ]
    report $? "$from includes ${*:-nothing} only"
    [ -z "$strangers" ] || echo "$strangers"
}

# only NAME PATTERN FOUND…: the files of the program that match are those
only() {
    name=$1 pattern=$2
    shift 2
    found=$(grep -rlE "$pattern" --include='*.[ch]' src sessions tui | sort | tr '\n' ' ')
    [ "$found" = "$* " ]
    report $? "only $* includes $name"
    [ "$found" = "$* " ] || echo "# found: $found"
}

# lines of "room rooms…" from the table of folders in ARCHITECTURE.md; src/cli may include everything
allowed() {
    awk -F' *[|] *' '
        /^## / {inside = $0 == "## The folders"}
        inside && $2 ~ "^`(src/.*|sessions/|tui/)`$" && $4 != "everything" {
            gsub("^`(src/)?|/`$", "", $2)
            gsub(",", "", $4)
            print $2, $4
        }' ARCHITECTURE.md
}

includes >"$work/includes"
allowed >"$work/allowed"
plan $(($(wc -l <"$work/allowed") + 14))
while read -r room rooms; do
    # shellcheck disable=SC2086
    may "$room" $rooms
done <"$work/allowed"

cut -d' ' -f1 "$work/allowed" >"$work/rooms"
unlisted=$(cut -d' ' -f1 "$work/includes" | sort -u | grep -vxF -e cli -f "$work/rooms" | sed 's/^/# /')
[ -z "$unlisted" ] && [ "$(wc -l <"$work/rooms")" -gt 10 ]
report $? "every folder with sources is in the table"
[ -z "$unlisted" ] || echo "$unlisted"

only "curses" '#include <(n?curses|ncursesw/|term\.h)' tui/terminal.c
only "FreeType" 'FT_FREETYPE_H' tui/screenshot.c
only "protobuf-c" '#include .*(protobuf-c|\.pb-c\.h)' src/export/onnx.c src/export/tensorboard.c
only "libpq" '#include <(libpq|postgres)' src/farm/db.c src/farm/db_address.c
only "msgpack" '#include <msgpack' sessions/event_msgpack.c

# --- the parts of src/search (a .c with its .h): each knows and calls only those below it ---

# lines of "part used-part"
part_includes() {
    grep -rE '^#include "search/' src/search | awk -F'[:"]' '
        function part(path) {sub(".*/", "", path); sub("[.][ch]$", "", path); return path}
        part($1) != part($3) {print part($1), part($3)}'
}
part_calls() {
    nm -A "$top_builddir/libsearch.a" | awk '
        {part = $1; sub(".*libsearch_a-", "", part); sub("[.]o:.*", "", part)}
        $(NF - 1) == "U" {calls[part " " $NF]}
        $(NF - 1) ~ /^[TDRBC]$/ {home[$NF] = part}
        END {
            for (call in calls) {
                split(call, word, " ")
                if (word[2] in home && home[word[2]] != word[1]) print word[1], home[word[2]]
            }
        }'
}
{ part_includes; part_calls; } | sort -u >"$work/parts"
tsort "$work/parts" >"$work/order" 2>"$work/circles"
[ $? = 0 ] && [ "$(wc -l <"$work/order")" -gt 15 ]
report $? "the parts of src/search form no circle"
sed 's/^/# /' "$work/circles"

# --- files ---
sources=$(find src sessions tui tests bench -name '*.[ch]' | sort)
# shellcheck disable=SC2086
silent=$(awk '
    FNR == 1 {name = FILENAME; sub(".*/", "", name); begins = /^\/\*/; says = 0}
    FNR <= 2 {says = says || index($0, " " name " - ")}
    FNR == 2 && !(begins && says) {print "# " FILENAME}' $sources)
[ -z "$silent" ]
report $? "every source begins with a comment that says its name and what it is"
[ -z "$silent" ] || echo "$silent"

# more_lines MOST FILE…: the files that have more, but for those that are being shortened
more_lines() {
    most=$1
    shift
    wc -l "$@" | awk -v most="$most" '
        $1 > most && $2 != "total" && $2 != "tui/app.c" && $2 != "src/search/commands.c" {print "# " $2 ": " $1 " lines"}'
}
# shellcheck disable=SC2046,SC2086
long=$(
    more_lines 500 $(find src sessions tui kernels -name '*.[ch]' -o -name '*.cu' -o -name '*.cuh')
    more_lines 600 $sources
)
[ -z "$long" ]
report $? "no source of the program is longer than 500 lines, and no other than 600"
[ -z "$long" ] || echo "$long"

exits=$(grep -rnE '\b_?exit\(' --include='*.c' src sessions tui | grep -vE '^src/cli/|^src/data/sandbox.c|\* |//' | sed 's/^/# /')
[ -z "$exits" ]
report $? "only src/cli ends the program, and sandbox.c its child"
[ -z "$exits" ] || echo "$exits"

# bug.c and memory.c abort, and need no memory for it; terminal.c switches modes of the terminal.
printers=$(grep -rnE '\b(vf?printf|v?dprintf|f?printf|fputw?[sc]|puts|putw?c|putchar|fwrite|perror)(_unlocked)?\(|\bwrite\((STD|[12],)' \
    --include='*.[ch]' src sessions tui | grep -vE '^(src/util/(print|bug|memory)[.]c|src/util/print[.]h|tui/terminal[.]c):' | sed 's/^/# /')
[ -z "$printers" ]
report $? "only src/util/print.c writes text, which may come from elsewhere, to the terminal"
[ -z "$printers" ] || echo "$printers"

# --- README.md, packages ---
pictures=$(sed -n 's/.*!\[.*\](\(.*\)).*/\1/p' README.md)
heavy=$(for picture in $pictures; do [ -s "$picture" ] && [ "$(wc -c <"$picture")" -lt 100000 ] || echo "# $picture"; done)
[ -n "$pictures" ] && [ -z "$heavy" ]
report $? "README.md's pictures are there, and small (make screenshots)"
[ -z "$heavy" ] || echo "$heavy"
missing=$(. build-aux/set-up
    for package in $build_packages; do
        case $package in gcc | libc6-dev | make | autoconf | automake) continue ;; esac # of Debian's build-essential and debhelper
        grep -q "^ $package," debian/control || echo "# debian/control lacks $package"
    done
    version=$(sed -n '1s/.*(\(.*\)).*/\1/p' debian/changelog)
    [ "$(sed -n '/^[0-9.]*$/{/./{p;q}}' NEWS)" = "$version" ] || echo "# debian/changelog begins with $version, NEWS with another"
    grep -q "^fallback=$version$" build-aux/version || echo "# build-aux/version falls back to another version than $version")
[ -z "$missing" ]
report $? "debian/ has the packages of build-aux/set-up and the version of NEWS"
[ -z "$missing" ] || echo "$missing"

ok "README.md shows the screens of tests/screens (make screenshots)" tests/screenshots.sh --check
