#!/bin/sh
# The recipes of ARCHITECTURE.md name files that exist, and names that those files have; so do the links and paths of the
# other pages.
#
# A recipe is a heading `### …` below `## Recipes`, and a list.  In an item of the list, quoted words with a slash or a dot
# are paths, where NAME stands for any name.  The other quoted words must be in one of these files, unless they begin
# with a dash or have a blank.
. "$top_srcdir/tests/tap.sh"

# items FILE: lines of "heading<TAB>item" from the section `## Recipes`, an item on one line
items() {
    awk '
        function flush() {if (item != "") print heading "\t" item; item = ""}
        /^## / {flush(); inside = $0 == "## Recipes"; next}
        !inside {next}
        /^### / {flush(); heading = substr($0, 5); next}
        /^\* / {flush(); item = substr($0, 3); next}
        /^ / {if (item != "") item = item " " $0; next}
        {flush()}
        END {flush()}' "$1"
}

# files PATH: the files that it stands for, in the current folder
files() {
    for file in $(printf '%s' "$1" | sed 's/NAME/*/g'); do
        [ ! -e "$file" ] || printf '%s\n' "$file"
    done
}

# faults FILE: a line for each path that stands for no file, and for each name that is in none of its item's files
faults() {
    items "$1" | while IFS="$(printf '\t')" read -r heading item; do
        printf '%s\n' "$item" | grep -o '`[^`]*`' | tr -d '`' >"$work/words"
        : >"$work/files"
        while IFS= read -r word; do
            case $word in
            -* | *' '*) ;;
            */* | *.*)
                found=$(files "$word")
                [ -n "$found" ] || echo "# $heading: $word is gone"
                printf '%s\n' "$found" >>"$work/files"
                ;;
            esac
        done <"$work/words"
        grep -vE '^-|/|\.| ' "$work/words" | while IFS= read -r name; do
            sed '/^$/d' "$work/files" | xargs grep -rqwF -e "$name" || echo "# $heading: $name is in none of the files: $item"
        done
    done
}

# missing FILE: a line for each link of the page, and each quoted path, that leads to no file.  Links are relative to the
# page's folder, quoted paths to the top folder.
missing() {
    grep -o '](\([^)#]*\)' "$1" | sed 's/^](//' | grep -v -e '^$' -e '^http' | while IFS= read -r path; do
        [ -e "$(dirname "$1")/$path" ] || echo "# $1: $path is gone"
    done
    grep -oE '`(src|tests|tui|sessions|kernels|bench|docs|man)/[^` *]*`' "$1" | tr -d '`' | grep -v NAME |
        while IFS= read -r path; do
            [ -e "$path" ] || echo "# $1: $path is gone"
        done
}

cd "$top_srcdir" || exit 99
plan 8
faults ARCHITECTURE.md >"$work/faults"
[ ! -s "$work/faults" ]
report $? "the files and names of the recipes exist"
cat "$work/faults"

items ARCHITECTURE.md | cut -f1 | sort -u >"$work/recipes"
for recipe in "A layer kind" "A part" "An operation" "A move" "A policy" "An option" "A subcommand" "A command" "A view" \
    "A key" "An event" "A data format" "A backend"; do
    grep -q "^$recipe" "$work/recipes" || echo "# there is no recipe: $recipe"
done >"$work/missing"
[ ! -s "$work/missing" ]
report $? "there is a recipe for each kind of extension"
cat "$work/missing"

items ARCHITECTURE.md | grep '^A layer kind' | grep -o '`[^`]*/[^`]*`' | sort -u >"$work/layer"
[ "$(wc -l <"$work/layer")" -gt 0 ] && [ "$(wc -l <"$work/layer")" -le 13 ]
report $? "a layer kind takes 13 files at most"

for page in README.md ARCHITECTURE.md CONTRIBUTING.md SECURITY.md docs/decisions.md docs/results.md; do
    missing "$page"
done >"$work/gone"
[ ! -s "$work/gone" ]
report $? "the links and paths of the pages exist"
cat "$work/gone"

# --- this test can fail ---
printf 'See [it](docs/nowhere.md#part), `src/nowhere/` and `src/arch/arch.c`.\n' >"$work/links.md"
[ "$(missing "$work/links.md" | grep -c 'is gone$')" = 2 ]
report $? "a link that leads nowhere is noticed, and a path"
printf '## Recipes\n\n### A thing\n\n* `src/arch/gone.c`, `src/nowhere/NAME.c`: gone.\n' >"$work/gone.md"
[ "$(faults "$work/gone.md" | grep -c 'is gone$')" = 2 ]
report $? "a file that is gone is noticed"
printf '## Recipes\n\n### A thing\n\n* `src/arch/arch.h`,\n  `src/arch/arch.c`: a row of `no_such_name`.\n' >"$work/name.md"
[ "$(faults "$work/name.md" | grep -c 'no_such_name is in none')" = 1 ]
report $? "a name that is gone is noticed"
printf '## Recipes\n\n### A thing\n\n* `src/policy/NAME.c`: its `policy_kind`.\n\n## Other\n\n* `gone.c`\n' >"$work/good.md"
[ -z "$(faults "$work/good.md")" ]
report $? "a placeholder stands for any name, and other sections are not read"
