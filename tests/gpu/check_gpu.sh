#!/bin/sh
# make check-gpu: checks and measures everything that needs a GPU, and writes a report, gpu-report.txt, into the current
# folder. The status is 0 when no part failed.
#   check_gpu.sh BUILD-FOLDER [--small]
# --small: generated images and few steps, to test this script itself. ESPALIER_CUDA_MODULE: the module to use instead of
# the build's. COMPUTE_SANITIZER: the path of NVIDIA's tool, or "no".
build=$(cd "$1" && pwd) source=$(cd "$(dirname "$0")/../.." && pwd) small=$2
espalier=$build/espalier report=$PWD/gpu-report.txt
export ESPALIER_CUDA_MODULE="${ESPALIER_CUDA_MODULE:-$build/espalier-cuda.so}" LC_ALL=C.UTF-8 top_builddir="$build"
export CMOCKA_MESSAGE_OUTPUT=TAP

. "$source/tests/black_and_white.sh"

if ! devices=$("$espalier" devices --devices cuda 2>&1); then
    echo "check-gpu: there is no GPU to check: $devices" >&2
    exit 1
fi
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
XDG_STATE_HOME=$work/state
export XDG_STATE_HOME
failed=

# say TEXT: print it and add it to the report
say() {
    echo "$*" | tee -a "$report"
}

# part NAME FUNCTION: its output goes into the report. Its status is 0, 77 when this machine can't do it, else it failed
part() {
    say
    say "== $1"
    "$2" >"$work/out" 2>&1
    status=$?
    sed 's/^/   /' "$work/out" | tee -a "$report"
    case $status in
    0) say "-- $1: ok" ;;
    77) say "-- $1: not done" ;;
    *) say "-- $1: FAILED (status $status)" && failed="$failed, $1" ;;
    esac
}

# --- the machine ---

machine() {
    "$espalier" --version
    git -C "$source" describe --always --dirty 2>/dev/null
    uname -srm
    "$espalier" devices --explain | grep -E '^(processor|memory|cuda| )'
    command -v nvidia-smi >/dev/null || return 0
    nvidia-smi --query-gpu=index,name,driver_version,pci.bus_id,memory.total,clocks.max.sm,power.limit --format=csv
    nvidia-smi | grep -o 'CUDA Version: [0-9.]*'
}

# --- numbers: operations against the reference, slope of the loss, exactness of growing ---

numbers() {
    "$build/tests/fakecuda/test_numbers" >"$work/tap" 2>&1
    status=$?
    grep -c '^ok' "$work/tap" | sed 's/$/ of its tests passed/'
    grep -vE '^(ok|1\.\.)' "$work/tap" | head -n 60
    return $status
}

# --- searches ---

# run DEVICES OPTIONS…: a search without screens; its output is in $work/search
run() {
    devices=$1
    shift
    rm -rf "$work/session.esp"
    # shellcheck disable=SC2086
    "$espalier" run --parent tournament --finish 0 --baseline no --steady no --average 0 --episode-networks 10 \
        $data --devices "$devices" --headless --out "$work/session" "$@" >"$work/search" 2>&1 ||
        { tail -n 5 "$work/search"; return 1; }
    ! grep -E '^[-0-9: ]*(lost|fail) ' "$work/search" # the processor would go on in its place
}

search() {
    run cuda --networks 6 --epochs 1 --start-epochs 1 || return 1
    grep -E '^best |networks? trained in' "$work/search" | tail -n 2
    grep -q ' 0 failed' "$work/search"
}

# accuracy_of DEVICES PRECISION SEED: print " NUMBER", the start network's accuracy in per cent
accuracy_of() {
    run "$1" --networks 1 --start-epochs $epochs --precision "$2" --seed "$3" >&2 || return 1
    value=$(sed -n 's/^best .*accuracy \([0-9.]*\) %.*/\1/p' "$work/search" | tail -n 1)
    printf ' %s' "$value"
    [ -n "$value" ] || { echo "no accuracy in:" && cat "$work/search"; } >&2
    [ -n "$value" ]
}

# The same seeds on the processor and on the GPU. The order of sums differs, and so do the results of a training. The mean
# difference may be three of its standard errors and half a point.
accuracy() {
    for device in cpu:1/f32 cuda:0x1/f32 cuda:0x1/bf16; do
        printf '%s' "$device"
        for seed in $seeds; do
            accuracy_of "${device%/*}" "${device#*/}" "$seed" || return 1
        done
        echo
    done >"$work/accuracies" || return 1
    awk '{
            n = NF - 1
            sum = differences = squares = 0
            for (i = 2; i <= NF; i++) {
                if (NR == 1) processor[i] = $i
                sum += $i
                differences += $i - processor[i]
                squares += ($i - processor[i]) ^ 2
            }
            printf "%-14s mean %6.2f %%, of seeds:", $1, sum / n
            for (i = 2; i <= NF; i++) printf " %s", $i
            print ""
            if (NR == 1) next
            variance = n > 1 ? (squares - differences ^ 2 / n) / (n - 1) / n : 0
            bound = 0.5 + 3 * sqrt(variance > 0 ? variance : 0)
            printf "%-14s differs by %.2f points, allowed are %.2f\n", "", differences / n, bound
            if (differences / n > bound || differences / n < -bound) bad = 1
        }
        END {exit bad || NR != 3}' "$work/accuracies"
}

# --- speed ---

speed() {
    # shellcheck disable=SC2086
    "$build/bench/gpu" $speed
}

pytorch() {
    "$source/bench/pytorch.py" --cuda 2>"$work/err" || { tail -n 1 "$work/err"; return 77; }
}

# --- NVIDIA's compute-sanitizer ---

sanitizer() {
    tool=${COMPUTE_SANITIZER:-$(command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer 2>/dev/null)}
    [ -x "$tool" ] || { echo "compute-sanitizer is not installed"; return 77; }
    for check in memcheck racecheck initcheck synccheck; do
        "$tool" --tool $check --error-exitcode 9 "$build/bench/gpu" -n TINY -b 16 -k 3 >"$work/sanitizer" 2>&1
        status=$?
        echo "$check: $(grep -oE 'ERROR SUMMARY.*|RACECHECK SUMMARY.*' "$work/sanitizer" | tail -n 1)"
        [ $status = 0 ] || { tail -n 40 "$work/sanitizer"; return $status; }
    done
}

: >"$report" || exit 1
if [ "$small" = --small ]; then
    black_and_white "$work/images"
    data="--data idx:$work/images --train-subset 64 --validation 32 --batch 16 --limit-flops 0"
    seeds="1 2" epochs=1 speed="-n TINY -b 8 -k 2"
else
    data="--data fashion-mnist --train-subset 20000"
    seeds="1 2 3 4" epochs=3 speed=""
fi
say "Espalier on a GPU: what was checked and measured, $(date -u '+%Y-%m-%d %H:%M UTC')${small:+ ($small)}"
part "machine" machine
part "numbers against the reference, gradients, exactness" numbers
part "a search of 6 networks" search
part "accuracy on the processor and on the GPU" accuracy
part "speed" speed
part "speed of PyTorch" pytorch
part "compute-sanitizer" sanitizer
say
if [ -n "$failed" ]; then say "failed: ${failed#, }"; else say "all that could be done here is ok"; fi
echo "check-gpu: the report is in $report" >&2
[ -z "$failed" ]
