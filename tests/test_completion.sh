#!/bin/sh
# What bash, zsh and fish offer for commands, options, values, sessions and files, asked of the shells themselves. A shell that
# is not installed is left out: only bash is sure to be there.
. "$top_srcdir/tests/tap.sh"
shells="bash zsh fish"
plan 33

mkdir -p farm zsh here.esp "$XDG_STATE_HOME/espalier/there.esp" '$(touch hacked).esp' '`touch hacked`.esp'
touch film.cast
for shell in $shells; do "$espalier" --completion "$shell" >"file.$shell"; done
{ "$espalier" help | sed -n 's/^  \([a-z]*\) .*/\1/p'; echo help; } | sort >commands

# SHELL_offers WORD…: what the shell offers for the last word, a line each
bash_offers() {
    bash -c '. "$0"; COMP_WORDS=(espalier "$@"); COMP_CWORD=$#; _espalier; printf "%s\n" "${COMPREPLY[@]}"' "$work/file.bash" "$@"
}
# zsh completes on a terminal only. Its function compadd, which gets all matches, is wrapped; a line is completed as soon as
# it can be edited, and the shell ends.
cp file.zsh zsh/_espalier
cat >zsh/.zshrc <<'END'
fpath=($ZDOTDIR $fpath)
autoload -U compinit
compinit -C -d $ZDOTDIR/known
compadd() {
    local -a matches
    if [[ " ${@[1,(i)(-|--)]} " != *' -'[OAD]' '* ]]; then # it isn't asked to fill an array
        builtin compadd -O matches "$@"
        print -rl -- $matches >>$OFFERED
    fi
    builtin compadd "$@"
}
zle-line-init() {
    BUFFER=$LINE CURSOR=$#LINE
    zle list-choices
    exit
}
zle -N zle-line-init
END
zsh_offers() {
    : >offered.zsh
    TERM=vt100 ZDOTDIR=$work/zsh OFFERED=$work/offered.zsh LINE="espalier $*" script -qec 'zsh -d -i' typescript </dev/null >/dev/null
    sed '/^$/d; s/\\//g' offered.zsh
}
fish_offers() {
    HOME=$work fish --no-config -c 'source $argv[1]; complete -C $argv[2]' "$work/file.fish" "espalier $*" | cut -f1
}

# offers FILE WORD…: just the lines of FILE
offers() {
    file=$1
    shift
    "${shell}_offers" "$@" | sort -u | diff "$file" - >differs || { sed 's/^/# /' differs; return 1; }
}
# offers_also LINE WORD…: this line, perhaps with others
offers_also() {
    line=$1
    shift
    "${shell}_offers" "$@" >offered
    grep -qxF -e "$line" offered || { sed 's/^/# /' offered; return 1; }
}
offers_options() { # COMMAND…: their options, those that --help lists
    for command in "$@"; do
        "$espalier" "$command" --help | sed -n 's/^  \(--[a-z-]*\).*/\1/p' | sort -u >options
        offers options "$command" -- || { echo "# of $command"; return 1; }
    done
}

for shell in $shells; do
    if ! command -v "$shell" >/dev/null || { [ "$shell" = zsh ] && ! command -v script >/dev/null; }; then
        for name in commands options values "behind options" sessions "odd names" files nothing "verbs of a farm" "its options" "folders of farms"; do
            skip "$shell completes $name" "no $shell"
        done
        continue
    fi
    offers commands ''
    report $? "$shell completes every command"
    # of all commands where that takes little time; the tables are the same
    # shellcheck disable=SC2046
    case $shell in bash) offers_options $(grep -vx help commands) ;; *) offers_options run replay ;; esac
    report $? "and their options"
    echo plain >words
    offers words run --space p && offers_also hillclimb run --policy ''
    report $? "and the words of a value"
    printf '%s\n' --space --split >words
    offers_also --space run --headless --sp && offers words run --seed 3 --sp
    report $? "behind other options"
    offers_also here show h && offers_also there show t
    report $? "and the sessions of this folder and of the state folder"
    offers_also '$(touch hacked)' show '' && [ ! -e hacked ]
    report $? "whatever their names are"
    "${shell}_offers" run --networks '' | grep . >for_a_number
    offers_also film.cast replay here --cast '' && [ ! -s for_a_number ]
    report $? "and files where a value is one"
    "${shell}_offers" keys '' | grep -e film.cast -e here >offered
    [ ! -s offered ]
    report $? "and no sessions where a command takes none"
    printf '%s\n' drop init serve status >words
    offers words farm ''
    report $? "and the verbs of a farm"
    offers_options farm worker
    report $? "and options of farms and workers"
    { offers_also farm worker f || offers_also farm/ worker f; } && { offers_also farm farm status f || offers_also farm/ farm status f; } &&
        ! offers_also here farm status h >misplaced
    report $? "and folders where a farm is meant, no sessions"
done
