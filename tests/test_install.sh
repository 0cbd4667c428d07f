#!/bin/sh
# `make install` into a folder of its own: what is in it, that it works, and that `make uninstall` leaves nothing.
. "$top_srcdir/tests/tap.sh"
plan 9

unset ESPALIER_GALLERY
stage=$work/stage
installer() { (unset MAKEFLAGS MFLAGS MAKELEVEL; make -s -C "$top_builddir" "$1" DESTDIR="$stage" prefix=/usr) >"$work/log" 2>&1; }

ok "make install" installer install
ok "the program runs" "$stage/usr/bin/espalier" version
prints "and says its version" '^espalier [0-9]'
"$espalier" help | sed -n 's/^  \([a-z]*\) .*/\1/p' >commands
missing=$(while read -r command; do
    [ -s "$stage/usr/share/man/man1/espalier-$command.1" ] || echo "# $command"
done <commands)
[ -z "$missing" ] && [ -s "$stage/usr/share/man/man5/espalier-session.5" ]
report $? "every command has its manual page"
[ -z "$missing" ] || echo "$missing"
[ "$(find "$stage" -name events.log | wc -l)" = 4 ]
report $? "the gallery is there"

for file in bash-completion/completions/espalier zsh/site-functions/_espalier fish/vendor_completions.d/espalier.fish; do
    "$espalier" --completion "$(echo "$file" | cut -d- -f1 | cut -d/ -f1)" | cmp - "$stage/usr/share/$file" || echo "$file"
done >differs 2>&1
[ ! -s differs ]
report $? "completion for bash, zsh and fish is there"

ok "make uninstall" installer uninstall
left=$(find "$stage" ! -type d | sed 's/^/# /')
[ -z "$left" ]
report $? "leaves no file"
[ -z "$left" ] || echo "$left"

# --- the tarball ---
# Its list has files, and folders with all that is in them; `check` is copied by a rule of its own.
if git -C "$top_srcdir" ls-files >tracked 2>/dev/null && [ -s tracked ]; then
    (unset MAKEFLAGS MFLAGS MAKELEVEL; make -s -C "$top_builddir" list-dist) >listed
    left_out=$(awk '
        NR == FNR {listed[$0]; next}
        {for (path = $0; path && !(path in listed); ) if (!sub("/[^/]*$", "", path)) path = ""}
        !path && !/^([.]ci\/.*|[.]gitignore|check)$/ {print "# " $0}' listed tracked)
    [ -s listed ] && [ -z "$left_out" ]
    report $? "the tarball has every file"
    [ -z "$left_out" ] || echo "$left_out"
else
    skip "the tarball has every file" "no git here"
fi
