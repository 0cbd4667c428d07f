/* cuda_fp16.h - stands in for the toolkit's header of that name, which the kernels include. */
#include "tests/kernels/cuda_shim.h"
