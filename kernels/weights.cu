/*
 * weights.cu - copies weights between the canonical layout and the device's.  It runs twice a trial, and is simple
 * rather than fast.
 */
#include "kernels/device.cuh"

namespace
{

__device__ int64_t thread_number()
{
    return (int64_t)blockIdx.x * KERNEL_THREADS + threadIdx.x;
}

__device__ int64_t thread_count()
{
    return (int64_t)gridDim.x * KERNEL_THREADS;
}

/* [output][position][input], rounded up, from [output][input][position]. */
template <typename T> __device__ void pack(const kernel_pack &k)
{
    const kernel_part part = k.parts[blockIdx.y];
    const int64_t size = (int64_t)part.stored_outputs * part.positions * part.stored_inputs;
    for (int64_t i = thread_number(); i < size; i += thread_count()) {
        const int64_t input = i % part.stored_inputs, line = i / part.stored_inputs;
        const int64_t position = line % part.positions, output = line / part.positions;
        float value = 0;
        if (input < part.inputs && output < part.outputs)
            value = k.canonical[part.canonical + (output * part.inputs + input) * part.positions + position];
        k.values[part.stored + i] = value;
        if (k.copies)
            static_cast<T *>(k.copies)[part.stored + i] = storage<T>::round(value);
    }
}

template <typename T> __device__ void unpack(const kernel_unpack &k)
{
    const kernel_part part = k.parts[blockIdx.y];
    const float unscale = k.loss_scale ? 1 / k.loss_scale->scale : 1;
    const int64_t size = (int64_t)part.outputs * part.inputs * part.positions;
    for (int64_t i = thread_number(); i < size; i += thread_count()) {
        const int64_t position = i % part.positions, line = i / part.positions;
        const int64_t input = line % part.inputs, output = line / part.inputs;
        const int64_t at = part.stored + (output * part.positions + position) * part.stored_inputs + input;
        k.canonical[part.canonical + i] = storage<T>::read(static_cast<const T *>(k.stored)[at]) * unscale;
    }
}

} // namespace

KERNEL_EACH(pack, kernel_pack)
KERNEL_EACH(unpack, kernel_unpack)
