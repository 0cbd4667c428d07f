#!/bin/sh
# A session whose images have moved, and that goes on with other options.
. "$top_srcdir/tests/tap.sh"
. "$top_srcdir/tests/black_and_white.sh"
plan 18

small="--networks 3 --epochs 1 --start-epochs 1 --validation 64 --policy random --parent tournament --finish 0"
black_and_white pictures
ok "a search" sh -c "'$espalier' run $small --data idx:pictures --out s --headless --start 'C(4,3,1) A(2,2) SM(2)' >run.out"
mv pictures moved

fails() {
    text=$1
    shift
    "$@" >out 2>&1 && return 1
    tr '\n' ' ' <out | grep -qF -e "$text"
}
ok "the images are gone: it says so, and what to do" \
    fails "its images are not at $PWD/pictures any more; if they have moved, name them: espalier resume $PWD/s.esp --data idx:DIR" \
    "$espalier" resume "$PWD/s.esp" --networks 4 --headless
cp -r moved others
printf '\001' | dd of=others/train-images-idx3-ubyte bs=1 seek=20 conv=notrunc 2>/dev/null
ok "other images are refused" fails "are not those that the session began with" \
    "$espalier" resume s --data idx:others --networks 4 --headless
ok "the same images at another place, other limits and another policy" \
    "$espalier" resume s --data idx:moved --networks 5 --epochs 2 --limit-params 3000 --policy reinforce --headless
"$espalier" show s >shown
ok "show says what changed" grep -qF "changed   data=idx:$PWD/moved, policy=reinforce, limit-params=3000" shown
ok "show says where the images are" grep -q "^data  *idx:$PWD/moved:" shown
ok "the log has one event of it" sh -c "[ \"\$('$espalier' show s --events | grep -c '\"k\": *\"changed\"')\" = 1 ]"
"$espalier" resume s --networks 6 --headless >lines
ok "the next resume knows it all" sh -c "'$espalier' show s | grep -qF 'policy=reinforce'"
ok "no event when nothing changes" sh -c "[ \"\$('$espalier' show s --events | grep -c '\"k\": *\"changed\"')\" = 1 ]"
ok "networks train as many epochs as asked" \
    sh -c "'$espalier' show s --csv | awk -F, 'NR > 4 && \$9 != 2 {exit 1}'"
ok "a copy replays" sh -c "'$espalier' copy s c >/dev/null && '$espalier' fsck c"
ok "the seed can't change" fails "--seed: can't change in a session: all that is random follows from it; begin a new" \
    "$espalier" resume s --seed 2 --headless
ok "a limit below what it has is refused" fails "n1, from which networks grow:" \
    "$espalier" resume s --limit-params 10 --networks 9 --headless
ok "a policy that counts from the beginning is refused" fails "a session can't change to it" \
    "$espalier" resume s --policy manual --networks 9 --headless
ok "curves as a table" sh -c "'$espalier' export s --curves csv && '$espalier' show s --curves | cmp - s-curves.csv"
ok "curves for TensorBoard" sh -c "'$espalier' export s --curves tensorboard --out board && ls board/n1/events.out.tfevents.*"
ok "nothing is written over" fails "board: exists already; name another by --out" \
    "$espalier" export s --curves tensorboard --out board
ok "FLOPs as a person writes them" "$espalier" resume s --flops 600G --networks 6 --headless
