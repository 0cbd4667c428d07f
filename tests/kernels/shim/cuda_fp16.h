/* In place of the toolkit's: the kernels include it by this name. */
#include "tests/kernels/cuda_shim.h"
