/*
 * cuda_shim.h - the part of CUDA's C++ that the kernels use, for an ordinary C++ compiler.  on_cpu.cc has the threads.
 */
#ifndef ESPALIER_TESTS_KERNELS_CUDA_SHIM_H
#define ESPALIER_TESTS_KERNELS_CUDA_SHIM_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tests/kernels/on_cpu.h"

#define __global__
#define __device__
#define __launch_bounds__(...)
#define __grid_constant__

/* The running block's: the same memory for all of its threads. */
#define SHARED(type, name, count) type *name = static_cast<type *>(shim_shared(__COUNTER__, sizeof(type) * (count)))
void *shim_shared(int which, size_t bytes);
void __syncthreads();

struct shim_index {
    unsigned x, y, z;
};
extern shim_index threadIdx, blockIdx, gridDim;

struct alignas(16) uint4 {
    unsigned x, y, z, w;
};
struct alignas(16) float4 {
    float x, y, z, w;
};

inline int min(int a, int b)
{
    return b < a ? b : a;
}

inline void __threadfence()
{
}
inline void __threadfence_system()
{
}
/* Blocks run one after the other. */
inline unsigned atomicInc(unsigned *address, unsigned most)
{
    const unsigned old = *address;
    *address = old >= most ? 0 : old + 1;
    return old;
}
template <typename T> T __ldcg(const T *from)
{
    return *from;
}

inline float __uint_as_float(unsigned bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

struct __nv_bfloat16 {
    uint16_t bits;
};
struct __half {
    uint16_t bits;
};

inline float __bfloat162float(__nv_bfloat16 value)
{
    return shim_from_bf16(value.bits);
}
inline __nv_bfloat16 __float2bfloat16_rn(float value)
{
    return {shim_to_bf16(value)};
}
inline unsigned short __bfloat16_as_ushort(__nv_bfloat16 value)
{
    return value.bits;
}
inline float __half2float(__half value)
{
    return shim_from_f16(value.bits);
}
inline __half __float2half_rn(float value)
{
    return {shim_to_f16(value)};
}
inline unsigned short __half_as_ushort(__half value)
{
    return value.bits;
}
inline __half __ushort_as_half(unsigned short bits)
{
    return {bits};
}

#endif
