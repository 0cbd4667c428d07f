/*
 * update.cu - a step of SGD, the average of the weights, and the loss scale of half precision.
 */
#include "kernels/device.cuh"

namespace
{

/* This thread's octets of a flat buffer. */
struct octet_walk {
    int64_t at, step;

    __device__ octet_walk()
        : at(8 * (int64_t)(blockIdx.x * KERNEL_THREADS + threadIdx.x)), step(8 * (int64_t)gridDim.x * KERNEL_THREADS)
    {
    }
};

template <typename T> __device__ void check(const kernel_check &k)
{
    bool overflow = false;
    for (octet_walk walk; walk.at < k.count; walk.at += walk.step) {
        const octet gradient = load_aligned(static_cast<const T *>(k.gradients) + walk.at);
        for (int i = 0; i < 8; i++)
            overflow = overflow || !(fabsf(gradient.at[i]) < INFINITY);
    }
    if (overflow)
        k.loss_scale->overflow = 1; /* all threads that write, write 1 */
}

__device__ bool is_skipped(const kernel_loss_scale *loss_scale)
{
    return loss_scale && loss_scale->overflow && loss_scale->scale > 1;
}

template <typename T> __device__ void update(const kernel_update &k)
{
    if (is_skipped(k.loss_scale))
        return;
    const kernel_step step = *k.step;
    const float unscale = k.loss_scale ? 1 / k.loss_scale->scale : 1;
    for (octet_walk walk; walk.at < k.count; walk.at += walk.step) {
        const octet gradient = load_aligned(static_cast<const T *>(k.gradients) + walk.at);
        octet values = load_aligned(k.values + walk.at), velocity = load_aligned(k.velocity + walk.at);
        for (int i = 0; i < 8; i++) {
            const float g = gradient.at[i] * unscale + step.weight_decay * values.at[i];
            const float v = step.momentum * velocity.at[i] + g;
            velocity.at[i] = v;
            values.at[i] -= step.rate * (step.nesterov ? g + step.momentum * v : v);
        }
        store_aligned(k.values + walk.at, values);
        store_aligned(k.velocity + walk.at, velocity);
        if (k.copies)
            store_aligned(static_cast<T *>(k.copies) + walk.at, values);
    }
}

__device__ void adjust_scale(kernel_loss_scale *loss_scale)
{
    if (blockIdx.x > 0 || threadIdx.x > 0)
        return;
    kernel_loss_scale next = *loss_scale;
    if (next.overflow) {
        next.scale = fmaxf(next.scale / 2, 1);
        next.good_steps = 0;
    } else if (++next.good_steps == KERNEL_GOOD_STEPS) {
        next.scale *= 2;
        next.good_steps = 0;
    }
    next.overflow = 0;
    *loss_scale = next;
}

__device__ void move_average(const kernel_average &k)
{
    const float share = k.step->average_share;
    for (octet_walk walk; walk.at < k.count; walk.at += walk.step) {
        const octet values = load_aligned(k.values + walk.at);
        octet average = load_aligned(k.average + walk.at);
        for (int i = 0; i < 8; i++)
            average.at[i] += share * (values.at[i] - average.at[i]);
        store_aligned(k.average + walk.at, average);
    }
}

} // namespace

KERNEL_EACH(check, kernel_check)
KERNEL_EACH(update, kernel_update)
KERNEL(scale, kernel_scale, adjust_scale(k.loss_scale))
KERNEL(average, kernel_average, move_average(k))
