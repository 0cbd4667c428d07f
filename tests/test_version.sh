#!/bin/sh
# The version comes from the tarball, else from the newest tag of git, else it is the one that is written down.
. "$top_srcdir/tests/tap.sh"
plan 5

mkdir -p tree/build-aux
cp "$top_srcdir/build-aux/version" tree/build-aux/
says() { [ "$(tree/build-aux/version)" = "$1" ] || { echo "it says $(tree/build-aux/version)"; return 1; }; }
ok "without git: the one that is written down" says 0.1.0
if command -v git >/dev/null; then
    inside() { git -C tree -c user.name=a -c user.email=a@b -c commit.gpgsign=false -c tag.gpgsign=false "$@" >/dev/null 2>&1; }
    inside init
    inside commit --allow-empty -m one
    ok "without a tag: likewise" says 0.1.0
    inside tag -a v1.2.0 -m 1.2.0
    ok "at a tag: the tag's" says 1.2.0
    inside commit --allow-empty -m two
    tree/build-aux/version | grep -q '^1\.2\.0+1\.g[0-9a-f]*$'
    report $? "after it: the tag's, and how many commits later"
else
    for name in untagged tagged later; do skip "$name" "no git"; done
fi
echo 3.0.0 >tree/.tarball-version
ok "in a tarball: the one that it was made with" says 3.0.0
