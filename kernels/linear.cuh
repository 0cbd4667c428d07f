/*
 * linear.cuh - the products of a small fully connected layer (kernel_linear), which other kernels compute on their way:
 * a launch of their own would take longer than they do.
 */
#ifndef ESPALIER_KERNELS_LINEAR_CUH
#define ESPALIER_KERNELS_LINEAR_CUH

#include "kernels/device.cuh"

namespace
{

/* The product of two rows of `count` values, a multiple of 8. */
template <typename T> __device__ float row_product(const T *a, const T *b, int count)
{
    float sum = 0;
    for (int i = 0; i < count; i += 8) {
        const octet left = load_aligned(a + i), right = load_aligned(b + i);
        for (int j = 0; j < 8; j++)
            sum += left.at[j] * right.at[j];
    }
    return sum;
}

/* An octet of an image's input gradient: of its row of output gradients, and of a column of the weights. */
template <typename T>
__device__ octet linear_input_gradient(const kernel_linear &k, const T *output_gradients, int outputs, int input)
{
    const T *weight = static_cast<const T *>(k.weight) + input;
    octet sum = zero_octet();
    for (int output = 0; output < outputs; output++) {
        const float gradient = storage<T>::read(__ldcg(output_gradients + output));
        const octet values = load_aligned(weight + (int64_t)output * k.inputs);
        for (int i = 0; i < 8; i++)
            sum.at[i] += gradient * values.at[i];
    }
    return sum;
}

enum { LINEAR_SHARED = 8 * KERNEL_THREADS };

/* All threads of a block: the weights' gradients of eight outputs, from `output` on, over `count` images.  A thread
   sums one octet of inputs of one output over some of the images; a tree reduction adds the sums. */
template <typename T>
__device__ void linear_weight_gradients(const kernel_linear &k, const T *output_gradients, int outputs, int output,
                                        int count, float *memory)
{
    const int me = (int)threadIdx.x, octets = k.inputs / 8, items = 8 * octets;
    const int width = min(items, (int)KERNEL_THREADS), lanes = KERNEL_THREADS / width, lane = me / width;
    for (int first = 0; first < items; first += width) {
        const int item = first + me % width, row = output + item / octets, input = item % octets * 8;
        const bool active = lane < lanes && item < items;
        octet sum = zero_octet();
        for (int image = lane; active && image < count; image += lanes) {
            const float gradient = storage<T>::read(__ldcg(output_gradients + (int64_t)image * outputs + row));
            const octet x = load_aligned(static_cast<const T *>(k.x) + (int64_t)image * k.inputs + input);
            for (int i = 0; i < 8; i++)
                sum.at[i] += gradient * x.at[i];
        }
        for (int i = 0; i < 8; i++)
            memory[i * KERNEL_THREADS + me] = sum.at[i];
        for (int half = tree_top(lanes); half > 0; half /= 2) {
            __syncthreads();
            if (lane < half && lane + half < lanes)
                for (int i = 0; i < 8; i++)
                    memory[i * KERNEL_THREADS + me] += memory[i * KERNEL_THREADS + me + half * width];
        }
        if (active && lane == 0) {
            for (int i = 0; i < 8; i++)
                sum.at[i] = memory[i * KERNEL_THREADS + me];
            store_aligned(static_cast<T *>(k.weight_gradient) + (int64_t)row * k.inputs + input, sum);
        }
        __syncthreads();
    }
}

} // namespace

#endif
