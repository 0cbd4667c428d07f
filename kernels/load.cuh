/*
 * load.cuh - copies a batch of the data set, which lies on the device as bytes, to the network's input; one thread a
 * pixel.
 */
#ifndef ESPALIER_KERNELS_LOAD_CUH
#define ESPALIER_KERNELS_LOAD_CUH

#include "kernels/device.cuh"

namespace
{

/* The pixel of the image that `at` shows; false: it lies beyond the image's edges. */
__device__ inline bool source_of(const kernel_load &k, const int8_t *places, const pixel &at, int *y, int *x)
{
    *y = at.y;
    *x = at.x;
    if (k.augmented) {
        const int8_t *augment = places + 3 * at.image; /* dx, dy, flip */
        *y = at.y + augment[1];
        *x = (augment[2] ? k.width - 1 - at.x : at.x) + augment[0];
    }
    return *y >= 0 && *y < k.height && *x >= 0 && *x < k.width;
}

template <typename T> __device__ void load(const kernel_load &k)
{
    const kernel_step &step = *KERNEL_QUEUE_STEP(k.queue, k.batch, k.queue->next);
    const int32_t *index = reinterpret_cast<const int32_t *>(&step + 1);
    const int8_t *places = reinterpret_cast<const int8_t *>(index + k.batch);
    if (blockIdx.x == 0 && threadIdx.x == 0)
        *k.step = step;
    const int plane = k.height * k.width, pixels = k.batch * plane;
    for (int i = (int)(blockIdx.x * KERNEL_THREADS + threadIdx.x); i < pixels; i += (int)gridDim.x * KERNEL_THREADS) {
        const pixel at(i, k.height, k.width);
        const bool counted = at.image < step.count;
        const int64_t image = counted ? index[at.image] : 0;
        int y, x;
        const bool shown = counted && source_of(k, places, at, &y, &x);
        for (int first = 0; first < k.channels; first += 8) {
            octet values = zero_octet();
            for (int c = 0; c < 8; c++)
                if (shown && first + c < k.channels) {
                    const float value = k.pixels[(image * k.channels + first + c) * plane + y * k.width + x];
                    values.at[c] = value * k.normalise[first + c] + k.shift[first + c];
                }
            store_aligned(static_cast<T *>(k.x) + (int64_t)KERNEL_ROUND(k.channels) * i + first, values);
        }
        if (at.y == 0 && at.x == 0)
            k.batch_labels[at.image] = counted ? k.labels[image] : 0;
    }
}

} // namespace

#endif
