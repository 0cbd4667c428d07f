#!/bin/sh
# `make install` into a folder of its own: what is in it, that it works, and that `make uninstall` leaves nothing.
. "$top_srcdir/tests/tap.sh"
plan 14

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
[ "$(find "$stage" -name events.log | wc -l)" = 3 ]
report $? "the gallery is there"

# --- completion ---
bash_file=$stage/usr/share/bash-completion/completions/espalier
completes() { # WORD…: what bash offers for the last one
    bash -c '. "$0"; COMP_WORDS=(espalier "$@"); COMP_CWORD=$#; _espalier; printf "%s\n" "${COMPREPLY[@]}"' "$bash_file" "$@"
}
if command -v bash >/dev/null; then
    completes '' | sort >offered
    { cat commands; echo help; } | sort | diff - offered >/dev/null
    report $? "bash completes every command"
    all=0
    while read -r command; do
        "$espalier" "$command" --help | sed -n 's/^  \(--[a-z-]*\).*/\1/p' | sort -u >options
        completes "$command" -- | sort -u | diff options - >/dev/null || { all=1; echo "# $command"; }
    done <commands
    report $all "and every option of every command"
    [ "$(completes run --space p)" = plain ] && completes run --policy '' | grep -qx hillclimb
    report $? "and the words of a value"
    mkdir -p here.esp
    completes show h | grep -qx here
    report $? "and the sessions of this folder"
    mkdir '$(touch hacked).esp' '`touch hacked`.esp'
    completes show '' >offered
    [ ! -e hacked ] && grep -qxF '$(touch hacked)' offered
    report $? "whatever their names are"
else
    for name in commands options words sessions names; do skip "bash completes $name" "no bash"; done
fi
zsh_file=$stage/usr/share/zsh/site-functions/_espalier fish_file=$stage/usr/share/fish/vendor_completions.d/espalier.fish
if command -v zsh >/dev/null; then ok "zsh reads its file" zsh -n "$zsh_file"; else
    grep -q "'--space\['" "$zsh_file"
    report $? "zsh's file has the options (not tried: no zsh)"
fi
if command -v fish >/dev/null; then ok "fish reads its file" fish -n "$fish_file"; else
    grep -q -- '-l space -d' "$fish_file"
    report $? "fish's file has the options (not tried: no fish)"
fi

ok "make uninstall" installer uninstall
left=$(find "$stage" ! -type d | sed 's/^/# /')
[ -z "$left" ]
report $? "leaves no file"
[ -z "$left" ] || echo "$left"
