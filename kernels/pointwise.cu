/* pointwise.cu - dropout, copies into and out of slices, and the sum of two tensors. */
#include "kernels/device.cuh"

namespace
{

/* The hash of nn/dropout.h: tests/kernels compares the two. */
__device__ unsigned dropout_mix(unsigned word)
{
    word ^= word >> 16;
    word *= 0x85ebca6bu;
    word ^= word >> 13;
    word *= 0xc2b2ae35u;
    return word ^ word >> 16;
}

__device__ bool dropout_keeps(uint64_t key, unsigned element, int threshold)
{
    return (int)(dropout_mix(dropout_mix(element ^ (unsigned)key) ^ (unsigned)(key >> 32)) >> 8) >= threshold;
}

template <typename T> __device__ void dropout(const kernel_dropout &k)
{
    const thread_place place(k.channels);
    if (!place.active)
        return;
    const column<T> x(k.x, place.channel), y(k.y, place.channel);
    const uint64_t key = k.step->dropout_key + k.key;
    const int threshold = (int)(k.drop * (float)(1 << 24));
    const float scale = 1 / (1 - k.drop);
    const int rows = k.batch * k.positions, counted = k.step->count * k.positions;
    for (row_walk walk(place); walk.row < rows; walk.row += walk.step) {
        octet values = zero_octet();
        if (walk.row < counted) {
            values = x.load(walk.row);
            /* The value's number in the order [image][channel][position]. */
            const unsigned image = (unsigned)walk.row / (unsigned)k.positions;
            const unsigned position = (unsigned)walk.row - image * (unsigned)k.positions;
            for (int i = 0; i < 8; i++) {
                const unsigned channel = image * (unsigned)k.channels + (unsigned)(place.channel + i);
                const bool kept = dropout_keeps(key, channel * (unsigned)k.positions + position, threshold);
                values.at[i] = kept ? values.at[i] * scale : 0;
            }
        }
        y.store(walk.row, values);
    }
}

template <typename T> __device__ void copy(const kernel_copy &k)
{
    const thread_place place(k.channels);
    if (!place.active)
        return;
    const column<T> x(k.x, place.channel), y(k.y, place.channel);
    const int rows = k.batch * k.positions, counted = k.step->count * k.positions;
    for (row_walk walk(place); walk.row < rows; walk.row += walk.step) {
        y.put(walk.row, walk.row < counted ? x.load(walk.row) : zero_octet(), k.accumulate);
    }
}

template <typename T> __device__ void add(const kernel_add &k)
{
    const thread_place place(k.channels);
    if (!place.active)
        return;
    const column<T> x(k.x, place.channel), x2(k.x2, place.channel), y(k.y, place.channel);
    const int rows = k.batch * k.positions, counted = k.step->count * k.positions;
    for (row_walk walk(place); walk.row < rows; walk.row += walk.step) {
        octet sum = zero_octet();
        if (walk.row < counted) {
            sum = x.load(walk.row);
            add_octet(sum, x2.load(walk.row));
        }
        y.store(walk.row, sum);
    }
}

} // namespace

KERNEL_EACH(dropout, kernel_dropout)
KERNEL_EACH(copy, kernel_copy)
KERNEL_EACH(add, kernel_add)
