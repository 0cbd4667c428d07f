#!/bin/sh
# Every page is clean mdoc, and says every option that --help says; --help fits a terminal.
. "$top_srcdir/tests/tap.sh"

commands=$("$espalier" help | sed -n 's/^  \([a-z]*\) .*/\1/p')
plan $((2 * $(echo "$commands" | wc -w) + 5))

lint() {
    command -v mandoc >/dev/null || { skip "$1 is clean mdoc" "mandoc is not installed"; return; }
    ok "$1 is clean mdoc" mandoc -T lint -W warning "$top_srcdir/man/$1"
}

# Options that the page of the command does not name.
missing_options() {
    "$espalier" "$1" --help | sed -n 's/^  --\([a-z-]*\).*/\1/p' | while read -r option; do
        grep -q -e "Fl Fl $option\b" "$top_srcdir/man/espalier-$1.1" || echo "--$option"
    done
}

names_all() {
    missing=$(missing_options "$1")
    [ -z "$missing" ] || { echo "not in the page: $missing"; return 1; }
}

for command in $commands; do
    lint "espalier-$command.1"
    ok "espalier-$command.1 names every option" names_all "$command"
done
lint espalier.1
# man shows them with groff, which minds other things than mandoc does
if command -v groff >/dev/null; then
    for page in "$top_srcdir"/man/*; do groff -K utf8 -mandoc -T utf8 -z "$page"; done >"$work/groff" 2>&1
    [ ! -s "$work/groff" ]
    report $? "groff reads every page"
    sed 's/^/# /' "$work/groff"
else
    skip "groff reads every page" "groff is not installed"
fi

# The commands of a running search, as the table has them, against the page.
names_commands() {
    "$espalier" attach --help | sed -n '1,/^Commands/d; s/^  \([a-z][a-z]*\) .*/\1/p' >commands
    grep '^\.It Cm' "$top_srcdir/man/espalier-attach.1" | grep -o 'Cm [a-z]*' | cut -c4- | sort >named
    sort commands | diff - named
}
ok "espalier-attach.1 names every command and no other" names_commands

# The defaults of the search's options, as the table has them, against the page.
names_defaults() {
    "$espalier" run --help | sed -n '/^Options of the search/,/^Policies/p' |
        awk '/^  --/ {print line; line = $0; next} {line = line " " $0} END {print line}' |
        sed -n 's/^  --\([a-z-]*\) .*\[\([^] :]*\)\(: [^]]*\)*\] *\(Policies:.*\)*$/\1 \2/p' | sort >defaults
    awk '/^\.It Fl Fl/ {name = $4} /^The default is$/ {getline; print name, $2}' "$top_srcdir/man/espalier-run.1" |
        sort | diff defaults -
}
ok "espalier-run.1 names every default" names_defaults

fits() {
    for command in $commands; do
        "$espalier" "$command" --help | LC_ALL=C.UTF-8 grep -E '^.{81}' && return 1
    done
    return 0
}
ok "--help fits 80 columns" fits
