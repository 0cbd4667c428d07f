#!/bin/sh
# The bundle for a machine with a GPU, and gpu-check in it, on a fake of CUDA (tests/fakecuda): every part runs, failures
# are reported, and the report is complete.
. "$top_srcdir/tests/tap.sh"

plan 13
ESPALIER_CUDA_MODULE=$top_builddir/tests/fakecuda/espalier-cuda.so COMPUTE_SANITIZER=no FAKE_CUDA_WORKSPACE=100000
export ESPALIER_CUDA_MODULE COMPUTE_SANITIZER FAKE_CUDA_WORKSPACE
ok "a bundle" "$top_srcdir/tests/gpu/bundle.sh" "$top_builddir" bundle --small
ok "it has programs, libraries, data and the processor's accuracies" \
    sh -c 'ls bundle/bin/espalier bundle/bin/espalier-cuda.so bundle/bin/test_numbers bundle/bin/gpu bundle/lib/libz.so* \
        bundle/lib/glibc/libc.so* bundle/data/train-images-idx3-ubyte bundle/commit &&
        [ "$(grep -cE "^[0-9.]+$" bundle/cpu-accuracies)" = 2 ] && [ "$(du -sm bundle | cut -f 1)" -lt 60 ]'
ok "and no debugging information" sh -c '! readelf -S bundle/bin/espalier | grep -q "\.debug_info"'
says "another folder is not overwritten" 1 "^gpu-bundle: state: it exists and is no bundle" \
    sh -c 'mkdir -p state && exec "$0" "$1" state --small' "$top_srcdir/tests/gpu/bundle.sh" "$top_builddir"
says "nor one that has only a file of that name" 1 "^gpu-bundle: state: it exists and is no bundle" \
    sh -c 'echo mine >state/commit && exec "$0" "$1" state --small' "$top_srcdir/tests/gpu/bundle.sh" "$top_builddir"

ok "on the fake: nothing fails" bundle/gpu-check result
parts=$(grep -cE '^-- .*: ok' result/report.txt)-$(grep -cE '^-- .*: not done' result/report.txt)
[ "$parts" = 7-2 ]
report $? "every part is done, but for those that need what is not here"
ok "it names the device, the nodes, the time of an operation, the speed" \
    sh -c 'grep -q "Fake GPU 1" result/report.txt && grep -qE "TINY: [0-9]+ nodes" result/report.txt &&
        grep -qE "1 update_" result/report.txt && ! grep -q "load_" result/report.txt && grep -qE "classifier +1× +1× +10 +[0-9.]+ +[0-9.]+" result/report.txt &&
        grep -qE "^ +TINY +[0-9]+ +[0-9]+$" result/report.txt && grep -q "batch 4, 2 trainers" result/report.txt'
ok "searches and accuracies" \
    sh -c 'grep -q "6 networks trained" result/report.txt && [ "$(grep -cE "differs by [-0-9.]+ points" result/report.txt)" = 2 ]'
ok "the search can be shown elsewhere" "$espalier" show result/search.esp

FAKE_CUDA_FAIL_AT=300 FAKE_CUDA_FAIL_STATUS=719 bundle/gpu-check lost convolutions numbers search >out.txt 2>&1
[ $? = 1 ]
report $? "a device that is lost: a failure"
ok "the report says where" grep -qE '^failed: convolutions numbers search$' lost/report.txt
FAKE_CUDA_DEVICES=0 bundle/gpu-check none machine >out.txt 2>&1
ok "no device: said, with the reason" grep -q 'there is no NVIDIA driver' none/report.txt
