#!/bin/sh
# GPUs from the command line to the log, on fakes of CUDA and of NVML.
. "$top_srcdir/tests/tap.sh"

fakes=$top_builddir/tests/fakecuda
if [ ! -r "$fakes/espalier-cuda.so" ] || [ ! -r "$fakes/libnvidia-ml.so.1" ]; then
    plan 1
    skip "GPUs" "the fake of CUDA is built with the CUDA toolkit and cmocka only"
    exit 0
fi
plan 20
ESPALIER_CUDA_MODULE=$fakes/espalier-cuda.so
LD_LIBRARY_PATH=$fakes
FAKE_CUDA_MEMORY=5000000000
FAKE_NVML="0000:3f:00.0 94 11500 81559 61 402 1980;0000:40:00.0 - 500 4864 - - 300"
export ESPALIER_CUDA_MODULE LD_LIBRARY_PATH FAKE_CUDA_MEMORY FAKE_NVML

# shows NAME PATTERN COMMAND…: the command succeeds, and a line of its output matches
shows() {
    name=$1 pattern=$2
    shift 2
    ok "$name" sh -c '"$@" | tee shown | grep -qE -e "$0"' "$pattern" "$@"
}

# --- what there is ---
shows "a GPU with its address and UUID" '^cuda:1 .*Fake GPU 0, 0000:40:00.0, GPU-0{8}-' "$espalier" devices --devices cuda:1x1
shows "as many trainers as its memory suggests" '^cuda:0.1 .*0000:3f:00.0' "$espalier" devices --devices cuda:0
shows "not used unless it is named" 'cuda:0 .* only when --devices names it' "$espalier" devices
shows "explained" '^cuda:0 .* 0000:3f:00.0, GPU-.* compute capability 8.0, 4.7 GiB, bf16, 2 trainers' "$espalier" devices --explain
shows "its sensors" '^cuda sensors  read from NVML' "$espalier" devices --explain
shows "a part of a GPU" '^cuda:0 .*MIG 1g.5gb 1, .*MIG-0{8}-' env FAKE_CUDA_NAME="NVIDIA A100 MIG 1g.5gb" "$espalier" devices --devices cuda:MIG-00000000-0000-0000-0000-000000000001
shows "the variable that hides devices" '^cuda devices .* "1,0"' env CUDA_VISIBLE_DEVICES=1,0 "$espalier" devices --explain
says "no such GPU" 1 '"2" is no GPU; there are 2, from cuda:0 on' "$espalier" run --devices cuda:2 --data idx:nowhere
shows "a driver without its library" "^cuda sensors  NVML doesn't start" env -u FAKE_NVML "$espalier" devices --explain

# --- a larger batch, explained ---
black_and_white more 10
shows "a GPU trains larger batches faster" '^batch +64 images; .*: --batch 512 --rate 0\.8 --start-rate 0\.4, with rates' \
    "$espalier" run $tournament --dry-run --data idx:more --devices cuda:1x1 --networks 2 --rate 0.1 --start-rate 0.05 \
    --policy random --limit-flops 0 --start "C(4,3,2) A(4,4) SM(2)"
ok "its memory, with the workspaces that a trial reserves" grep -qE "5[23][0-9] MiB in training" shown
ok "nothing of it on a processor" sh -c '! "$@" | grep -q "^batch"' sh "$espalier" run $tournament --dry-run --data idx:more \
    --devices cpu:1 --networks 2 --policy random --limit-flops 0 --start "C(4,3,2) A(4,4) SM(2)"

# --- a search on a processor and two GPUs, one of them with two trainers ---
black_and_white data
options="$tournament --data idx:data --epochs 1 --start-epochs 1 --train-subset 64 --validation 32 --batch 32 --policy random
    --deeper 1 --headless"
ok "a search" "$espalier" run --out s.esp --devices cuda:0x2,1x1,cpu:1 --networks 5 $options --start "C(4,3,1) A(2,2) SM(2)"
"$espalier" show s.esp --json >state.json
shows "devices by their names" '"Fake GPU 1, 0000:3f:00.0, GPU-' cat state.json
shows "a reading" '"utilisation": *0.94' cat state.json
shows "of a board that has few" '"utilisation": *null' cat state.json
shows "results name their device" '"device": *"cuda:0"' cat state.json

ok "a search of modern networks" "$espalier" run --out m.esp --devices cuda:0x1 --networks 2 $options --space modern \
    --start "C(4,3,1) M(8,3) A(2,2) SM(2)"

# --- while the driver hangs, only the GPU has no readings ---
ok "a search while NVML hangs" env FAKE_NVML=hang "$espalier" run --out h.esp --devices cpu:1,cuda:0x1 --networks 2 $options \
    --start "C(4,3,1) A(2,2) SM(2)"
"$espalier" show h.esp --json >state.json
shows "the processor's readings are there" '"memory_total": *[1-9]' cat state.json
