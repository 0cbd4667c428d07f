/*
 * depthwise.cu - depthwise convolutions: each output channel reads one input channel.
 *
 * There is no product of matrices in them: an octet of the output is a sum over the taps of the kernel, of octets of
 * the input times octets of weights.  A warp reads neighbouring octets and pixels, and what several outputs read is in
 * the first cache.  Statistics, or BN and the activation, follow in the same pass.
 *
 * Kernels of 3, 5 and 7 are compiled by themselves, so that the loads of a row of taps are under way together; others
 * take a loop.
 */
#include "kernels/moments.cuh"

namespace
{

template <typename T> __device__ column<T> weights_of(const kernel_depthwise &of, int channels, int channel)
{
    const int stored = KERNEL_ROUND(channels);
    return column<T>({const_cast<void *>(of.weights), stored, stored}, channel);
}

__device__ inline void add_product(octet &sum, const octet &a, const octet &b)
{
    for (int i = 0; i < 8; i++)
        sum.at[i] += a.at[i] * b.at[i];
}

__device__ inline bool is_inside(int place, int size)
{
    return place >= 0 && place < size;
}

/* --- forward --- */

/* One octet of the output.  KERNEL is of.kernel, or 0. */
template <int KERNEL, typename T>
__device__ octet convolve(const kernel_depthwise &of, const column<T> &x, const column<T> &weights, int row)
{
    const int size = KERNEL ? KERNEL : of.kernel;
    const pixel at(row, of.out_height, of.out_width);
    const int top = at.y * of.stride - size / 2, left = at.x * of.stride - size / 2;
    octet sum = zero_octet();
    for (int ky = 0; ky < size; ky++) {
        const int line = (at.image * of.height + top + ky) * of.width;
        for (int kx = 0; is_inside(top + ky, of.height) && kx < size; kx++)
            if (is_inside(left + kx, of.width))
                add_product(sum, x.load(line + left + kx), weights.load(ky * size + kx));
    }
    return sum;
}

/* What the octet is once it has been stored. */
template <typename T> __device__ octet stored(octet values)
{
    for (int i = 0; i < 8; i++)
        values.at[i] = storage<T>::read(storage<T>::round(values.at[i]));
    return values;
}

template <int KERNEL, typename T> __device__ void convolve_moments(const kernel_depthwise_moments &k, float *memory)
{
    const thread_place place(k.moments.channels);
    const column<T> x(k.x, place.channel), z(k.moments.z, place.channel);
    const column<T> weights = weights_of<T>(k.of, k.moments.channels, place.channel);
    batch_moments(k.moments, place, memory, [&](int row) {
        const octet value = stored<T>(convolve<KERNEL>(k.of, x, weights, row));
        z.store(row, value);
        return value;
    });
}

template <int KERNEL, typename T> __device__ void convolve_normalise(const kernel_depthwise_infer &k)
{
    const thread_place place(k.norm.channels);
    if (!place.active)
        return;
    const normaliser norm = normaliser_of(k.norm, place.channel);
    const column<T> x(k.x, place.channel), y(k.norm.y, place.channel);
    const column<T> weights = weights_of<T>(k.of, k.norm.channels, place.channel);
    const int positions = k.of.out_height * k.of.out_width;
    const int rows = k.norm.batch * positions, counted = k.norm.step->count * positions;
    for (row_walk walk(place); walk.row < rows; walk.row += walk.step)
        y.store(walk.row,
                walk.row < counted ? norm.activate(convolve<KERNEL>(k.of, x, weights, walk.row)) : zero_octet());
}

/* --- the gradient of the input --- */

/* Goes along the taps of one dimension: which output does each lead to, from one place of the input? */
struct output_walk {
    int stride, outputs;
    int output, left; /* taps until one leads to `output` */

    __device__ output_walk(int place, int size, int step, int count)
        : stride(step), outputs(count), output((place + size / 2) / step), left((place + size / 2) % step)
    {
    }
    __device__ bool found() const
    {
        return left == 0 && is_inside(output, outputs);
    }
    __device__ void next()
    {
        if (left == 0) {
            left = stride;
            output--;
        }
        left--;
    }
};

/* One octet of dx: a sum over the outputs that read it. */
template <int KERNEL, typename T>
__device__ octet gather_outputs(const kernel_depthwise &of, const column<T> &dz, const column<T> &weights, int row)
{
    const int size = KERNEL ? KERNEL : of.kernel;
    const pixel at(row, of.height, of.width);
    octet sum = zero_octet();
    output_walk y(at.y, size, of.stride, of.out_height);
    for (int ky = 0; ky < size; ky++, y.next()) {
        const int line = (at.image * of.out_height + y.output) * of.out_width;
        output_walk x(at.x, size, of.stride, of.out_width);
        for (int kx = 0; y.found() && kx < size; kx++, x.next())
            if (x.found())
                add_product(sum, dz.load(line + x.output), weights.load(ky * size + kx));
    }
    return sum;
}

/* Part `part` of `parts`, which take turns at rows. */
template <int KERNEL, typename T>
__device__ void input_gradient(const kernel_depthwise_backward &k, const thread_place &place, int part, int parts)
{
    if (!place.active)
        return;
    const column<T> dz(k.dz, place.channel), dx(k.dx, place.channel);
    const column<T> weights = weights_of<T>(k.of, k.channels, place.channel);
    const int positions = k.of.height * k.of.width, rows = k.batch * positions, counted = k.step->count * positions;
    const int first = ((int)blockIdx.x * parts + part) * place.rows_at_once + place.row;
    for (int row = first; row < rows; row += (int)gridDim.x * parts * place.rows_at_once)
        dx.store(row, row < counted ? gather_outputs<KERNEL>(k.of, dz, weights, row) : zero_octet());
}

/* --- the gradient of the weights --- */

/* The taps that a block sums: columns `first` to `end` - 1 of one row of the kernel. */
struct tap_share {
    int row, first, end;

    __device__ tap_share(int part, int size)
    {
        const int shares = KERNEL_DEPTHWISE_PARTS(size) / size;
        row = part / shares;
        first = part % shares * KERNEL_DEPTHWISE_COLUMNS;
        end = min(first + KERNEL_DEPTHWISE_COLUMNS, size);
    }
};

/* sums[i]: of tap taps.first + i over the rows of this thread. */
template <int COLUMNS, typename T>
__device__ void sum_taps(const kernel_depthwise_backward &k, const thread_place &place, const tap_share &taps,
                         octet (&sums)[COLUMNS])
{
    const column<T> x(k.x, place.channel), dz(k.dz, place.channel);
    const int positions = k.of.out_height * k.of.out_width, pad = k.of.kernel / 2;
    const row_share share((int)blockIdx.x, (int)gridDim.x, k.batch * positions, k.step->count * positions);
    for (int row = share.begin + place.row; place.active && row < share.end; row += place.rows_at_once) {
        const pixel at(row, k.of.out_height, k.of.out_width);
        const int y = at.y * k.of.stride - pad + taps.row, left = at.x * k.of.stride - pad + taps.first;
        if (!is_inside(y, k.of.height))
            continue;
        const int line = (at.image * k.of.height + y) * k.of.width;
        const octet gradient = dz.load(row);
        for (int i = 0; i < COLUMNS; i++)
            if (taps.first + i < taps.end && is_inside(left + i, k.of.width))
                add_product(sums[i], gradient, x.load(line + left + i));
    }
}

/* Where the block's partial sum of a tap and channel lies, in front of those of the other blocks: of block 0. */
__device__ inline int64_t partial_at(const kernel_depthwise_backward &k, const tap_share &taps, int tap, int channel)
{
    const int number = taps.row * k.of.kernel + taps.first + tap;
    return ((int64_t)number * KERNEL_ROUND(k.channels) + channel) * gridDim.x;
}

/* The last block adds the blocks' sums. */
template <int COLUMNS, typename T>
__device__ void merge_taps(const kernel_depthwise_backward &k, const tap_share &taps, const channel_lanes &at,
                           float *memory)
{
    const int me = (int)threadIdx.x, blocks = (int)gridDim.x, count = taps.end - taps.first;
    float sums[COLUMNS] = {};
    for (int block = at.lane; at.active && block < blocks; block += at.lanes)
        for (int tap = 0; tap < COLUMNS; tap++)
            if (tap < count)
                sums[tap] += __ldcg(k.partials + partial_at(k, taps, tap, at.channel) + block);
    for (int tap = 0; tap < COLUMNS; tap++)
        memory[tap * KERNEL_THREADS + me] = sums[tap];
    for (int half = at.lanes / 2; half > 0; half /= 2) {
        __syncthreads();
        for (int tap = 0; at.lane < half && tap < count; tap++)
            memory[tap * KERNEL_THREADS + me] += memory[tap * KERNEL_THREADS + me + half];
    }
    for (int tap = 0; at.active && at.lane == 0 && tap < count; tap++)
        static_cast<T *>(k.gradient)[partial_at(k, taps, tap, at.channel) / blocks] =
            storage<T>::round(memory[tap * KERNEL_THREADS + me]);
}

template <int COLUMNS, typename T>
__device__ void weight_gradient(const kernel_depthwise_backward &k, const thread_place &place, int part, float *memory)
{
    const tap_share taps(part, k.of.kernel);
    octet sums[COLUMNS] = {};
    sum_taps<COLUMNS, T>(k, place, taps, sums);
    for (int tap = 0; tap < COLUMNS; tap += SUMS_AT_ONCE) {
        block_sums(place, sums, tap, memory);
        for (int i = 0; place.active && place.row == 0 && i < SUMS_AT_ONCE && taps.first + tap + i < taps.end; i++)
            for (int c = 0; c < 8; c++)
                k.partials[partial_at(k, taps, tap + i, place.channel + c) + blockIdx.x] =
                    memory[(8 * i + c) * KERNEL_THREADS + threadIdx.x];
        __syncthreads();
    }
    if (is_last_block(k.tickets, memory))
        merge_taps<COLUMNS, T>(k, taps, channel_lanes::of_block(place, k.channels), memory);
}

template <int KERNEL, typename T> __device__ void gradients(const kernel_depthwise_backward &k, float *memory)
{
    const int parts = KERNEL_DEPTHWISE_PARTS(k.of.kernel), blocks = KERNEL_OCTET_BLOCKS(k.channels);
    const int part = (int)blockIdx.y / blocks;
    const thread_place place(k.channels, KERNEL_BLOCK_OCTETS(k.channels), (int)blockIdx.y % blocks);
    if (part < parts)
        weight_gradient<KERNEL ? KERNEL : KERNEL_DEPTHWISE_COLUMNS, T>(k, place, part, memory);
    else
        input_gradient<KERNEL, T>(k, place, part - parts, parts);
}

/* --- by the size of the kernel --- */

template <typename T> __device__ void depthwise_moments(const kernel_depthwise_moments &k, float *memory)
{
    if (k.of.kernel == 3)
        convolve_moments<3, T>(k, memory);
    else if (k.of.kernel == 5)
        convolve_moments<5, T>(k, memory);
    else if (k.of.kernel == 7)
        convolve_moments<7, T>(k, memory);
    else
        convolve_moments<0, T>(k, memory);
}

template <typename T> __device__ void depthwise_infer(const kernel_depthwise_infer &k)
{
    if (k.of.kernel == 3)
        convolve_normalise<3, T>(k);
    else if (k.of.kernel == 5)
        convolve_normalise<5, T>(k);
    else if (k.of.kernel == 7)
        convolve_normalise<7, T>(k);
    else
        convolve_normalise<0, T>(k);
}

template <typename T> __device__ void depthwise_backward(const kernel_depthwise_backward &k, float *memory)
{
    if (k.of.kernel == 3)
        gradients<3, T>(k, memory);
    else if (k.of.kernel == 5)
        gradients<5, T>(k, memory);
    else if (k.of.kernel == 7)
        gradients<7, T>(k, memory);
    else
        gradients<0, T>(k, memory);
}

} // namespace

KERNEL_EACH_SHARED(depthwise_moments, kernel_depthwise_moments, MOMENTS_SHARED)
KERNEL_EACH(depthwise_infer, kernel_depthwise_infer)
KERNEL_EACH_SHARED(depthwise_backward, kernel_depthwise_backward, 8 * SUMS_AT_ONCE * KERNEL_THREADS)
