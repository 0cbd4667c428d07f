#!/bin/sh
# No CUDA kernel spills registers, on any GPU generation that it was compiled for.
. "$top_srcdir/tests/tap.sh"

plan 3
set -- "$top_builddir"/kernels/*.ptxas
if [ -f "$1" ]; then
    ok "no kernel spills registers" sh "$top_srcdir/kernels/resources.sh" "$@"
    kernels=$(grep -cE '^ +(EACH|ONE)\(' "$top_srcdir/kernels/kernels.h")
    each=$(grep -cE '^ +EACH\(' "$top_srcdir/kernels/kernels.h")
    expected=$((kernels + 2 * each))
    found=$(sed -n 's/^\([0-9]*\) kernels on.*/\1/p' "$work/out")
    [ "$found" = "$expected" ]
    report $? "all $expected kernels of kernels.h were compiled"
    [ "$found" = "$expected" ] || echo "# found: $found"
    sed '0,/ 0 bytes spill stores/s// 8 bytes spill stores/' "$1" >spilling.ptxas
    ! sh "$top_srcdir/kernels/resources.sh" spilling.ptxas >spilling && grep -q "^spilled:" spilling
    report $? "one that does would be noticed"
else
    skip "no kernel spills registers" "built without the GPU module"
    skip "all kernels were compiled" "built without the GPU module"
    skip "one that does would be noticed" "built without the GPU module"
fi
