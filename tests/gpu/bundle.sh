#!/bin/sh
# make gpu-bundle: one folder for a machine with a GPU that has neither compiler nor headers: stripped programs with their
# libraries, the data, the accuracies of the processor, and gpu-check, which runs there.
#   bundle.sh BUILD-FOLDER OUT [--small]
# --small: generated images and few steps, to test these scripts. ESPALIER_CUDA_MODULE: a module in place of the build's.
set -e
build=$(cd "$1" && pwd) source=$(cd "$(dirname "$0")/../.." && pwd) out=$2 small=$3
module=${ESPALIER_CUDA_MODULE:-$build/espalier-cuda.so}
most=60 # MB
fashion=/usr/share/datasets/fashion-mnist
unset ESPALIER_DATA ESPALIER_PRESETS ESPALIER_ISA

fail() {
    echo "gpu-bundle: $*" >&2
    exit 1
}

[ -n "$out" ] || fail "usage: bundle.sh BUILD-FOLDER OUT [--small]"
for file in commit gpu-check settings; do
    [ ! -e "$out" ] || [ -f "$out/$file" ] || fail "$out: it exists and is no bundle; name another folder"
done
rm -rf "$out"
mkdir -p "$out/bin" "$out/lib/glibc" "$out/data"
out=$(cd "$out" && pwd)

# --- programs, and what they link: the C library apart, since the other machine's is used where it is new enough ---
cp "$build/espalier" "$build/tests/fakecuda/test_numbers" "$build/bench/gpu" "$out/bin"
cp "$module" "$out/bin/espalier-cuda.so"
strip "$out"/bin/*
for file in "$out"/bin/*; do
    ldd "$file"
done | sed -n 's/.* => \(\/.*\) (.*/\1/p; s/^[[:space:]]*\(\/.*ld-linux[^ ]*\) (.*/\1/p' | sort -u | while read -r library; do
    case $library in
    */libcudnn* | */libcublas* | */libcudart* | */libnvrtc*) ;; # too large: gpu-check looks for them
    */ld-linux* | */libc.so* | */libm.so* | */libdl.so* | */libpthread.so* | */librt.so*) cp -L "$library" "$out/lib/glibc" ;;
    *) cp -L "$library" "$out/lib" && strip --strip-unneeded "$out/lib/${library##*/}" ;;
    esac
done
cp "$source/tests/gpu/gpu-check" "$out"
cp "$source/bench/pytorch.py" "$out/bin"
terminfo=$(for folder in /lib/terminfo /usr/share/terminfo; do [ ! -e $folder/x/xterm-256color ] || echo $folder; done | head -n 1)
[ -z "$terminfo" ] || { mkdir -p "$out/terminfo/x" && cp -L "$terminfo/x/xterm-256color" "$out/terminfo/x"; }
tool=$(ls -d /usr/local/cuda/compute-sanitizer 2>/dev/null || true)
[ -z "$tool" ] || [ "$(du -sm "$tool" | cut -f 1)" -gt 20 ] || cp -r "$tool" "$out/compute-sanitizer"

# --- data ---
if [ "$small" = --small ]; then
    . "$source/tests/black_and_white.sh"
    rmdir "$out/data"
    black_and_white "$out/data"
    options="--train-subset 64 --validation 32 --batch 16 --limit-flops 0" seeds="1 2" epochs=1
else
    [ -r $fashion/train-images-idx3-ubyte.gz ] || fail "$fashion: not there; install dataset-fashion-mnist"
    cp $fashion/*.gz "$out/data"
    options="--train-subset 20000" seeds="1 2 3 4 5 6" epochs=3
fi
{
    echo "small='$small'"
    echo "options='$options --parent tournament --finish 0 --baseline no --steady no --average 0 --episode-networks 10'"
    echo "seeds='$seeds' epochs=$epochs"
} >"$out/settings"

# --- what the processor reaches with these seeds ---
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
XDG_STATE_HOME=$work/state LC_ALL=C.UTF-8
export XDG_STATE_HOME LC_ALL
. "$out/settings"
for seed in $seeds; do
    # shellcheck disable=SC2086
    ESPALIER_CUDA_MODULE=no "$build/espalier" run $options --data "idx:$out/data" --devices cpu:1 --networks 1 \
        --start-epochs "$epochs" --seed "$seed" --headless --out "$work/$seed.esp" >"$work/search" 2>&1 ||
        { tail -n 5 "$work/search" >&2; fail "seed $seed on the processor failed"; }
    sed -n 's/^best .*accuracy \([0-9.]*\) %.*/\1/p' "$work/search" | tail -n 1
done >"$out/cpu-accuracies"
[ "$(wc -l <"$out/cpu-accuracies")" = "$(echo "$seeds" | wc -w)" ] || fail "a search on the processor has no accuracy"

git -C "$source" describe --always --dirty --tags >"$out/commit" 2>/dev/null || "$build/espalier" --version >"$out/commit"
size=$(du -sk "$out" | cut -f 1)
[ "$size" -lt $((most * 1000)) ] || fail "$out has $size KiB, more than $most MB"
echo "gpu-bundle: $out has $((size / 1024)) MiB; on the other machine: $(basename "$out")/gpu-check REPORT-FOLDER" >&2
