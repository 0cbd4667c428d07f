#!/bin/sh
# Images that aren't square, and images of more channels than a picture has: searched, evaluated, predicted and exported; the
# exports say the same in PyTorch and ONNX Runtime, where Python has them.
. "$top_srcdir/tests/tap.sh"
plan 33

if ! python3 "$top_srcdir/tests/arrays.py" five.npz 12 20 5 3 60 0 24; then
    while [ "$number" -lt "$planned" ]; do skip "shapes" "no Python"; done
    exit 0
fi
search() { # NAME [OPTION]…
    session=$1
    shift
    "$espalier" run --networks 2 --devices cpu:1 --headless --batch 8 --out "$session" --finish 0 --baseline no \
        --limit-flops 250000 --start-epochs 8 --epochs 2 "$@"
}
loss() { # FILE: of the last eval
    sed -n 's/^test .*loss \([0-9.]*\) on.*/\1/p' "$1"
}
elsewhere() { # NAME LIBRARY FORMAT FILE ARRAYS LOSS
    if python3 -c "import numpy, $2" 2>/dev/null; then
        ok "$1" python3 "$top_srcdir/tests/elsewhere.py" "$3" "$4" "$5" "$6"
    else
        skip "$1" "Python has no $2"
    fi
}

# --- 5 channels of 12 rows and 20 columns ---
ok "a search on arrays" search five --data npz+:five.npz --validation 12
ok "its network" "$espalier" show five start
prints "covers the whole map" 'A\(3,2\)'
ok "eval" "$espalier" eval five:start --data npz:five.npz
accuracy=$(sed -n 's/^test .*accuracy \([0-9.]*\) %.*/\1/p' "$work/out")
[ "${accuracy%.*}" -ge 70 ]
report $? "knows the test images ($accuracy %)"
five=$(loss "$work/out")
"$espalier" show five --events | head -n 1 >first
prints "the session has a normalisation of five channels" '"mean":\[([0-9.]+,){4}[0-9.]+\],"deviation":\[([0-9.]+,){4}[0-9.]+\]' first
prints "and their layout" '"layout":"NCHW","mirrors":false' first
ok "a child by hand, and its function" "$espalier" morph five:start widen:conv1 deepen:conv1 --data npz:five.npz --check
ok "export to ONNX" "$espalier" export five:start --out five.onnx
ok "to PyTorch" "$espalier" export five:start --format pytorch --out five.py
prints "whose text has the shape" 'N x 5 x 12 x 20 \(NCHW\)' five.py
ok "to JSON" "$espalier" export five:start --format json --out five.json
python3 -c 'import json
found = json.load(open("five.json"))
assert found["input"] == [5, 12, 20] and len(found["mean"]) == 5'
report $? "with the shape"
elsewhere "ONNX Runtime says the same" onnxruntime onnx five.onnx five.npz "$five"
elsewhere "and PyTorch" torch pytorch five.py five.npz "$five"
printf 'x' >any.png
says "no picture has five channels" 1 "five:start: takes images of 5 channels, and pictures have 1 or 3; use espalier eval" \
    "$espalier" predict five:start any.png
python3 "$top_srcdir/tests/arrays.py" four.npz 12 20 4 3 60 0 24
says "other channels are refused" 1 "four.npz: images of 4,12,20 do not fit the network, which takes 5,12,20" \
    "$espalier" eval five:start --data npz:four.npz

# --- without the data ---
ok "a thin copy" "$espalier" copy --thin five thin
mkdir away && mv thin.esp away/ && mv five.npz away/
ok "is shown" "$espalier" show away/thin.esp
ok "exported" "$espalier" export away/thin.esp:start --out again.onnx
cmp -s again.onnx five.onnx
report $? "as the same network"

# --- validation images of the set's own ---
python3 "$top_srcdir/tests/arrays.py" parts.npz 8 8 1 2 40 16 8
ok "a set with validation images" search parts --data npz:parts.npz --validation 16
"$espalier" show parts --events | head -n 1 >first
prints "validates by them" '"train_images":40,"validation_images":16' first

# --- pictures ---
if ! python3 "$top_srcdir/tests/pictures.py" pets 24 cat=200,60,40 dog=60,200,60 ||
    "$espalier" train 'C(4,3,1) SM(2)' --data images:pets --epochs 1 --out x.safetensors 2>&1 | grep -q 'built without'; then
    while [ "$number" -lt "$planned" ]; do skip "pictures" "no libraries for them"; done
    exit 0
fi
ok "pictures of 24 columns and 10 rows" search pets --data images@24x10+:pets --validation 8 --space modern --limit-flops 700000
"$espalier" show pets --events | head -n 1 >first
prints "are this shape" '"input":"3,10,24"' first
ok "predict scales to it" "$espalier" predict pets:start pets/cat/00*.png --format csv
right=$(grep -c ',cat,' "$work/out")
[ "$right" -ge 9 ]
report $? "and is right ($right of 10)"
ok "eval" "$espalier" eval pets:start
says "another shape is refused" 1 "images of 3,24,10 do not fit the network, which takes 3,10,24" \
    "$espalier" eval pets:start --data images@10x24:pets
says "a shape in words" 2 "the size that images are scaled to is a square's side or WIDTHxHEIGHT" \
    "$espalier" eval pets:start --data images@wide:pets
says "too many channels" 2 "must be CHANNELS,HEIGHT,WIDTH, as 3,32,32, with 1 to 16 channels" \
    "$espalier" morph 'C(4,3,1) SM(2)' widen:conv1 --input 17,8,8
ok "sixteen" "$espalier" morph 'C(4,3,1) SM(2)' widen:conv1 --input 16,8,9 --check
says "no size of arrays" 2 "after npz: only .\+. may follow" "$espalier" eval pets:start --data npz@8:away/five.npz
