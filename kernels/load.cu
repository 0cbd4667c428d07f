/*
 * load.cu - copies a batch of the data set, which lies on the device as bytes, to the network's input; one thread a
 * pixel.
 */
#include "kernels/device.cuh"

namespace
{

/* The pixel of the image that `at` shows; false: it lies beyond the image's edges. */
__device__ bool source_of(const kernel_load &k, int place, const pixel &at, int *y, int *x)
{
    *y = at.y;
    *x = at.x;
    if (k.augment) {
        const int8_t *augment = k.augment + (int64_t)3 * place; /* dx, dy, flip */
        *y = at.y + augment[1];
        *x = (augment[2] ? k.width - 1 - at.x : at.x) + augment[0];
    }
    return *y >= 0 && *y < k.height && *x >= 0 && *x < k.width;
}

template <typename T> __device__ void load(const kernel_load &k)
{
    const kernel_step &step = k.queue->steps[k.queue->next];
    if (blockIdx.x == 0 && threadIdx.x == 0)
        *k.step = step;
    const int plane = k.height * k.width, pixels = k.batch * plane;
    for (int i = (int)(blockIdx.x * KERNEL_THREADS + threadIdx.x); i < pixels; i += (int)gridDim.x * KERNEL_THREADS) {
        const pixel at(i, k.height, k.width);
        const bool counted = at.image < step.count;
        const int place = step.first + at.image;
        const int64_t image = counted ? k.index[place] : 0;
        int y, x;
        const bool shown = counted && source_of(k, place, at, &y, &x);
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

KERNEL_EACH(load, kernel_load)
