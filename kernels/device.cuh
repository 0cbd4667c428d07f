/*
 * device.cuh - what all kernels share: octets of channels, the mapping of threads to a tensor, sums over a block,
 * pools.
 *
 * A thread works on one octet (8 neighbouring channels of one pixel): 16 bytes of bfloat16 or half, the widest load
 * there is.  Neighbouring threads take neighbouring octets, then the next pixel, so that a warp reads contiguous
 * memory. A thread keeps its channels, so that it reads their means and gammas once.
 *
 * a*b+c is compiled without contraction (-fmad=false).  So forward and backward agree on every ReLU, and tests/kernels,
 * which compiles these files for the CPU, computes the device's numbers.
 */
#ifndef ESPALIER_KERNELS_DEVICE_CUH
#define ESPALIER_KERNELS_DEVICE_CUH

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <stdint.h>

#include "kernels/kernels.h"

/* tests/kernels defines its own, whose memory is checked. */
#ifndef SHARED
#define SHARED(type, name, count) __shared__ type name[count]
#endif

/* KERNEL_EACH: the kernel NAME_SUFFIX of each storage type, from the template NAME; KERNEL_EACH_SHARED: with `floats`
   floats of shared memory. */
#define KERNEL(name, arguments, ...)                                                                                   \
    extern "C" __global__ void __launch_bounds__(KERNEL_THREADS, 2) name(const __grid_constant__ struct arguments k)   \
    {                                                                                                                  \
        __VA_ARGS__;                                                                                                   \
    }
#define KERNEL_EACH(name, arguments)                                                                                   \
    KERNEL(name##_f32, arguments, name<float>(k))                                                                      \
    KERNEL(name##_bf16, arguments, name<__nv_bfloat16>(k))                                                             \
    KERNEL(name##_f16, arguments, name<__half>(k))
#define KERNEL_EACH_SHARED(name, arguments, floats)                                                                    \
    KERNEL(name##_f32, arguments, SHARED(float, shared, floats); name<float>(k, shared))                               \
    KERNEL(name##_bf16, arguments, SHARED(float, shared, floats); name<__nv_bfloat16>(k, shared))                      \
    KERNEL(name##_f16, arguments, SHARED(float, shared, floats); name<__half>(k, shared))

namespace
{

/* --- values --- */

/* Eight neighbouring channels. */
struct octet {
    float at[8];
};

template <typename T> struct storage;

template <> struct storage<float> {
    static __device__ float read(float value)
    {
        return value;
    }
    static __device__ float round(float value)
    {
        return value;
    }
};

template <> struct storage<__nv_bfloat16> {
    static __device__ float read(__nv_bfloat16 value)
    {
        return __bfloat162float(value);
    }
    static __device__ __nv_bfloat16 round(float value)
    {
        return __float2bfloat16_rn(value);
    }
    static __device__ float from_bits(unsigned bits)
    {
        return __uint_as_float(bits << 16);
    }
    static __device__ unsigned to_bits(float value)
    {
        return __bfloat16_as_ushort(__float2bfloat16_rn(value));
    }
};

template <> struct storage<__half> {
    static __device__ float read(__half value)
    {
        return __half2float(value);
    }
    static __device__ __half round(float value)
    {
        return __float2half_rn(value);
    }
    static __device__ float from_bits(unsigned bits)
    {
        return __half2float(__ushort_as_half((unsigned short)bits));
    }
    static __device__ unsigned to_bits(float value)
    {
        return __half_as_ushort(__float2half_rn(value));
    }
};

template <typename T> __device__ unsigned pack_pair(float low, float high)
{
    return storage<T>::to_bits(low) | storage<T>::to_bits(high) << 16;
}

/* One octet from, or to, memory that is aligned to 16 bytes. */
template <typename T> __device__ octet load_aligned(const T *from)
{
    const uint4 words = *reinterpret_cast<const uint4 *>(from);
    const unsigned pairs[4] = {words.x, words.y, words.z, words.w};
    octet values;
    for (int i = 0; i < 4; i++) {
        values.at[2 * i] = storage<T>::from_bits(pairs[i] & 0xffff);
        values.at[2 * i + 1] = storage<T>::from_bits(pairs[i] >> 16);
    }
    return values;
}

template <> __device__ octet load_aligned<float>(const float *from)
{
    const float4 low = reinterpret_cast<const float4 *>(from)[0], high = reinterpret_cast<const float4 *>(from)[1];
    return {{low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w}};
}

template <typename T> __device__ void store_aligned(T *to, const octet &values)
{
    const float *v = values.at;
    *reinterpret_cast<uint4 *>(to) = {pack_pair<T>(v[0], v[1]), pack_pair<T>(v[2], v[3]), pack_pair<T>(v[4], v[5]),
                                      pack_pair<T>(v[6], v[7])};
}

template <> __device__ void store_aligned<float>(float *to, const octet &values)
{
    const float *v = values.at;
    reinterpret_cast<float4 *>(to)[0] = {v[0], v[1], v[2], v[3]};
    reinterpret_cast<float4 *>(to)[1] = {v[4], v[5], v[6], v[7]};
}

__device__ inline octet zero_octet()
{
    return {{0, 0, 0, 0, 0, 0, 0, 0}};
}

__device__ inline void add_octet(octet &sum, const octet &more)
{
    for (int i = 0; i < 8; i++)
        sum.at[i] += more.at[i];
}

/* The same octet of all rows of a map. */
template <typename T> struct column {
    T *data; /* of row 0 */
    int64_t stride;
    int left;     /* channels of the map from here on, with its padding */
    bool aligned; /* all eight belong to the map and are aligned for wide loads */

    __device__ column(const kernel_map &map, int channel)
        : data(static_cast<T *>(map.data) + channel), stride(map.stride), left(map.padded - channel),
          aligned(left >= 8 && map.stride % 8 == 0 && reinterpret_cast<uintptr_t>(map.data) % 16 == 0)
    {
    }
    __device__ octet load(int64_t row) const
    {
        const T *from = data + row * stride;
        if (aligned)
            return load_aligned(from);
        octet values;
        for (int i = 0; i < 8; i++)
            values.at[i] = i < left ? storage<T>::read(from[i]) : 0.0f;
        return values;
    }
    __device__ void store(int64_t row, const octet &values) const
    {
        T *to = data + row * stride;
        if (aligned) {
            store_aligned(to, values);
            return;
        }
        for (int i = 0; i < 8; i++)
            if (i < left)
                to[i] = storage<T>::round(values.at[i]);
    }
    /* Store the values, or add them to what is there. */
    __device__ void put(int64_t row, octet values, bool accumulate) const
    {
        if (accumulate)
            add_octet(values, load(row));
        store(row, values);
    }
};

/* An octet of an array by channel. */
__device__ inline octet load_channels(const float *values, int channel)
{
    octet found;
    for (int i = 0; i < 8; i++)
        found.at[i] = values[channel + i];
    return found;
}

/* --- threads --- */

/* This thread's octet in a tensor of so many channels, and its row among those that the block covers at once.  Threads
   that are left over are not active. */
struct thread_place {
    int octets, rows_at_once;
    int first; /* channel of the block */
    int channel, row;
    bool active;

    __device__ explicit thread_place(int channels) : thread_place(channels, KERNEL_BLOCK_OCTETS(channels))
    {
    }
    __device__ thread_place(int channels, int octets_of_block)
        : thread_place(channels, octets_of_block, (int)blockIdx.y)
    {
    }
    __device__ thread_place(int channels, int octets_of_block, int block)
        : octets(octets_of_block), rows_at_once(KERNEL_THREADS / octets), first(block * octets * 8),
          channel(first + (int)threadIdx.x % octets * 8), row((int)threadIdx.x / octets),
          active(row < rows_at_once && channel < channels)
    {
    }
};

/* The rows of this thread, when the grid covers all rows. */
struct row_walk {
    int row, step;

    __device__ explicit row_walk(const thread_place &place)
        : row((int)blockIdx.x * place.rows_at_once + place.row), step((int)gridDim.x * place.rows_at_once)
    {
    }
};

/* A block's share of the rows in a sum: the tensor has `all` rows, the first `counted` are the batch's. */
struct row_share {
    int begin, end;

    __device__ row_share(int block, int blocks, int all, int counted)
    {
        const int share = (all - 1) / blocks + 1;
        begin = min(block * share, counted);
        end = min(begin + share, counted);
    }
};

/* The largest power of two below `value`, 0 for 1: the first step of a tree reduction of so many values. */
__device__ inline int tree_top(int value)
{
    int half = 0;
    for (int power = 1; power < value; power *= 2)
        half = power;
    return half;
}

/* Octets of a thread that a block adds up together: so many fit into shared memory. */
enum { SUMS_AT_ONCE = 3 };

/* The sums over the block's rows of sums[first] and those behind it, eight floats a thread each in `memory`: those of
   each octet are with its thread of row 0.  Ends without a barrier. */
template <int COUNT>
__device__ void block_sums(const thread_place &place, const octet (&sums)[COUNT], int first, float *memory)
{
    const int me = (int)threadIdx.x;
    for (int i = 0; i < SUMS_AT_ONCE; i++)
        for (int c = 0; first + i < COUNT && c < 8; c++)
            memory[(8 * i + c) * KERNEL_THREADS + me] = sums[first + i].at[c];
    for (int half = tree_top(place.rows_at_once); half > 0; half /= 2) {
        __syncthreads();
        if (place.row < half && place.row + half < place.rows_at_once)
            for (int i = 0; i < 8 * min(SUMS_AT_ONCE, COUNT - first); i++)
                memory[i * KERNEL_THREADS + me] += memory[i * KERNEL_THREADS + me + half * place.octets];
    }
}

/* Called by all threads of each of `blocks` blocks that has left its part of a sum: true in the last one, which then
   sees all parts, by __ldcg.  `memory`: a float of shared memory. */
__device__ inline bool is_last_of(unsigned *ticket, unsigned blocks, float *memory)
{
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0)
        *memory = atomicInc(ticket, blocks - 1) == blocks - 1;
    __syncthreads();
    const bool last = *memory != 0;
    __syncthreads();
    __threadfence();
    return last;
}

/* The same of the blocks of a blockIdx.y. */
__device__ inline bool is_last_block(unsigned *tickets, float *memory)
{
    return is_last_of(&tickets[blockIdx.y], gridDim.x, memory);
}

/* In the last block of a sum: each of `count` channels (at most KERNEL_THREADS), the first of which is `first`, has as
   many threads as there are, but no more than 32. */
struct channel_lanes {
    int lanes, lane, channel;
    bool active;

    __device__ channel_lanes(int first, int count) : lanes(32)
    {
        while (lanes * count > KERNEL_THREADS)
            lanes /= 2;
        lane = (int)threadIdx.x % lanes;
        channel = first + (int)threadIdx.x / lanes;
        active = channel < first + count;
    }
    /* The channels of the block's octets. */
    __device__ static channel_lanes of_block(const thread_place &place, int channels)
    {
        return channel_lanes(place.first, min(place.octets * 8, KERNEL_ROUND(channels) - place.first));
    }
};

/* --- pools --- */

struct pixel {
    int image, y, x;

    __device__ pixel(int row, int height, int width)
    {
        const unsigned line = (unsigned)row / (unsigned)width;
        x = row - (int)line * width;
        image = (int)(line / (unsigned)height);
        y = (int)line - image * height;
    }
};

/* For each channel of an octet, the number of a place in a window, in 16 bits. */
struct choices {
    unsigned pairs[4];

    __device__ static choices load(const uint16_t *from)
    {
        const uint4 words = *reinterpret_cast<const uint4 *>(from);
        return {{words.x, words.y, words.z, words.w}};
    }
    __device__ void store(uint16_t *to) const
    {
        *reinterpret_cast<uint4 *>(to) = {pairs[0], pairs[1], pairs[2], pairs[3]};
    }
    __device__ unsigned get(int i) const
    {
        return pairs[i / 2] >> i % 2 * 16 & 0xffff;
    }
    __device__ void set(int i, unsigned place)
    {
        const unsigned keep = i % 2 ? 0xffff : 0xffff0000;
        pairs[i / 2] = (pairs[i / 2] & keep) | place << i % 2 * 16;
    }
};

/* Compute one pooled octet; `value(row)` is the octet of one row of the map that is pooled. */
template <typename T, typename F>
__device__ void pool_window(const kernel_window &window, int channels, int channel, int pooled_row, int height,
                            int width, const column<T> &y, const F &value)
{
    const pixel at(pooled_row, window.pooled_height, window.pooled_width);
    const int corner = (at.image * height + at.y * window.stride) * width + at.x * window.stride;
    octet result = value(corner);
    choices chosen = {{0, 0, 0, 0}};
    for (int place = 1, wy = 0; wy < window.size; wy++)
        for (int wx = wy == 0; wx < window.size; wx++, place++) {
            const octet other = value(corner + wy * width + wx);
            for (int i = 0; i < 8; i++) {
                if (window.average) {
                    result.at[i] += other.at[i];
                } else if (other.at[i] > result.at[i]) {
                    result.at[i] = other.at[i];
                    chosen.set(i, (unsigned)place);
                }
            }
        }
    if (window.average) {
        for (int i = 0; i < 8; i++)
            result.at[i] /= (float)(window.size * window.size);
    } else if (window.choice) {
        chosen.store(window.choice + (int64_t)pooled_row * KERNEL_ROUND(channels) + channel);
    }
    y.store(pooled_row, result);
}

/* The gradient of one octet of the map that is pooled: a sum over all windows that hold it, in row order. */
template <typename T>
__device__ octet gather_windows(const kernel_window &window, int channels, int channel, int row, int height, int width,
                                const column<T> &dy)
{
    const pixel at(row, height, width);
    const int size = window.size, stride = window.stride;
    const int first_y = at.y < size ? 0 : (at.y - size) / stride + 1;
    const int first_x = at.x < size ? 0 : (at.x - size) / stride + 1;
    const int last_y = min(at.y / stride, window.pooled_height - 1);
    const int last_x = min(at.x / stride, window.pooled_width - 1);
    octet sum = zero_octet();
    for (int wy = first_y; wy <= last_y; wy++)
        for (int wx = first_x; wx <= last_x; wx++) {
            const int64_t pooled_row = (int64_t)(at.image * window.pooled_height + wy) * window.pooled_width + wx;
            const octet gradient = dy.load(pooled_row);
            if (window.average) {
                for (int i = 0; i < 8; i++)
                    sum.at[i] += gradient.at[i] / (float)(size * size);
                continue;
            }
            const choices chosen = choices::load(window.choice + pooled_row * KERNEL_ROUND(channels) + channel);
            const unsigned place = (unsigned)((at.y - wy * stride) * size + at.x - wx * stride);
            for (int i = 0; i < 8; i++)
                if (chosen.get(i) == place)
                    sum.at[i] += gradient.at[i];
        }
    return sum;
}

} // namespace

#endif
