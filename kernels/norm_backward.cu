/*
 * norm_backward.cu - backward through the pool or addition, the activation and BN.
 *
 * Let g be the gradient of what is activated (of ReLU: that of the activation where it isn't 0, else 0).  Then dz =
 * gamma / std * (g - mean(g) - z^ mean(g z^)), since mean and variance depend on z.  It takes two launches: each block
 * sums over its share of the rows, and the last one adds the blocks' sums; then dz is computed.  The activation isn't
 * saved: it is computed again from z, to the same bits.
 */
#include "kernels/linear.cuh"
#include "kernels/norm.cuh"

namespace
{

/* g at one row: the gradient of y, back through the pool when there is one, and through the activation. */
template <typename T, bool POOL>
__device__ octet gradient_at(const kernel_norm_backward &k, const normaliser &norm, const column<T> &dy, int channel,
                             int row, const octet &z)
{
    octet gradient = POOL ? gather_windows(k.window, k.channels, channel, row, k.height, k.width, dy) : dy.load(row);
    norm.deactivate(z, gradient);
    return gradient;
}

__device__ normaliser normaliser_of(const kernel_norm_backward &k, int channel)
{
    return normaliser(k.mean, load_channels(k.inverse_std, channel), k.gamma, k.beta, channel, k.activation);
}

enum { SUMS_SHARED = 16 * KERNEL_THREADS };

__device__ void store_gradients(const kernel_norm_backward &k, int channel, float sum, float product)
{
    const float rows = (float)(k.step->count * k.height * k.width);
    k.beta_gradient[channel] = sum;
    k.gamma_gradient[channel] = product;
    k.mean_gradient[channel] = sum / rows;
    k.mean_product[channel] = product / rows;
}

__device__ void merge_gradients(const kernel_norm_backward &k, const channel_lanes &at, float *memory)
{
    const int me = (int)threadIdx.x, blocks = (int)gridDim.x;
    float sum = 0, product = 0;
    for (int block = at.lane; at.active && block < blocks; block += at.lanes) {
        const float *partial = k.partials + 2 * ((int64_t)at.channel * blocks + block);
        sum += __ldcg(partial);
        product += __ldcg(partial + 1);
    }
    float *sums = memory, *products = memory + KERNEL_THREADS;
    sums[me] = sum;
    products[me] = product;
    for (int half = at.lanes / 2; half > 0; half /= 2) {
        __syncthreads();
        if (at.lane < half) {
            sums[me] += sums[me + half];
            products[me] += products[me + half];
        }
    }
    if (at.active && at.lane == 0)
        store_gradients(k, at.channel, sums[me], products[me]);
}

/* The sums of g and g (z - mean) over the block's rows: those of each octet are with its thread of row 0. */
template <typename T, bool POOL>
__device__ void block_gradients(const kernel_norm_backward &k, const thread_place &place, float *memory)
{
    const int me = (int)threadIdx.x, positions = k.height * k.width;
    octet sum = zero_octet(), product = zero_octet();
    if (place.active) {
        const normaliser norm = normaliser_of(k, place.channel);
        const column<T> z(k.z, place.channel), dy(k.dy, place.channel);
        const row_share share((int)blockIdx.x, (int)gridDim.x, k.batch * positions, k.step->count * positions);
        for (int row = share.begin + place.row; row < share.end; row += place.rows_at_once) {
            const octet value = z.load(row);
            const octet gradient = gradient_at<T, POOL>(k, norm, dy, place.channel, row, value);
            for (int i = 0; i < 8; i++) {
                sum.at[i] += gradient.at[i];
                product.at[i] += gradient.at[i] * (value.at[i] - norm.mean.at[i]);
            }
        }
    }
    for (int i = 0; i < 8; i++) {
        memory[i * KERNEL_THREADS + me] = sum.at[i];
        memory[(8 + i) * KERNEL_THREADS + me] = product.at[i];
    }
    for (int half = tree_top(place.rows_at_once); half > 0; half /= 2) {
        __syncthreads();
        if (place.row < half && place.row + half < place.rows_at_once)
            for (int i = 0; i < 16; i++)
                memory[i * KERNEL_THREADS + me] += memory[i * KERNEL_THREADS + me + half * place.octets];
    }
}

template <typename T, bool POOL> __device__ void sum_gradients(const kernel_norm_backward &k, float *memory)
{
    const thread_place place(k.channels);
    const int me = (int)threadIdx.x;
    block_gradients<T, POOL>(k, place, memory);
    for (int i = 0; place.active && place.row == 0 && i < 8; i++) {
        float *partial = k.partials + 2 * ((int64_t)(place.channel + i) * gridDim.x + blockIdx.x);
        partial[0] = memory[i * KERNEL_THREADS + me];
        partial[1] = memory[(8 + i) * KERNEL_THREADS + me] * k.inverse_std[place.channel + i];
    }
    if (is_last_block(k.tickets, memory))
        merge_gradients(k, channel_lanes::of_block(place, k.channels), memory);
}

template <typename T> __device__ void norm_sums(const kernel_norm_backward &k, float *memory)
{
    sum_gradients<T, false>(k, memory);
}

template <typename T> __device__ void norm_pool_sums(const kernel_norm_backward &k, float *memory)
{
    sum_gradients<T, true>(k, memory);
}

template <typename T, bool POOL>
__device__ void input_gradients(const kernel_norm_backward &k, const thread_place &place)
{
    if (!place.active)
        return;
    const normaliser norm = normaliser_of(k, place.channel);
    const octet mean_gradient = load_channels(k.mean_gradient, place.channel);
    octet slope = load_channels(k.mean_product, place.channel); /* of what is taken off, by z */
    for (int i = 0; i < 8; i++)
        slope.at[i] *= k.inverse_std[place.channel + i];
    const column<T> z(k.z, place.channel), dy(k.dy, place.channel), dz(k.dz, place.channel);
    const bool adds = !POOL && k.addend_gradient.data;
    const column<T> addend(adds ? k.addend_gradient : k.dz, place.channel);
    const int positions = k.height * k.width, rows = k.batch * positions, counted = k.step->count * positions;
    for (row_walk walk(place); walk.row < rows; walk.row += walk.step) {
        octet result = zero_octet(), gradient = zero_octet();
        if (walk.row < counted) {
            const octet value = z.load(walk.row);
            gradient = gradient_at<T, POOL>(k, norm, dy, place.channel, walk.row, value);
            for (int i = 0; i < 8; i++)
                result.at[i] = norm.scale.at[i] *
                               (gradient.at[i] - mean_gradient.at[i] - (value.at[i] - norm.mean.at[i]) * slope.at[i]);
        }
        dz.put(walk.row, result, k.accumulate);
        if (adds)
            addend.put(walk.row, gradient, k.accumulate_addend);
    }
}

template <typename T> __device__ void norm_backward(const kernel_norm_backward &k)
{
    input_gradients<T, false>(k, thread_place(k.channels));
}

template <typename T> __device__ void norm_pool_backward(const kernel_norm_backward &k)
{
    input_gradients<T, true>(k, thread_place(k.channels));
}

template <typename T, bool POOL> __device__ void whole_backward(const kernel_norm_backward &k, float *memory)
{
    const thread_place place(k.channels, 1);
    block_gradients<T, POOL>(k, place, memory);
    if (threadIdx.x == 0)
        for (int i = 0; i < 8; i++)
            store_gradients(k, place.channel + i, memory[i * KERNEL_THREADS],
                            memory[(8 + i) * KERNEL_THREADS] * k.inverse_std[place.channel + i]);
    __syncthreads();
    input_gradients<T, POOL>(k, place);
}

template <typename T> __device__ void norm_whole_backward(const kernel_norm_backward &k, float *memory)
{
    whole_backward<T, false>(k, memory);
}

template <typename T> __device__ void norm_pool_whole_backward(const kernel_norm_backward &k, float *memory)
{
    whole_backward<T, true>(k, memory);
}

template <typename T> __device__ void linear_backward(const kernel_linear_backward &k, float *memory)
{
    const int outputs = KERNEL_ROUND(k.norm.channels), output = (int)blockIdx.y * 8, count = k.norm.step->count;
    const int octets = k.linear.inputs / 8;
    const T *dz = static_cast<const T *>(k.norm.dz.data);
    if (output >= outputs) {
        linear_weight_gradients(k.next, static_cast<const T *>(k.next_gradient), KERNEL_ROUND(k.next_outputs),
                                output - outputs, count, memory);
    } else {
        whole_backward<T, false>(k.norm, memory);
        __syncthreads();
        linear_weight_gradients(k.linear, dz, outputs, output, count, memory);
    }
    if (!k.linear.dx || !is_last_of(k.norm.tickets, gridDim.y, memory))
        return;
    for (int i = (int)threadIdx.x; i < k.norm.batch * octets; i += KERNEL_THREADS) {
        const int image = i / octets, input = i % octets * 8;
        const octet gradient = linear_input_gradient(k.linear, dz + (int64_t)image * outputs, outputs, input);
        store_aligned(static_cast<T *>(k.linear.dx) + (int64_t)image * k.linear.inputs + input, gradient);
    }
}

} // namespace

KERNEL_EACH_SHARED(linear_backward, kernel_linear_backward, SUMS_SHARED)
KERNEL_EACH_SHARED(norm_sums, kernel_norm_backward, SUMS_SHARED)
KERNEL_EACH_SHARED(norm_pool_sums, kernel_norm_backward, SUMS_SHARED)
KERNEL_EACH(norm_backward, kernel_norm_backward)
KERNEL_EACH(norm_pool_backward, kernel_norm_backward)
KERNEL_EACH_SHARED(norm_whole_backward, kernel_norm_backward, SUMS_SHARED)
KERNEL_EACH_SHARED(norm_pool_whole_backward, kernel_norm_backward, SUMS_SHARED)
