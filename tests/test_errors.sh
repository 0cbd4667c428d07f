#!/bin/sh
# Bad input and a bad environment: one line that says what to do, the right exit status, nothing lost.
. "$top_srcdir/tests/tap.sh"
plan 89

small="$tournament --networks 2 --epochs 1 --start-epochs 1 --train-subset 300 --validation 100 --devices cpu:1 --limit-flops 0 --headless"

# --- the command line ---
says "no such command" 2 "grwo is not a command" "$espalier" grwo
says "no such option" 2 "run: --speed is not an option" "$espalier" run --speed 3
says "an option without its value" 2 "run: --seed needs a value" "$espalier" run --seed
says "an unknown letter" 2 "run: -x is not an option" "$espalier" run -xh
says "the beginning of several options" 2 "run: --e begins several options" "$espalier" run --e 3
says "a flag with a value" 2 "--headless=2: this option takes no value" "$espalier" run --headless=2
says "help for no command" 2 "grwo is not a command" "$espalier" help grwo
says "a negative number of episodes" 2 "--episodes -1: must be a whole number" "$espalier" run --episodes -1
says "a number that is none" 2 "--networks many" "$espalier" run --networks many
says "no such policy" 2 "--policy oracle.*reinforce" "$espalier" run --policy oracle
says "no such preset" 2 "--preset nonesuch: there is no such preset; there are .*eas-small.*quick" "$espalier" run --preset nonesuch
says "an action that is none" 2 '--actions: "grow" is no action' \
    "$espalier" run --policy manual --actions 'widen:conv1; grow'
says "a theme that is none, also without a terminal" 2 "--theme pink: must be one of dark, light" "$espalier" run --theme pink
says "a replay without a terminal" 1 "replay needs a terminal .*espalier show x" "$espalier" replay x
says "a start that is no network" 2 "neither an architecture.*SESSION:NODE.*auto nor smallest" "$espalier" run --start one
says "one argument too few" 2 "resume: needs SESSION" "$espalier" resume
says "one argument too many" 2 "too many" "$espalier" fsck a b
says "CUDA asked for by name" 1 "cuda" "$espalier" run --devices cuda:0 --data fashion-mnist
says "a precision that is none" 2 "--precision f8: must be one of f32|bf16|auto" "$espalier" run --precision f8
says "a precision that the device can't do" 1 "cpu:0: this processor .* has no AVX512_BF16 instruction; use --precision f32" \
    env ESPALIER_ISA=baseline "$espalier" run --precision bf16
says "output that can't be written" 1 "standard output: can't be written" sh -c '"$0" help >/dev/full' "$espalier"
says "no such session" 1 "no-such-session" "$espalier" show no-such-session

says "an instruction set that is not here" 2 "ESPALIER_ISA=mmx.*baseline" env ESPALIER_ISA=mmx "$espalier" version

# --- the data ---
mkdir empty
says "a missing data set" 1 "empty" "$espalier" run --data idx:empty $small
says "a data set that is not known" 2 "imagenet" "$espalier" run --data imagenet $small

if [ -d "$fashion" ]; then
    mkdir cut
    zcat "$fashion/train-images-idx3-ubyte.gz" | head -c 100000 >cut/train-images-idx3-ubyte
    zcat "$fashion/train-labels-idx1-ubyte.gz" >cut/train-labels-idx1-ubyte
    says "a truncated IDX file" 1 "cut/train-images-idx3-ubyte.*100000|cut/train-images-idx3-ubyte: .*bytes" \
        "$espalier" run --data idx:cut $small
else
    skip "a truncated IDX file" "no Fashion-MNIST"
fi
mkdir odd
head -c 5000 /dev/zero >odd/data_batch_1.bin
says "a CIFAR file of a wrong size" 1 "odd/data_batch_1.bin.*3073" "$espalier" run --data cifar10:odd $small

if [ ! -d "$fashion" ]; then
    while [ "$number" -lt "$planned" ]; do skip "with a session" "no Fashion-MNIST"; done
    exit 0
fi

# --- the session ---
says "a name that names nothing" 1 'out: "x/..".*names no session' "$espalier" run --out x/.. $small
says "a name of two lines" 1 "control character .*.byte 2." "$espalier" run --out "a
b" $small
ok "a small search" "$espalier" run --out one $small
says "a session that exists already" 1 "one.esp: already exists" "$espalier" run --out one $small
ok "it can be shown" "$espalier" show one
ok "one of its networks" "$espalier" show one 2
prints "with the health of its layers" '^classifier +[0-9.]+ +[0-9.e-]+ *$'
ok "what its policy proposed" "$espalier" show one --policy
prints "by action and layer" '^% of proposals in +1 +gain networks$'
ok "what a policy proposed that collapsed" "$espalier" show "$top_srcdir/sessions/gallery/cifar10.esp" --policy
prints "which is said" '^collapsed in episode 61: entropy 0.07, it hardly chooses$'
ok "its networks by words" "$espalier" show one --filter 'n>1 layer:conv'
prints "are listed and counted" '^1 of 2 networks$'
says "words that can't be read" 2 "show: --filter: .foo>1. can't be read; there are acc, gain," "$espalier" show one --filter 'foo>1'
says "an unknown author" 2 "by:nobody. can't be read; there are you, policy, [a-z]*, start" "$espalier" show one --filter by:nobody
ok "from any folder" sh -c 'cd / && "$0" show one' "$(realpath "$espalier")"
ok "a name with a slash at its end" "$espalier" run --out "odd name.esp/" $small
grep -q "^next.* espalier show 'odd name'; " out
report $? "the next commands are quoted as the shell needs it"
"$espalier" run --out blind $small >&- 2>&- <&-
ok "standard streams that are closed don't harm the log" "$espalier" fsck blind
mkdir pictures
for half in train t10k; do
    printf '\000\000\010\003\000\000\001\220\000\000\000\020\000\000\000\020' >pictures/$half-images-idx3-ubyte
    head -c 102400 /dev/zero >>pictures/$half-images-idx3-ubyte
    printf '\000\000\010\001\000\000\001\220' >pictures/$half-labels-idx1-ubyte
    for i in $(seq 40); do printf '\000\001\002\003\004\005\006\007\010\011'; done >>pictures/$half-labels-idx1-ubyte
done
says "other images than the start network's" 1 "take images of 1,28,28, the data has 1,16,16" \
    "$espalier" run --out other --data idx:pictures $small --start one:best
ok "a search on images in a folder" "$espalier" run --out moved --data idx:pictures $small
mv pictures elsewhere
says "images that have moved" 1 "its images are not at .*pictures any more" "$espalier" resume moved --networks 3
ok "where they are now" "$espalier" resume moved --networks 3 --data idx:elsewhere
says "other images than the session's" 1 "moved.esp: the images .* not those" "$espalier" resume moved --data fashion-mnist

cp -a one.esp lost.esp
rm -r lost.esp/weights lost.esp/policy
says "weights that are lost" 1 'lost.esp: came without its weights: .* --start "C' "$espalier" resume lost --networks 9
ok "leave the session as it is" [ ! -e lost.esp/weights ]
mkdir lost.esp/weights
cp one.esp/weights/n1-* lost.esp/weights
: >"lost.esp/weights/$(ls lost.esp/weights)"
says "weights that are damaged end a search soon" 1 "20 networks in a row failed .*weights/n" "$espalier" resume lost --networks 9
says "they can't be repaired" 1 "" sh -c '"$0" fsck lost --repair; status=$?; echo >&2; exit $status' "$espalier"
rm -r lost.esp
cp -a one.esp lost.esp # that one has recorded that its weights are gone
mv lost.esp/weights away
ln -s ../away lost.esp/weights
for command in export predict eval train copy resume; do
    case $command in export) more="--out x.onnx" ;; predict) more=x.png ;; *) more= ;; esac
    case $command in copy) name="lost lost2" ;; resume) name="lost --networks 3" ;; *) name=lost:best ;; esac
    says "weights/ that is a link, in $command" 1 'lost.esp/weights: is not a folder .*; put the folder itself in its place' \
        "$espalier" $command $name $more
done
"$espalier" fsck lost >"$work/out"
prints "in fsck, once" 'weights: 0 missing, 1 wrong'
rm lost.esp/weights
mv away lost.esp/weights
ok "when they are back, the search goes on" "$espalier" resume lost --networks 3
says "two forms at once" 2 "--json and --csv exclude each other" "$espalier" show one --csv --json
says "a list that has no single network" 2 "--best prints the whole session: leave start out" "$espalier" show one:start --best 2
ok "a network as other commands name it" "$espalier" show one:best
says "a network where a search is meant" 2 "one:best: searches are compared, name SESSION" "$espalier" compare one:best
ok "a search at the end of its budget" "$espalier" resume one
prints "says how to go on" '^more +espalier resume one --networks 4 goes on to twice as much$'
prints "says why it did nothing" '^espalier: nothing was to be done: 2 networks are trained;' err
says "nothing to do in the background either" 0 "nothing was to be done: 2 networks are trained" \
    "$espalier" resume one --detach
says "a budget that is spent already" 1 "espalier: --networks 1: 2 networks are spent already" "$espalier" resume one --networks 1
"$espalier" run --out both $small --episodes 1 --episode-networks 1 >both.out 2>&1
prints "two budgets that bind are both advised" '^more +espalier resume both --episodes 2 --networks 4 goes' both.out
ok "which can be done" "$espalier" resume both --episodes 3 --networks 4
prints "and leads there" '^done +4 networks trained'
says "a form that has no single network" 2 "--csv prints the whole session: leave best out" "$espalier" show one best --csv
mkdir -p folder
says "a folder where weights should go, before it trains" 1 "folder: is a folder" "$espalier" train one:best --out folder
cp one.esp/weights/n1-*.safetensors plain-name
ok "weights in a file of any name" "$espalier" eval plain-name
says "a network that is not there" 1 "n77|77: no such network" "$espalier" show one 77

"$espalier" run --out busy $small --networks 0 --seconds 60 >busy.out 2>&1 &
search=$!
until "$espalier" show busy >/dev/null 2>&1; do sleep 0.05; done
says "a session in use" 1 "busy.esp.*$search" "$espalier" resume busy
ok "a session in use can be shown" "$espalier" show busy
kill -INT $search
wait $search
status=$?
[ $status = 130 ]
report $? "Ctrl-C ends with status 130 (it was $status)"
ok "a stopped search says how to go on" grep -q "espalier resume busy" busy.out

nohup "$espalier" run --out night $small --networks 0 >night.out 2>&1 &
search=$!
until "$espalier" show night >/dev/null 2>&1; do sleep 0.05; done
kill -HUP $search
"$espalier" resume night 2>night.err
grep -q "process $search" night.err && kill -TERM $search
wait $search
[ $? = 143 ]
report $? "nohup is respected"

"$espalier" run --out hour $small --networks 2 --seconds 3600 >/dev/null 2>&1
ok "a budget of networks beside one of seconds" sh -c '"$0" show hour --json | grep -q "\"networks=2\""' "$espalier"
"$espalier" run $tournament --out hours --train-subset 300 --validation 100 --epochs 1 --start-epochs 1 --devices cpu:1 --headless \
    --seconds 0.3 >/dev/null 2>&1
ok "a budget of seconds alone" sh -c '"$0" show hours --json | grep -q "\"networks=0\""' "$espalier"

# --- the disk ---
if [ "$(id -u)" = 0 ] && mkdir disk && mount -t tmpfs -o size=96k tmpfs disk 2>/dev/null; then
    says "a full disk" 1 "disk/full.esp.*[Nn]o space" "$espalier" run --out disk/full $small --networks 40
    cp -a disk/full.esp salvaged.esp
    umount disk
    ok "after a full disk, the session goes on elsewhere" "$espalier" resume salvaged --networks 8
else
    skip "a full disk" "needs root and tmpfs"
    skip "after a full disk, the session goes on elsewhere" "needs root and tmpfs"
fi
touch plain-file
says "a place where no folder can be made" 1 "plain-file" "$espalier" run --out plain-file/one $small
