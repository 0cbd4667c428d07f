#!/bin/sh
# What a network knows of its data, and what people do with it afterwards: eval, predict and export without the images, or with
# others; PyTorch and ONNX Runtime, where Python has them.
. "$top_srcdir/tests/tap.sh"
plan 83

small='C(6,3,1) P(2,2) C(6,3,1) A(8,8) SM(3)'
if ! python3 "$top_srcdir/tests/pictures.py" pets 24 cat=200,60,40 dog=60,200,60 frog=50,80,200 ||
    "$espalier" morph "$small" widen:conv1 --data images@16:pets 2>&1 | grep -q 'built without'; then
    while [ "$number" -lt "$planned" ]; do skip "networks elsewhere" "no Python, or no libraries for pictures"; done
    exit 0
fi
python3 "$top_srcdir/tests/pictures.py" turned 8 dog=60,200,60 cat=200,60,40
python3 "$top_srcdir/tests/pictures.py" others 8 ant=50,80,200 cat=200,60,40 dog=60,200,60
python3 "$top_srcdir/tests/pictures.py" new 3 any=200,60,40
search() { # NAME [OPTION]…
    name=$1
    shift
    "$espalier" run $tournament --networks 2 --validation 12 --devices cpu:1 --headless --batch 8 --out "$name" "$@" >run.out 2>&1
}
accuracy() { # FILE: of the last eval
    sed -n 's/^\(test\|all\) .*accuracy \([0-9.]*\) %.*/\2/p' "$1"
}
search pets --data images@16:pets --start "$small" --start-epochs 25 --epochs 4 --average 0.9

# --- it is recorded, in the session and in every file of weights ---
"$espalier" show pets --events | head -n 1 >first
prints "a session has the names of its classes" '"class_names":\["cat","dog","frog"\]' first
prints "its normalisation" '"mean":\[[0-9.]+,[0-9.]+,[0-9.]+\],"deviation":\[[0-9.]+,[0-9.]+,[0-9.]+\]' first
prints "the layout, and whether it mirrors" '"layout":"NCHW RGB","mirrors":true' first
file=$(ls pets.esp/weights/n1-*.safetensors)
note() { # NAME PATTERN: a note of a file of weights
    head -c 3000 "$file" | grep -a -o '__metadata__[^}]*' >notes
    prints "its weights have $1" "$2" notes
}
note "the classes" '"classes":"cat\\ndog\\nfrog"'
note "mean and deviation" '"mean":"[0-9.]+,[0-9.]+,[0-9.]+","deviation":"[0-9.]+,[0-9.]+,[0-9.]+"'
note "the layout" '"layout":"NCHW RGB"'
note "the data and their checksum" '"data":"images@16:.*pets","checksum":"[0-9a-f]{32}"'
note "which images trained them" '"split":"validation 12, train-subset 0, seed 1, images [0-9a-f]{32}"'

# --- classes are matched by name ---
ok "its own images" "$espalier" eval pets:start
own=$(accuracy "$work/out")
[ "${own%.*}" -ge 90 ]
report $? "are known ($own %)"
ok "images of two of its classes, in another order" "$espalier" eval pets:start --data images@16:turned
other=$(accuracy "$work/out")
[ "${other%.*}" -ge 90 ]
report $? "are known as well ($other %)"
prints "with its names and numbers" '^ +1 dog +[0-9]+ +[0-9]+ '
says "images of another class are refused" 1 "only here: ant; only in the network: frog" \
    "$espalier" eval pets:start --data images@16:others
says "also by a file of weights" 1 "only here: ant; only in the network: frog" "$espalier" eval "$file" --data images@16:others
says "training goes on with all classes only" 1 "only in the network: frog" \
    "$espalier" train pets:start --data images@16:turned --epochs 1 --out more.safetensors
ok "from scratch with any" "$espalier" train 'C(4,3,1) SM(3)' --data images@16:others --epochs 1 --out others.safetensors
cp -r pets renamed && mv renamed/frog renamed/a-frog
says "a class that was renamed" 1 "only here: a-frog; only in the network: frog" \
    "$espalier" eval pets:start --data images@16:renamed
mkdir parts && cp -r pets parts/train && cp -r pets parts/test
search parted --data images@16:parts --start "$small" --start-epochs 1 --epochs 1
mv parts/train/frog parts/train/fry && mv parts/test/frog parts/test/fry
ok "the very images are known by their checksum" "$espalier" eval parted:start
says "but don't go on with a search" 1 "class 2 of .* was called frog .* is now called fry; rename it" \
    "$espalier" resume parted --networks 3 --headless

# A file that went on on images in another order knows the order of its own outputs.
python3 "$top_srcdir/tests/pictures.py" zoo 8 frog=50,80,200 dog=60,200,60 cat=200,60,40
ok "training goes on on other images" "$espalier" train pets:start --data images@16:zoo --epochs 1 --rate 0.001 --batch 8 \
    --out zoo.safetensors
ok "and is evaluated on them" "$espalier" eval zoo.safetensors
zoo=$(accuracy "$work/out")
[ "${zoo%.*}" -ge 60 ]
report $? "by name ($zoo %)"

# --- digits are no clothes ---
black_and_white set
"$espalier" train 'C(4,3,1) A(8,8) SM(2)' --data idx:set --epochs 2 --out digits.safetensors >train.out 2>&1
ok "a set without names" "$espalier" eval digits.safetensors
says "matches none with names" 1 "only here: black, white; only in the network: 0, 1" sh -c '
    python3 "$1/tests/pictures.py" shades 8 black=0,0,0 white=200,200,200
    exec "$0" eval digits.safetensors --data grey-images@8:shades' "$espalier" "$top_srcdir"
ok "a picture is read in grey for it" "$espalier" predict digits.safetensors shades/white/000.png
prints "its classes are numbers" '^shades/white/000.png +[01] +[0-9.]+ %  [01] '
ok "morph hands the facts on" "$espalier" morph digits.safetensors widen:conv1 --out wider.safetensors
ok "so that the child exports" "$espalier" export wider.safetensors --out wider.onnx
cp digits.safetensors bare.safetensors
python3 - bare.safetensors <<'END'
import json, sys
content = open(sys.argv[1], "rb").read()
end = 8 + int.from_bytes(content[:8], "little")
header = json.loads(content[8:end])
header["__metadata__"] = {key: header["__metadata__"][key] for key in ("arch", "input")}
text = json.dumps(header).encode()
open(sys.argv[1], "wb").write(len(text).to_bytes(8, "little") + text + content[end:])
END
for command in export eval train 'predict new/any/000.png'; do
    # shellcheck disable=SC2086
    says "weights that don't name their images are not guessed at: $command" 1 \
        "bare.safetensors: doesn't say what images trained it; name them by --data" \
        "$espalier" ${command%% *} bare.safetensors ${command#${command%% *}}
done
ok "with their images" "$espalier" eval bare.safetensors --data idx:set
prints "what is assumed is said" "bare.safetensors: doesn't say how its classes are called .* by number, .* by idx:set" "$work/err"
prints "and they work" '^test .*accuracy 100\.00 %'
ok "they export as well" "$espalier" export bare.safetensors --data idx:set --out bare.onnx

# --- without the images ---
mkdir away
ok "a thin copy" "$espalier" copy --thin pets away/copy
mv pets set away/
session=away/copy.esp
ok "predict needs no images but those that it is given" "$espalier" predict "$session:start" new/any/*.png
prints "a line for each" '^new/any/002.png +cat +[0-9.]+ %  (dog|frog) [0-9.]+ %$'
"$espalier" predict "$session:start" away/pets/*/0*.png --format csv >all.csv
[ "$(wc -l <all.csv)" = 73 ]
report $? "a row for each as CSV"
prints "with a column for each class" '^picture,class,probability,cat,dog,frog$' all.csv
right=$(grep -c 'pets/\([a-z]*\)/.*,\1,0' all.csv)
[ "$right" -ge 60 ]
report $? "and the classes are right ($right of 72)"
ok "JSON" "$espalier" predict "$session:start" new/any/000.png --format json
python3 -c 'import json, sys
found = json.load(sys.stdin)
[one] = found["predictions"]
assert found["classes"] == ["cat", "dog", "frog"] and one["class"] == "cat" and abs(sum(one["probabilities"]) - 1) < 1e-6' <"$work/out"
report $? "has the same"
"$espalier" predict "$file" new/any/000.png >one.out
"$espalier" predict "$session:start" new/any/000.png | cmp -s - one.out
report $? "so has the file of weights"
printf 'no picture' >bad.png
mkfifo pipe.png
"$espalier" predict "$session:start" bad.png new/any/000.png pipe.png gone.png >"$work/out" 2>"$work/err"
[ $? = 1 ] && [ "$(wc -l <"$work/err")" = 3 ] && [ "$(wc -l <"$work/out")" = 2 ]
report $? "pictures that can't be read are told, and the others classified"
prints "a pipe is no picture" 'pipe.png: is no file' "$work/err"
says "no such format" 2 "--format xml: must be one of table.csv.json" "$espalier" predict pets:start bad.png --format xml
says "a network that takes no picture" 1 "has no weights" "$espalier" predict "$small" bad.png

ok "export to ONNX" "$espalier" export "$session:start" --out pets.onnx
prints "has the classes" 'cat' pets.onnx
for opset in 9 22; do
    ok "operator set $opset" "$espalier" export "$session:start" --out "set$opset.onnx" --opset $opset
done
says "no such set" 2 "--opset 8: must be" "$espalier" export "$session:start" --opset 8 --out x
says "no set of PyTorch" 2 "--opset is for --format onnx" "$espalier" export "$session:start" --opset 9 --format json --out x
ok "export to PyTorch" "$espalier" export "$session:start" --format pytorch --out pets.py
prints "says where the weights are" '^weights  pets.safetensors$'
python3 -m py_compile pets.py
report $? "it is Python"
prints "a person can read it" '^        x = F.relu\(self.conv2_bn\(x\)\)$' pets.py
! grep -aq raw.conv1 pets.safetensors && grep -aq raw.conv1 pets.esp/weights/n1-*
report $? "the average alone is exported"
cp pets.safetensors before.safetensors
ok "once more" "$espalier" export "$session:start" --format pytorch --out pets.py
cp zoo.safetensors zoo-kept.safetensors
says "other weights are not written over" 1 "zoo.safetensors: exists already, with other weights" \
    "$espalier" export "$session:start" --format pytorch --out zoo.py
ok "of the very file beside it" "$espalier" export pets.safetensors --format pytorch --out pets.py
cmp -s pets.safetensors before.safetensors && cmp -s zoo.safetensors zoo-kept.safetensors
report $? "which stays as it is"
ok "the weights beside it know their data" "$espalier" predict pets.safetensors new/any/000.png
ok "export to JSON" "$espalier" export "$session:start" --format json --out pets.json
python3 -c 'import json
found = json.load(open("pets.json"))
assert found["input"] == [3, 16, 16] and found["classes"] == ["cat", "dog", "frog"] and len(found["mean"]) == 3
assert [layer["name"] for layer in found["layers"]] == ["conv1", "pool1", "conv2", "average1", "classifier"]
assert found["layers"][2]["parts"][0] == {"operation": "convolution", "input": [6, 8, 8], "output": [6, 8, 8], "kernel": 3,
                                          "stride": 1, "padding": 1, "weights": "conv2"}
assert found["layers"][3]["output"] == [6, 1, 1]'
report $? "has the layers"
says "no such format either" 2 "--format caffe: must be one of onnx.pytorch.json" "$espalier" export pets:start --format caffe
says "an architecture alone has no input" 1 "an architecture alone has no input; name its images" \
    "$espalier" export "$small" --format json --out x
ok "with images it has" "$espalier" export 'C(4,3,1) SM(2)' --format json --data idx:away/set --out x.json

# A dense network has parts that a plain one hasn't.
"$espalier" train 'C(4,3,1) D(2,[4,4]) T(0.5) D(0,[4]) P(2,2) A(4,4) FC(8) SM(3)' --data images@16:away/pets --epochs 2 \
    --batch 8 --out dense.safetensors >train.out 2>&1
"$espalier" predict dense.safetensors away/pets/*/00*.png --format csv >dense.csv
"$espalier" export dense.safetensors --format pytorch --out thick.py >/dev/null
"$espalier" export dense.safetensors --out dense.onnx >/dev/null
# So has a network with blocks, gates and hard-swish.
"$espalier" train 'C(4,3,1) M(8,3,se,hs) R(5,3,se) S(6,3,2,hs) A(4,4) SM(3)' --data images@16:away/pets --epochs 2 \
    --batch 8 --out gated.safetensors >train.out 2>&1
"$espalier" predict gated.safetensors away/pets/*/00*.png --format csv >gated.csv
"$espalier" export gated.safetensors --format pytorch --out gates.py >/dev/null
"$espalier" export gated.safetensors --out gated9.onnx --opset 9 >/dev/null
elsewhere() { # NAME LIBRARY FORMAT FILE CSV
    if python3 -c "import numpy, $2" 2>/dev/null; then
        ok "$1" python3 "$top_srcdir/tests/elsewhere.py" "$3" "$4" "$5"
    else
        skip "$1" "Python has no $2"
    fi
}
elsewhere "PyTorch says the same" torch pytorch pets.py all.csv
elsewhere "and of a dense network" torch pytorch thick.py dense.csv
elsewhere "and of a gated one" torch pytorch gates.py gated.csv
elsewhere "ONNX Runtime says the same" onnxruntime onnx pets.onnx all.csv
elsewhere "in an old operator set" onnxruntime onnx set9.onnx all.csv
elsewhere "and in a new one" onnxruntime onnx set22.onnx all.csv
elsewhere "and of a dense network" onnxruntime onnx dense.onnx dense.csv
elsewhere "and of a gated one in an old set" onnxruntime onnx gated9.onnx gated.csv

# --- which numbers come again ---
mv away/pets .
ESPALIER_ISA=baseline search plain --data images@16:pets --start "$small" --start-epochs 1 --epochs 1
ok "show" "$espalier" show plain
prints "has the instruction set" '^computed  on the CPU with baseline instructions$'
ESPALIER_ISA=avx2 "$espalier" resume plain --networks 3 --headless >run.out 2>&1
if grep -q 'no such instruction set' run.out; then
    skip "and all, where there are several" "this machine has one"
else
    ok "where there are several" "$espalier" show plain
    prints "and all, where there are several" 'with baseline, then avx2 instructions: no one machine gives these numbers again$'
fi
