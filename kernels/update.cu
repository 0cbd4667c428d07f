/*
 * update.cu - a step of SGD, the average of the weights, the next step's batch, and the loss scale of half precision.
 */
#include "kernels/load.cuh"

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

template <typename T> __device__ octet gradient_at(const kernel_trained &of, int64_t at)
{
    return at < of.weights ? load_aligned(static_cast<const T *>(of.gradients) + at)
                           : load_aligned(of.vector_gradients + (at - of.weights));
}

template <typename T> __device__ void check(const kernel_check &k)
{
    bool overflow = false;
    for (octet_walk walk; walk.at < k.of.trained; walk.at += walk.step) {
        const octet gradient = gradient_at<T>(k.of, walk.at);
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

template <typename T>
__device__ void descend(const kernel_update &k, const kernel_step &step, float unscale, int64_t at, octet &values)
{
    const octet gradient = gradient_at<T>(k.of, at);
    octet velocity = load_aligned(k.velocity + at);
    for (int i = 0; i < 8; i++) {
        const float g = gradient.at[i] * unscale + step.weight_decay * values.at[i];
        const float v = step.momentum * velocity.at[i] + g;
        velocity.at[i] = v;
        values.at[i] -= step.rate * (step.nesterov ? g + step.momentum * v : v);
    }
    store_aligned(k.values + at, values);
    store_aligned(k.velocity + at, velocity);
    if (k.copies && at < k.of.weights)
        store_aligned(static_cast<T *>(k.copies) + at, values);
}

template <typename T> __device__ void update(const kernel_update &k)
{
    const kernel_queue *queue = k.next.queue;
    if (blockIdx.y == 1) {
        if (queue->next < queue->count)
            load<T>(k.next);
        return;
    }
    const kernel_step step = *KERNEL_QUEUE_STEP(queue, k.next.batch, queue->next - 1);
    const float unscale = k.loss_scale ? 1 / k.loss_scale->scale : 1;
    const int64_t trained = is_skipped(k.loss_scale) ? 0 : k.of.trained, end = k.average ? k.of.total : trained;
    for (octet_walk walk; walk.at < end; walk.at += walk.step) {
        octet values = load_aligned(k.values + walk.at);
        if (walk.at < trained)
            descend<T>(k, step, unscale, walk.at, values);
        if (!k.average)
            continue;
        octet average = load_aligned(k.average + walk.at);
        for (int i = 0; i < 8; i++)
            average.at[i] += step.average_share * (values.at[i] - average.at[i]);
        store_aligned(k.average + walk.at, average);
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

} // namespace

KERNEL_EACH(check, kernel_check)
KERNEL_EACH(update, kernel_update)
KERNEL(scale, kernel_scale, adjust_scale(k.loss_scale))
