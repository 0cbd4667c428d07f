#!/bin/sh
# The script of make check-gpu, without a GPU and on a fake of CUDA (tests/fakecuda): every part runs, failures are
# reported, and the report is complete.
. "$top_srcdir/tests/tap.sh"

check_gpu=$top_srcdir/tests/gpu/check_gpu.sh

plan 8
ESPALIER_CUDA_MODULE=no says "without a GPU: one line, and a failure" 1 '^check-gpu: there is no GPU to check: .' \
    "$check_gpu" "$top_builddir"
[ ! -e gpu-report.txt ]
report $? "and no report"
ok "devices --explain says why" env ESPALIER_CUDA_MODULE=no "$espalier" devices --explain

ESPALIER_CUDA_MODULE=$top_builddir/tests/fakecuda/espalier-cuda.so COMPUTE_SANITIZER=no FAKE_CUDA_WORKSPACE=100000
export ESPALIER_CUDA_MODULE COMPUTE_SANITIZER FAKE_CUDA_WORKSPACE
ok "on the fake: nothing fails" "$check_gpu" "$top_builddir" --small
parts=$(grep -cE '^-- .*: ok$' gpu-report.txt)
[ "$parts" = 5 ] && [ "$(grep -cE '^-- .*: not done$' gpu-report.txt)" = 2 ]
report $? "five parts are done, and two need what is not here"
ok "the report names the device and what was measured" \
    sh -c 'grep -q "Fake GPU 1" gpu-report.txt && grep -qE "^ +TINY +[0-9]+ +[0-9]+$" gpu-report.txt &&
        grep -q "6 networks trained" gpu-report.txt && grep -qE "differs by [-0-9.]+ points" gpu-report.txt'

FAKE_CUDA_FAIL_AT=300 FAKE_CUDA_FAIL_STATUS=719 "$check_gpu" "$top_builddir" --small >out 2>&1
[ $? = 1 ]
report $? "a device that is lost: a failure"
ok "the report says where" grep -qE '^failed: numbers .*, a search .*, accuracy .*, speed$' gpu-report.txt
