/*
 * norm.cu - batch normalisation, its activation and the pool or addition behind them, forward.  moments.cuh has the
 * statistics.
 */
#include "kernels/linear.cuh"
#include "kernels/moments.cuh"

namespace
{

template <typename T> __device__ void norm_moments(const kernel_norm_moments &k, float *memory)
{
    const thread_place place(k.channels);
    const column<T> z(k.z, place.channel);
    batch_moments(k, place, memory, [&](int row) { return z.load(row); });
}

template <typename T, bool POOL> __device__ void normalise_rows(const kernel_norm_forward &k, const thread_place &place)
{
    if (!place.active)
        return;
    const normaliser norm = normaliser_of(k, place.channel);
    const bool adds = !POOL && k.addend.data;
    const column<T> z(k.z, place.channel), y(k.y, place.channel), addend(adds ? k.addend : k.z, place.channel);
    const int positions = POOL ? k.window.pooled_height * k.window.pooled_width : k.height * k.width;
    const int rows = k.batch * positions, counted = k.step->count * positions;
    for (row_walk walk(place); walk.row < rows; walk.row += walk.step) {
        if (POOL && walk.row < counted) {
            pool_window(k.window, k.channels, place.channel, walk.row, k.height, k.width, y,
                        [&](int row) { return norm.activate(z.load(row)); });
            continue;
        }
        octet result = zero_octet();
        if (walk.row < counted) {
            result = norm.activate(z.load(walk.row));
            if (adds)
                add_octet(result, addend.load(walk.row));
        }
        y.store(walk.row, result);
    }
}

template <typename T> __device__ void norm_forward(const kernel_norm_forward &k)
{
    normalise_rows<T, false>(k, thread_place(k.channels));
}

template <typename T> __device__ void norm_pool_forward(const kernel_norm_forward &k)
{
    normalise_rows<T, true>(k, thread_place(k.channels));
}

template <typename T, bool POOL> __device__ void whole_forward(const kernel_norm_whole &k, float *memory)
{
    const thread_place place(k.moments.channels, 1);
    const column<T> z(k.moments.z, place.channel);
    block_moments(k.moments, place, memory, [&](int row) { return z.load(row); });
    if (threadIdx.x == 0)
        for (int i = 0; i < 8; i++) {
            channel_moments all = shared_moments{memory}.get(0, i);
            store_statistics(k.moments, place.channel + i, all);
        }
    __syncthreads();
    normalise_rows<T, POOL>(k.forward, place);
}

template <typename T> __device__ void norm_whole_forward(const kernel_norm_whole &k, float *memory)
{
    whole_forward<T, false>(k, memory);
}

template <typename T> __device__ void norm_pool_whole_forward(const kernel_norm_whole &k, float *memory)
{
    whole_forward<T, true>(k, memory);
}

template <typename T> __device__ void linear_forward(const kernel_linear_forward &k, float *memory)
{
    const kernel_map z = k.norm.moments.z;
    const T *x = static_cast<const T *>(k.linear.x), *weight = static_cast<const T *>(k.linear.weight);
    for (int i = (int)threadIdx.x; i < 8 * k.norm.moments.batch; i += KERNEL_THREADS) {
        const int image = i / 8, output = (int)blockIdx.y * 8 + i % 8;
        const float product = row_product(x + (int64_t)image * k.linear.inputs,
                                          weight + (int64_t)output * k.linear.inputs, k.linear.inputs);
        static_cast<T *>(z.data)[(int64_t)image * z.stride + output] = storage<T>::round(product);
    }
    __syncthreads();
    if (k.norm.forward.variance)
        normalise_rows<T, false>(k.norm.forward, thread_place(k.norm.forward.channels, 1));
    else
        whole_forward<T, false>(k.norm, memory);
}

} // namespace

KERNEL_EACH_SHARED(linear_forward, kernel_linear_forward, MOMENTS_SHARED)
KERNEL_EACH_SHARED(norm_moments, kernel_norm_moments, MOMENTS_SHARED)
KERNEL_EACH(norm_forward, kernel_norm_forward)
KERNEL_EACH(norm_pool_forward, kernel_norm_forward)
KERNEL_EACH_SHARED(norm_whole_forward, kernel_norm_whole, MOMENTS_SHARED)
KERNEL_EACH_SHARED(norm_pool_whole_forward, kernel_norm_whole, MOMENTS_SHARED)
