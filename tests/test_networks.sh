#!/bin/sh
# morph, train and eval, on a small data set made here: black images and white ones of 8×8 pixels.
. "$top_srcdir/tests/tap.sh"
plan 136

# fails NAME STATUS COMMAND…: the command ends with that status; what it prints is kept for prints()
fails() {
    name=$1 expected=$2
    shift 2
    "$@" >"$work/out" 2>"$work/err"
    status=$?
    [ $status = "$expected" ]
    report $? "$name (status $status)"
}

black_and_white set
small='C(4,3,1) P(2,2) C(4,3,1) A(4,4) FC(8) SM(2)'

# --- morph ---
ok "morph prints" "$espalier" morph "$small" widen:conv1 deepen:conv2:5 deepen:fc1 --input 1,8,8
prints "the child's notation" '^child +C\(8,3,1\) P\(2,2\) C\(4,3,1\) C\(4,5,1\) A\(4,4\) FC\(8\) FC\(8\) SM\(2\)$'
# 36 + 8, 144 + 8, 32 + 16, 16 + 2; and 72 + 16, 288 + 8, 400 + 8, 32 + 16, 64 + 16, 18
prints "both numbers of parameters" '^parameters +262 +938 '
prints "the widened layer" '^conv1 +C\(4,3,1\) +C\(8,3,1\) +W +8×8×8$'
prints "the new layer" '^conv3 +C\(4,5,1\) +D +4×4×4$'
ok "the function is kept" "$espalier" morph "$small" widen:conv1 deepen:conv2:5 widen:fc1 deepen:fc1 --input 1,8,8 --check
prints "and that is said" "the child computes its parent's function"
ok "with unequal shares" "$espalier" morph "$small" widen:conv1:40 widen:conv2:12 --split unequal --input 1,8,8 --check
ok "with copies" "$espalier" morph "$small" widen:conv1:40 widen:conv2:12 --split equal --input 1,8,8 --check
ok "on the images of a set" "$espalier" morph "$small" widen:conv1 deepen:conv1 --data idx:set --check
fails "noise changes the function" 1 "$espalier" morph "$small" widen:conv1 --split equal --noise 5 --input 1,8,8 --check
prints "and that is said too" "does not compute its parent's function"
ok "a larger kernel keeps the function" "$espalier" morph "$small" kernel:conv1:5 --input 1,8,8 --check
prints "says that it does" "the child computes its parent's function"
ok "a narrower layer changes it" "$espalier" morph "$small" narrow:conv1:3 --data idx:set --check
prints "and by how much" 'these actions change the function; accuracy before training [0-9.]+ %, of the parent'
prints "the layer is marked" '^conv1 +C\(4,3,1\) +C\(3,3,1\) +N '
ok "what was inserted is removed" "$espalier" morph "$small" deepen:conv1 remove:conv2 --input 1,8,8 --check
says "the first convolution stays" 1 'conv1 can.t be removed; it is the first convolution' "$espalier" morph "$small" remove:conv1
says "no such layer" 1 'conv9' "$espalier" morph "$small" widen:conv9
says "a network that does not fit" 1 'layer 4.*A\(4,4\)' "$espalier" morph "$small" widen:conv1 --input 1,4,4
says "no such split" 2 "--split halves: must be" "$espalier" morph "$small" widen:conv1 --split halves
says "no such widths" 2 "--widths wide: must be" "$espalier" morph "$small" widen:conv1 --widths wide
says "no such input" 2 "--input 1,8: must be" "$espalier" morph "$small" widen:conv1 --input 1,8
says "nothing to write" 2 "--out: .* has no weights" "$espalier" morph "$small" widen:conv1 --out child.safetensors

# --- train and eval ---
ok "train" "$espalier" train "$small" --data idx:set --epochs 3 --validation 112
prints "a line an epoch" '^epoch +3/3 +rate 0\.0+[0-9]* .*train .*validation +100\.00 %'
# No error in 512: Wilson's upper end is z²/(n + z²), z = 1.96
prints "the test error and its interval" '^test +error 0\.00 % \(95 % interval 0\.00 to 0\.74\), accuracy 100\.00 %'
ok "eval reads what train wrote" "$espalier" eval network.safetensors --data idx:set
prints "and finds the same error" '^test +error 0\.00 % \(95 % interval 0\.00 to 0\.74\), accuracy 100\.00 %.* 512 images'
prints "class by class" '^ +1 +256 +256 +100\.00 %$'
says "a file that train did not name itself is safe" 1 "network.safetensors: exists already" \
    "$espalier" train "$small" --data idx:set --epochs 1
sh -c 'exec "$0" train "$1" --data idx:set --epochs 100000 --out both.safetensors' "$espalier" "$small" >first.out 2>&1 &
first=$!
until grep -q '^epoch  *1/' first.out; do kill -0 $first 2>/dev/null || break; sleep 0.05; done
says "a second training of one file" 1 "both.safetensors: another process is writing it" \
    "$espalier" train "$small" --data idx:set --epochs 1 --out both.safetensors
kill -9 $first
wait $first 2>/dev/null
ok "which a killed one doesn't hold" "$espalier" train "$small" --data idx:set --epochs 1 --out both.safetensors
[ ! -e both.safetensors.lock ]
report $? "and nothing but its files is left"
ok "train goes on from a file" "$espalier" train network.safetensors --data idx:set --epochs 1 --out more.safetensors
prints "at the lower rate" '^plan +1 epoch, batch 64, rate 0\.02'
ok "morph grows a file" "$espalier" morph network.safetensors widen:conv2 deepen:conv1 --data idx:set --check \
    --out child.safetensors
ok "and the child" "$espalier" eval child.safetensors --data idx:set
prints "classifies as its parent" '^test +error 0\.00 %'
cp network.safetensors kept.safetensors
says "a training that diverges" 1 "diverged.*lower" \
    "$espalier" train network.safetensors --data idx:set --epochs 9 --rate 1e6 --out kept.safetensors
ok "leaves the file alone" cmp network.safetensors kept.safetensors
dense='C(4,3,1) D(2,[4,4]) T(0.5) A(4,4) SM(2)'
ok "a dense network trains" "$espalier" train "$dense" --data idx:set --epochs 1 --out dense.safetensors
loss=$(grep -o 'loss [0-9.]*' "$work/out")
ok "and with dropout in its layers" \
    "$espalier" train "$dense" --data idx:set --epochs 1 --drop-dense 0.2 --out dropped.safetensors
prints "as the plan says" 'dropout 0.2 in dense layers'
[ -n "$loss" ] && [ "$loss" != "$(grep -o 'loss [0-9.]*' "$work/out")" ]
report $? "otherwise"
says "other classes" 1 "has 2 classes, the network's classifier SM\(3\)" \
    "$espalier" train 'C(4,3,1) SM(3)' --data idx:set --out other.safetensors
says "no weights to evaluate" 1 "has no weights" "$espalier" eval "$small" --data idx:set
says "no validation images of a file" 1 "no validation images" \
    "$espalier" eval network.safetensors --data idx:set --validation
says "a folder that is not there" 1 "nowhere/x: can't be written" "$espalier" train "$small" --out nowhere/x

"$espalier" train "$small" --data idx:set --epochs 100000 --out stopped.safetensors >"$work/out" 2>&1 &
training=$!
until grep -q '^epoch  *1/' "$work/out"; do kill -0 $training 2>/dev/null || break; sleep 0.05; done
kill -INT $training
wait $training
status=$?
[ $status = 130 ]
report $? "Ctrl-C stops a training (status $status)"
prints "which says how far it came" '^stopped after [0-9]+ of 100000 epochs; weights: stopped.safetensors'
ok "and writes its weights" "$espalier" eval stopped.safetensors --data idx:set

# More lines than a pipe holds: the program is killed by the next one when nobody reads any more.  On few images, so that
# so many epochs are soon over.
black_and_white few 6
ok "a training that is never cut short" "$espalier" train "$small" --data idx:few --epochs 1500 --drop-fc 0.2 --out whole.safetensors
"$espalier" train "$small" --data idx:few --epochs 1500 --drop-fc 0.2 --out part.safetensors 2>/dev/null | sed 12q >"$work/out"
ok "one that is killed leaves what to go on from" [ -s part.safetensors.checkpoint ]
says "not for other settings" 1 "checkpoint: is of a training with other settings \(1500 epochs.*, not 1400 epochs" \
    "$espalier" train "$small" --data idx:few --epochs 1400 --drop-fc 0.2 --out part.safetensors --resume
ok "the same command goes on" \
    "$espalier" train "$small" --data idx:few --epochs 1500 --drop-fc 0.2 --out part.safetensors --resume
prints "after an epoch" '^ +goes on after epoch [1-9]'
ok "to the very file" cmp whole.safetensors part.safetensors
ok "and then there is nothing to go on from" [ ! -e part.safetensors.checkpoint ]
says "which it says" 1 "part.safetensors.checkpoint: is missing" \
    "$espalier" train "$small" --data idx:few --epochs 1500 --drop-fc 0.2 --out part.safetensors --resume
averaged() { # FILE [OPTION]…: a training of which the average of the weights is handed over
    "$espalier" train "$small" --data idx:few --epochs 1500 --steady 0.5 --average 0.9 --seed 3 --validation 32 --out "$@"
}
ok "one whose weights are averaged" averaged average.safetensors
prints "as the plan says" '^plan .*, steady 0\.5, average 0\.9, on '
averaged part.safetensors 2>/dev/null | sed 12q >"$work/out"
ok "keeps the average in its checkpoint, with its steps" grep -a '"average-steps":"[1-9]' part.safetensors.checkpoint
says "which goes on with the same decay" 1 "is of a training with other settings" \
    "$espalier" train "$small" --data idx:few --epochs 1500 --steady 0.5 --average 0.8 --seed 3 --validation 32 \
    --out part.safetensors --resume
ok "and does" averaged part.safetensors --resume
ok "to the very file again" cmp average.safetensors part.safetensors
ok "a steady rate" "$espalier" train "$small" --data idx:set --epochs 4 --steady 1 --out steady.safetensors
prints "never falls" '^epoch +4/4 +rate 0\.10000 '
prints "and has no average" '^plan .*, steady 1, on '
says "no such share" 2 "--steady 2: must be" "$espalier" train "$small" --data idx:set --steady 2
says "no such decay" 2 "--average 1: must be" "$espalier" train "$small" --data idx:set --average 1

# --- mixed images, and a teacher ---
mixed() { # FILE [OPTION]…: a training of mixed images by a teacher
    "$espalier" train "$small" --data idx:few --epochs 1500 --mixup 0.5 --teacher whole.safetensors --seed 4 --out "$@"
}
ok "images are mixed, and a teacher says what is right" mixed taught.safetensors
prints "as the plan says" '^plan .*, mixup 0\.5, on '
prints "which names the teacher" '^teacher +whole\.safetensors: 262 parameters, '
prints "and the student learns from it" '^test +error 0\.00 %'
mixed part.safetensors 2>/dev/null | sed 12q >"$work/out"
ok "such a training goes on" mixed part.safetensors --resume
ok "to the very file" cmp taught.safetensors part.safetensors
says "another teacher is another setting" 1 "part.safetensors.checkpoint: is missing|other settings" \
    "$espalier" train "$small" --data idx:few --epochs 1500 --mixup 0.5 --teacher average.safetensors --seed 4 \
    --out part.safetensors --resume
says "no such mixture" 2 "--mixup 2: must be" "$espalier" train "$small" --data idx:few --mixup 2
says "an architecture teaches nothing" 1 "--teacher: .*" "$espalier" train "$small" --data idx:few --teacher "$small" --out other.safetensors
says "a teacher of images that validate" 1 "--teacher whole.safetensors: --validation 32: it was trained on images that" \
    "$espalier" train "$small" --data idx:few --teacher whole.safetensors --validation 32 --out other.safetensors
ok "one that kept them out" "$espalier" train "$small" --data idx:few --teacher average.safetensors --validation 32 \
    --seed 3 --epochs 1 --out other.safetensors
rm other.safetensors

ok "a file says what it was trained on" "$espalier" eval whole.safetensors
prints "the same images" '^test .* 128 images$'

# --- networks of a session ---
"$espalier" run $tournament --data idx:set --start "$small" --networks 2 --epochs 1 --start-epochs 2 --validation 112 --devices cpu:1 \
    --out one --headless >run.out 2>&1
ok "export of a session's network" "$espalier" export one:start
prints "what goes in" '^input +image: N,1,8,8 float32, pixels from 0 to 255$'
prints "what comes out" '^output +probabilities: N,2 float32$'
prints "and where it is" "^file +one-n1.onnx, $(wc -c <one-n1.onnx) bytes$"
says "a file that is there" 1 "one-n1.onnx: exists already" "$espalier" export one:start
ok "of a file of weights" "$espalier" export whole.safetensors --out named.onnx
says "no weights to export" 1 "has no weights" "$espalier" export "$small" --data idx:set
says "no images are needed" 0 "--data idx:gone: is not read: one:start knows its classes and normalisation" \
    "$espalier" export one:start --data idx:gone --out known.onnx
ok "eval of a session's network" "$espalier" eval one:start --validation
seen=$(sed -n 's/^valid\..*accuracy \([0-9.]*\) %.*loss \([0-9.]*\) .*/\1 \2/p' "$work/out")
kept=$(sed -n 's/^ *the session has \([0-9.]*\) % accuracy, loss \([0-9.]*\)$/\1 \2/p' "$work/out")
[ -n "$seen" ] && [ "$seen" = "$kept" ]
report $? "scores what the session has ($seen and $kept)"
matrix() { # the accuracy that the matrix has: the sum of its diagonal of all
    awk -F, 'NR > 1 {right += $NR; for (i = 2; i <= NF; i++) all += $i} END {printf "%.2f\n", 100 * right / all}'
}
ok "its confusion matrix" "$espalier" eval one:start --validation --confusion --csv
[ "$(matrix <"$work/out")" = "${seen% *}" ] && [ "$(sed 1q "$work/out")" = class,0,1 ]
report $? "has the same accuracy"
ok "each image" "$espalier" eval one:start --validation --each --csv
[ "$(wc -l <"$work/out")" = 113 ] &&
    [ "$(awk -F, 'NR > 1 {right += $4; loss += $6} END {printf "%.2f %.4f", 100 * right / (NR - 1), loss / (NR - 1)}' "$work/out")" = "$seen" ]
report $? "has the same accuracy and loss"
ok "all of it" "$espalier" eval one:start --validation --each --json
python3 -c '
import json, sys
seen, document = sys.argv[1].split(), json.load(open(sys.argv[2]))
each, classes = document["each_image"], document["classes"]
assert "%.2f" % (100 * document["accuracy"]) == seen[0] and document["part"] == "validation"
assert sum(image["class"] == image["taken_for"] for image in each) == document["right"]
assert sum(sum(row["taken_for"]) for row in classes) == document["images"] == len(each) == 112
' "$seen" "$work/out"
report $? "agrees with itself"
ok "as tables" "$espalier" eval one:start --confusion --each
prints "with the matrix" '^class, taken for +0 +1$'
prints "and the images" '^ *511  1 '
says "one table in a file" 2 "exclude each other" "$espalier" eval one:start --csv --json
"$espalier" run $tournament --data idx:set --start one:best --start-epochs 0 --widths paper --networks 2 --epochs 1 --validation 112 \
    --devices cpu:1 --out two --headless >run.out 2>&1
"$espalier" eval one:start >all.out 2>&1
ok "eval on one core" "$espalier" eval one:start --device cpu:1
cmp -s out all.out
report $? "says what all cores say"
cp -r one.esp bad.esp
printf x | dd of="bad.esp/weights/$(ls one.esp/weights | head -n 1)" bs=1 seek=5000 conv=notrunc 2>dd.out
says "weights that rotted" 1 "bad.esp/weights/.* not the weights that the session recorded" "$espalier" eval bad:start
rm "bad.esp/weights/$(ls one.esp/weights | head -n 1)"
says "weights that went" 1 'bad.esp/weights/.* is not there; .* begin from the architecture: "C.4,3,1. ' "$espalier" eval bad:start
says "which a search would begin with" 1 "--start: .*bad.esp/weights/.* is not there" \
    "$espalier" run --data idx:set --start bad:start --validation 112 --out four --headless
[ ! -e four.esp ]
report $? "before it makes a session"
ok "nor does training from scratch need them" "$espalier" train bad:start --scratch --epochs 1 --out scratch.safetensors
best() { # SESSION NETWORK: its accuracy and loss on the validation images
    "$espalier" eval "$1:$2" --validation | sed -n 's/^valid\..*accuracy \([0-9.]*\) %.*loss \([0-9.]*\) .*/\1 \2/p'
}
first=$(best one best) second=$(best two start)
[ -n "$first" ] && [ "$first" = "$second" ]
report $? "a second stage starts with the weights of the first ($first and $second)"

# --- images that trained a network can't validate it ---
# With labels drawn at random nothing can be learned but by heart, so that a leak shows.
bytes() { # COUNT BELOW: numbers drawn by a fixed generator, as bytes
    # shellcheck disable=SC2059
    printf "$(awk -v count="$1" -v below="$2" 'BEGIN {
        for (x = 1; count--; x = x * 16807 % 2147483647)
            printf "\\%03o", int(x / 65536) % below }')"
}
cp -r set noise
{ head -c 16 set/train-images-idx3-ubyte; bytes 32768 256; } >noise/train-images-idx3-ubyte
{ head -c 8 set/train-labels-idx1-ubyte; bytes 512 2; } >noise/train-labels-idx1-ubyte
large='C(16,3,1) FC(64) SM(2)'
"$espalier" run --data idx:noise --start "$large" --networks 1 --start-epochs 60 --validation 200 --seed 5 --batch 16 \
    --devices cpu:1 --limit-flops 0 --out heart --headless >run.out 2>&1
more() { # NAME [OPTION]…: go on with the network that has learned by heart
    "$espalier" train --epochs 1 --rate 0.0001 --batch 16 --data idx:noise --out again.safetensors "$@"
}
heard() { # ACCURACY: on the validation images of the last training
    sed -n 's/^epoch .* validation *\([0-9.]*\) %.*/\1/p' "$work/out"
}
ok "a network that knows its images by heart" more heart:start --validation 200
prints "as it does" '^epoch .* train +(9|100)[0-9.]* %'
prints "validates on the images that its search kept out" '^data .* 200 for validation \(of the network.s own split, seed 5\)'
awk "BEGIN { exit !($(heard) < 70) }"
report $? "of which it knows nothing ($(heard) %)"
ok "on some of them" more heart:start --validation 100 --seed 9
awk "BEGIN { exit !($(heard) < 70) }"
report $? "too ($(heard) %)"
says "but not on more" 1 "heart:start: --validation 201: .* kept 200 out \(by seed 5\): use at most --validation 200" \
    more heart:start --validation 201
ok "from scratch on any number" more heart:start --validation 300 --scratch
ok "a file says what trained it" more heart:start --validation 150 --seed 2
cp again.safetensors kept.safetensors
ok "and validates alike" more kept.safetensors --validation 150
awk "BEGIN { exit !($(heard) < 70) }"
report $? "on nothing that it knows ($(heard) %)"
says "and not on more either" 1 "kept.safetensors: --validation 200: .* kept 150 out" more kept.safetensors --validation 200
ok "so does what morph makes of it" "$espalier" morph heart:start widen:fc1 --out grown.safetensors
says "with the number of the search" 1 "grown.safetensors: --validation 250: .* kept 200 out \(by seed 5\)" \
    more grown.safetensors --validation 250

says "a second stage that other images would judge" 1 "one.esp: its weights were trained on .* use its --seed 1 and .* 112" \
    "$espalier" run --data idx:set --start one:best --validation 112 --seed 2 --out three --headless
says "or more of them" 1 "one.esp: its weights were trained on" \
    "$espalier" run --data idx:set --start one:best --validation 113 --out three --headless
ok "and goes on with widths of its own" "$espalier" show two
prints "from there" '[WD] (conv|fc)[12] '
ok "morph grows it" "$espalier" morph one:start widen:conv1 deepen:conv2 --check
ok "train goes on from it" "$espalier" train one:best --epochs 1

# --- no images to test on ---
mkdir half
cp set/train-* half
fails "without test images" 1 "$espalier" train "$small" --data idx:half --epochs 1 --out half.safetensors
prints "which is said before" '^espalier: there will be no test error: half: t10k-images' err
ok "the weights are there" "$espalier" morph half.safetensors widen:conv1
