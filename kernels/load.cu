/* load.cu - the first step of a queue; update.cu loads those behind it. */
#include "kernels/load.cuh"

KERNEL_EACH(load, kernel_load)
