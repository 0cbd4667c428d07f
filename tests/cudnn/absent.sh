#!/bin/sh
# Takes the place of the tests that need NVIDIA's headers and libraries, where configure didn't find them.
. "$top_srcdir/tests/tap.sh"

plan 2
skip "the host code of the CUDA backend on a fake of CUDA" "built without the CUDA toolkit"
skip "real cuDNN's plans for recorded searches" "built without the CUDA toolkit and cuDNN 9.8 or newer"
