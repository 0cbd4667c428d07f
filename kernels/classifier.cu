/*
 * classifier.cu - product, bias, softmax, cross-entropy and its gradient; the sums over a batch.
 *
 * 32 threads work on an image: they compute its product with the weights, find its largest logit (the first of equal
 * ones), then the sum of exponentials relative to it, then loss and gradient.  The last block adds the losses (in
 * double), hits and gradients of all images, in a fixed order.
 */
#include "kernels/linear.cuh"

namespace
{

enum { CLASSIFIER_SHARED = 2 * KERNEL_THREADS };

/* The largest logit of an image, and its class in `*where`; all of the image's 32 threads get them. */
__device__ float largest_logit(const float *linear, const float *bias, int classes, float *memory, int *where)
{
    const int me = (int)threadIdx.x, lane = me % 32;
    float best = -INFINITY, *values = memory;
    int at = 0;
    for (int c = lane; c < classes; c += 32)
        if (linear[c] + bias[c] > best) {
            best = linear[c] + bias[c];
            at = c;
        }
    int *classes_at = reinterpret_cast<int *>(memory + KERNEL_THREADS);
    values[me] = best;
    classes_at[me] = at;
    for (int half = 16; half > 0; half /= 2) {
        __syncthreads();
        if (lane >= half)
            continue;
        const float other = values[me + half];
        const bool earlier = other == values[me] && classes_at[me + half] < classes_at[me];
        if (other > values[me] || earlier) {
            values[me] = other;
            classes_at[me] = classes_at[me + half];
        }
    }
    __syncthreads();
    *where = classes_at[me - lane];
    best = values[me - lane];
    __syncthreads();
    return best;
}

__device__ float sum_exponentials(const float *linear, const float *bias, int classes, float top, float *memory)
{
    const int me = (int)threadIdx.x, lane = me % 32;
    float sum = 0;
    for (int c = lane; c < classes; c += 32)
        sum += expf(linear[c] + bias[c] - top);
    memory[me] = sum;
    for (int half = 16; half > 0; half /= 2) {
        __syncthreads();
        if (lane < half)
            memory[me] += memory[me + half];
    }
    __syncthreads();
    return memory[me - lane];
}

/* The gradient of one image by class; zero in the padding, and for images beyond the count. */
template <typename T>
__device__ void store_gradient(const kernel_classifier &k, int image, const float *linear, float top, float sum)
{
    const int count = k.step->count, stored = KERNEL_ROUND(k.classes);
    const float scale = k.loss_scale ? k.loss_scale->scale : 1;
    T *gradient = static_cast<T *>(k.gradient) + (int64_t)image * stored;
    for (int c = (int)threadIdx.x % 32; c < stored; c += 32) {
        float value = 0;
        if (image < count && c < k.classes) {
            const float probability = expf(linear[c] + k.bias[c] - top) / sum;
            value = (probability - (k.labels[image] == c ? 1.0f : 0.0f)) / (float)count * scale;
        }
        gradient[c] = storage<T>::round(value);
    }
}

/* The host reads results while the device runs: the count says that the rest is there. */
__device__ void store_result(const kernel_classifier &k, double loss, int correct)
{
    volatile kernel_result *result = &k.results[(k.queue->ring + (unsigned)k.queue->next++) % KERNEL_RESULTS];
    result->loss = loss;
    result->correct = correct;
    __threadfence_system();
    result->count = k.step->count;
}

/* Losses and hits of the batch, into the queue's next result. */
__device__ void sum_losses(const kernel_classifier &k, double *losses, int *hits)
{
    const int me = (int)threadIdx.x;
    double loss = 0;
    int correct = 0;
    for (int image = me; image < k.step->count; image += KERNEL_THREADS) {
        loss += __ldcg(k.losses + image);
        correct += __ldcg(k.hits + image);
    }
    losses[me] = loss;
    hits[me] = correct;
    for (int half = KERNEL_THREADS / 2; half > 0; half /= 2) {
        __syncthreads();
        if (me < half) {
            losses[me] += losses[me + half];
            hits[me] += hits[me + half];
        }
    }
    if (me == 0)
        store_result(k, losses[0], hits[0]);
    __syncthreads();
}

/* The gradient of the bias, by channel: KERNEL_THREADS channels at once, as many threads for each as there are. */
template <typename T> __device__ void sum_bias_gradient(const kernel_classifier &k, float *memory)
{
    const int me = (int)threadIdx.x, stored = KERNEL_ROUND(k.classes);
    for (int first = 0; first < stored; first += KERNEL_THREADS) {
        const channel_lanes at(first, min(stored - first, (int)KERNEL_THREADS));
        const T *gradient = static_cast<const T *>(k.gradient) + at.channel;
        float sum = 0;
        for (int image = at.lane; at.active && image < k.step->count; image += at.lanes)
            sum += storage<T>::read(__ldcg(gradient + (int64_t)image * stored));
        memory[me] = sum;
        for (int half = at.lanes / 2; half > 0; half /= 2) {
            __syncthreads();
            if (at.lane < half)
                memory[me] += memory[me + half];
        }
        if (at.active && at.lane == 0)
            k.bias_gradient[at.channel] = memory[me];
        __syncthreads();
    }
}

/* The product of an image's row of x with each class's row of weights: a thread has the classes that it needs later. */
template <typename T> __device__ void multiply(const kernel_linear &k, int image, int classes, float *linear)
{
    const T *x = static_cast<const T *>(k.x) + (int64_t)image * k.inputs, *weight = static_cast<const T *>(k.weight);
    for (int c = (int)threadIdx.x % 32; c < classes; c += 32)
        linear[c] = row_product(x, weight + (int64_t)c * k.inputs, k.inputs);
}

template <typename T> __device__ void store_input_gradient(const kernel_classifier &k, int image)
{
    const T *gradient = static_cast<const T *>(k.gradient) + (int64_t)image * KERNEL_ROUND(k.classes);
    for (int input = (int)threadIdx.x % 32 * 8; input < k.product.inputs; input += 32 * 8)
        store_aligned(static_cast<T *>(k.product.dx) + (int64_t)image * k.product.inputs + input,
                      linear_input_gradient(k.product, gradient, k.classes, input));
}

template <typename T> __device__ void classifier(const kernel_classifier &k, float *memory, double *doubles)
{
    const int lane = (int)threadIdx.x % 32, image = (int)(blockIdx.x * 8 + threadIdx.x / 32);
    /* Threads without an image must reach the barriers too: for them there are no classes. */
    const bool counted = image < k.step->count;
    const int classes = counted ? k.classes : 0;
    float *linear = k.linear + (int64_t)(counted ? image : 0) * KERNEL_ROUND(k.classes);
    if (k.product.x)
        multiply<T>(k.product, image, classes, linear);
    int best;
    const float top = largest_logit(linear, k.bias, classes, memory, &best);
    const float sum = sum_exponentials(linear, k.bias, classes, top, memory);
    if (k.gradient && image < k.batch)
        store_gradient<T>(k, image, linear, top, sum);
    for (int c = lane; k.logits && counted && c < k.classes; c += 32)
        k.logits[(int64_t)image * k.classes + c] = linear[c] + k.bias[c];
    if (k.labels && counted && lane == 0) {
        const int label = k.labels[image];
        k.losses[image] = top - (linear[label] + k.bias[label]) + logf(sum);
        k.hits[image] = best == label;
    }
    if (k.product.dx) {
        __syncthreads();
        if (image < k.batch)
            store_input_gradient<T>(k, image);
    }
    if (!is_last_block(k.tickets, memory))
        return;
    if (k.labels)
        sum_losses(k, doubles, reinterpret_cast<int *>(memory));
    if (k.gradient)
        sum_bias_gradient<T>(k, memory);
}

} // namespace

#define CLASSIFIER(suffix, type)                                                                                       \
    KERNEL(classifier_##suffix, kernel_classifier, SHARED(float, shared, CLASSIFIER_SHARED);                           \
           SHARED(double, doubles, KERNEL_THREADS); classifier<type>(k, shared, doubles))
CLASSIFIER(f32, float)
CLASSIFIER(bf16, __nv_bfloat16)
CLASSIFIER(f16, __half)
