#!/bin/sh
# Bad input and a bad environment: one line that says what to do, the right exit status, nothing lost.
. "$top_srcdir/tests/tap.sh"
plan 26

small="--networks 2 --epochs 1 --start-epochs 1 --train-subset 300 --validation 100 --devices cpu:1 --headless"

# --- the command line ---
says "no such command" 2 "grwo is not a command" "$espalier" grwo
says "no such option" 2 "run: --speed is not an option" "$espalier" run --speed 3
says "an option without its value" 2 "run: --seed needs a value" "$espalier" run --seed
says "a negative number of episodes" 2 "--episodes -1: must be a whole number" "$espalier" run --episodes -1
says "a number that is none" 2 "--networks many" "$espalier" run --networks many
says "no such policy" 2 "--policy oracle.*reinforce" "$espalier" run --policy oracle
says "no such preset" 2 "nonesuch" "$espalier" run --preset nonesuch
says "one argument too few" 2 "resume: needs SESSION" "$espalier" resume
says "one argument too many" 2 "too many" "$espalier" fsck a b
says "CUDA asked for by name" 1 "cuda" "$espalier" run --devices cuda:0 --data fashion-mnist
says "no such session" 1 "no-such-session" "$espalier" show no-such-session

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
    while [ "$number" -lt 26 ]; do skip "with a session" "no Fashion-MNIST"; done
    exit 0
fi

# --- the session ---
ok "a small search" "$espalier" run --out one $small
says "a session that exists already" 1 "one.esp: is there already" "$espalier" run --out one $small
ok "it can be shown" "$espalier" show one
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

# --- the disk ---
if [ "$(id -u)" = 0 ] && mkdir disk && mount -t tmpfs -o size=96k tmpfs disk 2>/dev/null; then
    says "a full disk" 1 "disk/full.esp.*[Nn]o space" "$espalier" run --out disk/full $small --networks 40
    cp -a disk/full.esp salvaged.esp
    umount disk
    ok "after a full disk, the session goes on elsewhere" "$espalier" resume salvaged --networks 3
else
    skip "a full disk" "needs root and tmpfs"
    skip "after a full disk, the session goes on elsewhere" "needs root and tmpfs"
fi
touch plain-file
says "a place where no folder can be made" 1 "plain-file" "$espalier" run --out plain-file/one $small
