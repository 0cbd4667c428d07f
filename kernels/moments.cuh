/*
 * moments.cuh - BN's statistics, for the kernels that read what is normalised (norm.cu) or compute it (depthwise.cu).
 *
 * Each block computes mean and sum of squared deviations of each channel over its share of the rows, and the last block
 * merges them (Chan, Golub, LeVeque, 1979).  A thread sums deviations from the first value that it meets, so that a
 * mean far from 0 costs no precision.  `value(row)` is the octet of one row; each row is asked for once.
 */
#ifndef ESPALIER_KERNELS_MOMENTS_CUH
#define ESPALIER_KERNELS_MOMENTS_CUH

#include "kernels/norm.cuh"

namespace
{

/* Mean and sum of squared deviations of `count` values. */
struct channel_moments {
    float count, mean, squares;
};

__device__ inline channel_moments merge(const channel_moments &a, const channel_moments &b)
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

template <typename F>
__device__ void sum_moments(const F &value, const row_share &share, const thread_place &place,
                            const shared_moments &shared)
{
    float count = 0;
    octet pivot = zero_octet(), sum = zero_octet(), squares = zero_octet();
    for (int row = share.begin + place.row; place.active && row < share.end; row += place.rows_at_once) {
        const octet found = value(row);
        if (count == 0)
            pivot = found;
        count++;
        for (int i = 0; i < 8; i++) {
            const float deviation = found.at[i] - pivot.at[i];
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

__device__ inline float update_running(float running, float decay, float batch)
{
    return decay * running + (1 - decay) * batch;
}

__device__ inline void store_statistics(const kernel_norm_moments &k, int channel, const channel_moments &all)
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
__device__ inline void merge_statistics(const kernel_norm_moments &k, const channel_lanes &at, float *memory)
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
template <typename F>
__device__ void block_moments(const kernel_norm_moments &k, const thread_place &place, float *memory, const F &value)
{
    const shared_moments shared = {memory};
    const int me = (int)threadIdx.x;
    const row_share share((int)blockIdx.x, (int)gridDim.x, k.batch * k.positions, k.step->count * k.positions);
    sum_moments(value, share, place, shared);
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

/* The statistics of the batch, and the running ones. */
template <typename F>
__device__ void batch_moments(const kernel_norm_moments &k, const thread_place &place, float *memory, const F &value)
{
    const shared_moments shared = {memory};
    const int me = (int)threadIdx.x;
    block_moments(k, place, memory, value);
    for (int i = 0; place.active && place.row == 0 && i < 8; i++) {
        const channel_moments found = shared.get(me, i);
        float *partial = k.partials + 2 * ((int64_t)(place.channel + i) * gridDim.x + blockIdx.x);
        partial[0] = found.mean;
        partial[1] = found.squares;
    }
    if (is_last_block(k.tickets, memory))
        merge_statistics(k, channel_lanes::of_block(place, k.channels), memory);
}

} // namespace

#endif
