/*
 * norm.cu - batch normalisation, ReLU and the pool behind them, forward.
 *
 * Each block computes mean and sum of squared deviations of each channel over its share of the rows, and the last block
 * merges them (Chan, Golub, LeVeque, 1979).  A thread sums deviations from the first value that it reads, so that a
 * mean far from 0 costs no precision.
 */
#include "kernels/linear.cuh"
#include "kernels/norm.cuh"

namespace
{

/* Mean and sum of squared deviations of `count` values. */
struct channel_moments {
    float count, mean, squares;
};

__device__ channel_moments merge(const channel_moments &a, const channel_moments &b)
{
    const float count = a.count + b.count;
    if (count == 0)
        return a;
    const float difference = b.mean - a.mean, share = b.count / count;
    return {count, a.mean + difference * share, a.squares + b.squares + difference * difference * (a.count * share)};
}

/* Shared memory: 17 floats a thread, for its count and for mean and squares of eight channels. */
enum { MOMENTS_SHARED = 17 * KERNEL_THREADS };

struct shared_moments {
    float *memory;

    __device__ channel_moments get(int thread, int i) const
    {
        return {memory[thread], memory[(1 + i) * KERNEL_THREADS + thread], memory[(9 + i) * KERNEL_THREADS + thread]};
    }
    __device__ void set(int thread, int i, const channel_moments &value) const
    {
        memory[(1 + i) * KERNEL_THREADS + thread] = value.mean;
        memory[(9 + i) * KERNEL_THREADS + thread] = value.squares;
    }
};

template <typename T>
__device__ void sum_moments(const column<T> &z, const row_share &share, const thread_place &place,
                            const shared_moments &shared)
{
    float count = 0;
    octet pivot = zero_octet(), sum = zero_octet(), squares = zero_octet();
    for (int row = share.begin + place.row; place.active && row < share.end; row += place.rows_at_once) {
        const octet value = z.load(row);
        if (count == 0)
            pivot = value;
        count++;
        for (int i = 0; i < 8; i++) {
            const float deviation = value.at[i] - pivot.at[i];
            sum.at[i] += deviation;
            squares.at[i] += deviation * deviation;
        }
    }
    const int me = (int)threadIdx.x;
    shared.memory[me] = count;
    for (int i = 0; i < 8; i++) {
        const float shift = count > 0 ? sum.at[i] / count : 0;
        shared.set(me, i, {count, pivot.at[i] + shift, squares.at[i] - sum.at[i] * shift});
    }
}

__device__ float update_running(float running, float decay, float batch)
{
    return decay * running + (1 - decay) * batch;
}

__device__ void store_statistics(const kernel_norm_moments &k, int channel, const channel_moments &all)
{
    const int counted = k.step->count * k.positions;
    const float variance = all.squares / all.count, decay = k.step->bn_decay;
    k.mean[channel] = all.mean;
    k.inverse_std[channel] = inverse_std_of(variance);
    k.running_mean[channel] = update_running(k.running_mean[channel], decay, all.mean);
    if (counted > 1)
        k.running_variance[channel] = update_running(k.running_variance[channel], decay, all.squares / (all.count - 1));
}

/* Each thread of a channel merges the moments of some blocks, then a tree reduction merges theirs. */
__device__ void merge_statistics(const kernel_norm_moments &k, const channel_lanes &at, float *memory)
{
    const int me = (int)threadIdx.x, blocks = (int)gridDim.x;
    const int rows = k.batch * k.positions, counted = k.step->count * k.positions;
    channel_moments all = {0, 0, 0};
    for (int block = at.lane; at.active && block < blocks; block += at.lanes) {
        const row_share share(block, blocks, rows, counted);
        const float *partial = k.partials + 2 * ((int64_t)at.channel * blocks + block);
        all = merge(all, {(float)(share.end - share.begin), __ldcg(partial), __ldcg(partial + 1)});
    }
    float *counts = memory, *means = memory + KERNEL_THREADS, *squares = memory + 2 * KERNEL_THREADS;
    for (int half = at.lanes / 2; half > 0; half /= 2) {
        counts[me] = all.count;
        means[me] = all.mean;
        squares[me] = all.squares;
        __syncthreads();
        if (at.lane < half)
            all = merge(all, {counts[me + half], means[me + half], squares[me + half]});
        __syncthreads();
    }
    if (at.active && at.lane == 0)
        store_statistics(k, at.channel, all);
}

/* The moments of the block's rows: those of each octet are with its thread of row 0. */
template <typename T>
__device__ void block_moments(const kernel_norm_moments &k, const thread_place &place, float *memory)
{
    const shared_moments shared = {memory};
    const int me = (int)threadIdx.x;
    const row_share share((int)blockIdx.x, (int)gridDim.x, k.batch * k.positions, k.step->count * k.positions);
    sum_moments(column<T>(k.z, place.channel), share, place, shared);
    for (int half = tree_top(place.rows_at_once); half > 0; half /= 2) {
        __syncthreads();
        if (place.row >= half || place.row + half >= place.rows_at_once)
            continue;
        const int other = me + half * place.octets;
        for (int i = 0; i < 8; i++)
            shared.set(me, i, merge(shared.get(me, i), shared.get(other, i)));
        memory[me] += memory[other];
    }
}

template <typename T> __device__ void norm_moments(const kernel_norm_moments &k, float *memory)
{
    const thread_place place(k.channels);
    const shared_moments shared = {memory};
    const int me = (int)threadIdx.x;
    block_moments<T>(k, place, memory);
    for (int i = 0; place.active && place.row == 0 && i < 8; i++) {
        const channel_moments found = shared.get(me, i);
        float *partial = k.partials + 2 * ((int64_t)(place.channel + i) * gridDim.x + blockIdx.x);
        partial[0] = found.mean;
        partial[1] = found.squares;
    }
    if (is_last_block(k.tickets, memory))
        merge_statistics(k, channel_lanes::of_block(place, k.channels), memory);
}

__device__ normaliser normaliser_of(const kernel_norm_forward &k, int channel)
{
    octet inverse_std = load_channels(k.variance ? k.variance : k.inverse_std, channel);
    for (int i = 0; k.variance && i < 8; i++)
        inverse_std.at[i] = inverse_std_of(inverse_std.at[i]);
    return normaliser(k.mean, inverse_std, k.gamma, k.beta, channel);
}

template <typename T, bool POOL> __device__ void normalise_rows(const kernel_norm_forward &k, const thread_place &place)
{
    if (!place.active)
        return;
    const normaliser norm = normaliser_of(k, place.channel);
    const column<T> z(k.z, place.channel), y(k.y, place.channel);
    const int positions = POOL ? k.window.pooled_height * k.window.pooled_width : k.height * k.width;
    const int rows = k.batch * positions, counted = k.step->count * positions;
    for (row_walk walk(place); walk.row < rows; walk.row += walk.step) {
        if (walk.row >= counted)
            y.store(walk.row, zero_octet());
        else if (POOL)
            pool_window(k.window, k.channels, place.channel, walk.row, k.height, k.width, y,
                        [&](int row) { return norm.activate(z.load(row)); });
        else
            y.store(walk.row, norm.activate(z.load(walk.row)));
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
    block_moments<T>(k.moments, place, memory);
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
