/*
 * squeeze.cu - squeeze and excitation: each channel of an image times a gate that follows from the averages of all
 * channels (nn/backend.h has the formulas).
 *
 * A block does one image: its averages, both linear layers, and the product.  The map is read twice, the second time
 * from a cache.  What lies between lies in device memory, since backward reads it.  The gradients of the weights are
 * sums over the images, and take another launch: a thread has one weight, and goes through the images in their order.
 */
#include "kernels/device.cuh"

namespace
{

__device__ inline octet gates_of(const octet &excited)
{
    octet gates;
    for (int i = 0; i < 8; i++) {
        const float s = excited.at[i];
        gates.at[i] = s <= -3 ? 0 : s >= 3 ? 2 : 1 + s / 3;
    }
    return gates;
}

__device__ inline int image_row(const kernel_squeeze &k)
{
    return (int)blockIdx.x * k.positions;
}

/* The part of an array of all images that is this block's. */
__device__ inline float *of_image(float *values, int size)
{
    return values + (int64_t)blockIdx.x * KERNEL_ROUND(size);
}

/* sums[c] = the sum over the image's rows of value(place, row), times `factor`. */
template <typename F>
__device__ void sum_image(const kernel_squeeze &k, float factor, float *sums, float *memory, const F &value)
{
    for (int block = 0; block < KERNEL_OCTET_BLOCKS(k.channels); block++) {
        const thread_place place(k.channels, KERNEL_BLOCK_OCTETS(k.channels), block);
        octet sum[1] = {};
        for (int row = place.row; place.active && row < k.positions; row += place.rows_at_once)
            add_octet(sum[0], value(place, image_row(k) + row));
        block_sums(place, sum, 0, memory);
        for (int i = 0; place.active && place.row == 0 && i < 8; i++)
            sums[place.channel + i] = memory[i * KERNEL_THREADS + threadIdx.x] * factor;
        __syncthreads();
    }
}

/* Store value(place, row) in each row of the image. */
template <typename T, typename F>
__device__ void fill_image(const kernel_squeeze &k, const kernel_map &map, const F &value)
{
    for (int block = 0; block < KERNEL_OCTET_BLOCKS(k.channels); block++) {
        const thread_place place(k.channels, KERNEL_BLOCK_OCTETS(k.channels), block);
        const column<T> to(map, place.channel);
        for (int row = place.row; place.active && row < k.positions; row += place.rows_at_once)
            to.store(image_row(k) + row, value(place, image_row(k) + row));
    }
}

template <typename T> __device__ void clear_image(const kernel_squeeze &k, const kernel_map &map)
{
    fill_image<T>(k, map, [](const thread_place &, int) { return zero_octet(); });
}

/* A matrix of weights, or its transpose. */
template <typename T> struct matrix {
    const T *values;
    int rows, columns;
    int row_stride, column_stride;

    __device__ float get(int row, int column) const
    {
        return storage<T>::read(values[(int64_t)row * row_stride + (int64_t)column * column_stride]);
    }
};

/* As they lie: rows and columns are rounded up. */
template <typename T> __device__ matrix<T> squeeze_of(const kernel_squeeze &k)
{
    const int rows = KERNEL_ROUND(k.units), columns = KERNEL_ROUND(k.channels);
    return {static_cast<const T *>(k.squeeze), rows, columns, columns, 1};
}

template <typename T> __device__ matrix<T> excite_of(const kernel_squeeze &k)
{
    const int rows = KERNEL_ROUND(k.channels), columns = KERNEL_ROUND(k.units);
    return {static_cast<const T *>(k.excite), rows, columns, columns, 1};
}

template <typename T> __device__ matrix<T> transpose(const matrix<T> &m)
{
    return {m.values, m.columns, m.rows, m.column_stride, m.row_stride};
}

/* store(row, row of the matrix times x): several threads add up a row where there are few. */
template <typename T, typename F>
__device__ void multiply(const matrix<T> &weights, const float *x, float *memory, const F &store)
{
    const int me = (int)threadIdx.x;
    for (int first = 0; first < weights.rows; first += KERNEL_THREADS) {
        const channel_lanes at(first, min(KERNEL_THREADS, weights.rows - first));
        float sum = 0;
        for (int i = at.lane; at.active && i < weights.columns; i += at.lanes)
            sum += weights.get(at.channel, i) * x[i];
        memory[me] = sum;
        for (int half = at.lanes / 2; half > 0; half /= 2) {
            __syncthreads();
            if (at.lane < half)
                memory[me] += memory[me + half];
        }
        if (at.active && at.lane == 0)
            store(at.channel, memory[me]);
        __syncthreads();
    }
}

template <typename T> __device__ void squeeze_forward(const kernel_squeeze &k, float *memory)
{
    if ((int)blockIdx.x >= k.step->count) {
        clear_image<T>(k, k.y);
        return;
    }
    float *mean = of_image(k.mean, k.channels), *squeezed = of_image(k.squeezed, k.units);
    float *excited = of_image(k.excited, k.channels);
    sum_image(k, 1 / (float)k.positions, mean, memory,
              [&](const thread_place &place, int row) { return column<T>(k.x, place.channel).load(row); });
    multiply(squeeze_of<T>(k), mean, memory, [&](int unit, float sum) {
        const float value = sum + k.squeeze_bias[unit];
        squeezed[unit] = value < 0 ? 0 : value;
    });
    multiply(excite_of<T>(k), squeezed, memory,
             [&](int channel, float sum) { excited[channel] = sum + k.excite_bias[channel]; });
    fill_image<T>(k, k.y, [&](const thread_place &place, int row) {
        octet value = column<T>(k.x, place.channel).load(row);
        const octet gates = gates_of(load_channels(excited, place.channel));
        for (int i = 0; i < 8; i++)
            value.at[i] *= gates.at[i];
        return value;
    });
}

template <typename T> __device__ void squeeze_backward(const kernel_squeeze &k, float *memory)
{
    if ((int)blockIdx.x >= k.step->count) {
        if (k.dx.data)
            clear_image<T>(k, k.dx);
        return;
    }
    const float *squeezed = of_image(k.squeezed, k.units), *excited = of_image(k.excited, k.channels);
    float *mean_gradient = of_image(k.mean_gradient, k.channels);
    float *squeezed_gradient = of_image(k.squeezed_gradient, k.units);
    float *excited_gradient = of_image(k.excited_gradient, k.channels);
    sum_image(k, 1 / 3.0f, excited_gradient, memory, [&](const thread_place &place, int row) {
        octet product = column<T>(k.dy, place.channel).load(row);
        const octet x = column<T>(k.x, place.channel).load(row);
        const octet s = load_channels(excited, place.channel);
        for (int i = 0; i < 8; i++)
            product.at[i] = s.at[i] > -3 && s.at[i] < 3 ? product.at[i] * x.at[i] : 0;
        return product;
    });
    multiply(transpose(excite_of<T>(k)), excited_gradient, memory,
             [&](int unit, float sum) { squeezed_gradient[unit] = squeezed[unit] > 0 ? sum : 0; });
    if (!k.dx.data)
        return;
    multiply(transpose(squeeze_of<T>(k)), squeezed_gradient, memory,
             [&](int channel, float sum) { mean_gradient[channel] = sum / (float)k.positions; });
    fill_image<T>(k, k.dx, [&](const thread_place &place, int row) {
        octet gradient = column<T>(k.dy, place.channel).load(row);
        const octet gates = gates_of(load_channels(excited, place.channel));
        for (int i = 0; i < 8; i++)
            gradient.at[i] = gates.at[i] * gradient.at[i] + mean_gradient[place.channel + i];
        return gradient;
    });
}

/* The sum over the images of gradient[o] x[i]; without x, of gradient[o]. */
__device__ inline float sum_products(const kernel_squeeze &k, const float *gradient, int outputs, int o, const float *x,
                                     int inputs, int i)
{
    float sum = 0;
    for (int image = 0; image < k.step->count; image++)
        sum += gradient[(int64_t)image * outputs + o] * (x ? x[(int64_t)image * inputs + i] : 1);
    return sum;
}

template <typename T> __device__ void squeeze_weights(const kernel_squeeze &k)
{
    const int channels = KERNEL_ROUND(k.channels), units = KERNEL_ROUND(k.units), size = channels * units;
    const int step = (int)gridDim.x * KERNEL_THREADS;
    for (int i = (int)(blockIdx.x * KERNEL_THREADS + threadIdx.x); i < 2 * size + units + channels; i += step) {
        int at = i;
        if (at < size) {
            static_cast<T *>(k.squeeze_gradient)[at] = storage<T>::round(
                sum_products(k, k.squeezed_gradient, units, at / channels, k.mean, channels, at % channels));
        } else if ((at -= size) < size) {
            static_cast<T *>(k.excite_gradient)[at] = storage<T>::round(
                sum_products(k, k.excited_gradient, channels, at / units, k.squeezed, units, at % units));
        } else if ((at -= size) < units) {
            k.squeeze_bias_gradient[at] = sum_products(k, k.squeezed_gradient, units, at, nullptr, 0, 0);
        } else {
            at -= units;
            k.excite_bias_gradient[at] = sum_products(k, k.excited_gradient, channels, at, nullptr, 0, 0);
        }
    }
}

} // namespace

KERNEL_EACH_SHARED(squeeze_forward, kernel_squeeze, 8 * KERNEL_THREADS)
KERNEL_EACH_SHARED(squeeze_backward, kernel_squeeze, 8 * KERNEL_THREADS)
KERNEL_EACH(squeeze_weights, kernel_squeeze)
