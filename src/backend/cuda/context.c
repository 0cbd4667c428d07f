/*
 * context.c - one network on a device: its memory, its convolution plans, and the copies of its values to and from the
 * host.
 *
 * One allocation holds the network's arena (nn/network.c), then the context's own memory: float32 weights, velocity,
 * gradients, copies of the weights in the storage type, a buffer in the canonical layout for copies to and from the
 * host, and what each step sends.
 *
 * Plans are chosen when the network is made, and a bound limits their workspace.  When memory is short, what is idle on
 * the device is freed; if that isn't enough, the bound is halved and plans are chosen again, down to no workspace.
 */
#include <stdlib.h>
#include <string.h>

#include "backend/cuda/context.h"
#include "util/bug.h"
#include "util/memory.h"
#include "util/text.h"

static size_t tickets_bytes(const struct plan *plan)
{
    int most = 1;
    for (int i = 0; i < plan->op_count; i++) {
        const struct op *op = &plan->ops[i];
        int tickets = op->kind == OP_DEPTHWISE_BN_RELU ? KERNEL_DEPTHWISE_TICKETS(op->channels, op->kernel)
                                                       : KERNEL_TICKETS(op->channels);
        most = tickets > most ? tickets : most;
    }
    return (size_t)most * sizeof(unsigned);
}

/* Point the context into its allocation, and return how large that is.  Without an allocation it only counts. */
static size_t lay_out(struct context *context, size_t arena)
{
    const struct weight_layout *layout = &context->layout;
    struct memory memory = {(uintptr_t)context->memory, aligned(arena)};
    size_t storage = storage_bytes(context->storage);
    context->values = memory_take(&memory, (size_t)layout->total * sizeof(float));
    context->copies = context->values;
    if (context->storage != STORAGE_F32)
        context->copies = memory_take(&memory, (size_t)layout->weights * storage);
    if (context->training) {
        context->velocity = memory_take(&memory, (size_t)layout->trained * sizeof(float));
        context->average = memory_take(&memory, (size_t)layout->total * sizeof(float));
        context->weight_gradients = memory_take(&memory, (size_t)layout->weights * storage);
        context->vector_gradients = memory_take(&memory, (size_t)(layout->trained - layout->weights) * sizeof(float));
    }
    context->canonical = memory_take(&memory, (size_t)context->plan->total * sizeof(float));
    context->parts = memory_take(&memory, (size_t)layout->part_count * sizeof(struct kernel_part));
    struct kernel_loss_scale *loss_scale = memory_take(&memory, sizeof(struct kernel_loss_scale));
    context->loss_scale = context->storage == STORAGE_F16 ? loss_scale : NULL;
    context->queue = memory_take(&memory, upload_bytes(context, upload_steps(context)));
    context->step = memory_take(&memory, sizeof(struct kernel_step));
    context->labels = memory_take(&memory, (size_t)context->batch * sizeof(uint16_t));
    context->tickets = memory_take(&memory, tickets_bytes(context->plan));
    return memory.used;
}

static bool allocate(struct context *context, void **memory, size_t bytes, const char *what)
{
    cudaError_t status = device_memory(context->gpu, memory, bytes);
    if (status == cudaErrorMemoryAllocation) {
        char size[TEXT_SHORT];
        cudaGetLastError();
        context_fail(context, DEVICE_NO_MEMORY,
                     "%s takes %s, which the device can't give now; use a smaller batch, fewer trainers, or a limit on "
                     "parameters or memory",
                     what, text_bytes(size, (double)bytes));
        return false;
    }
    return check_cuda(context, status, what);
}

/* Cut the stream's pinned memory into the uploads and the results. */
static bool make_uploads(struct context *context)
{
    struct stream *stream = context->stream;
    size_t upload = aligned(upload_bytes(context, upload_steps(context)));
    size_t results = KERNEL_RESULTS * sizeof(struct kernel_result), all = UPLOADS * upload + results;
    if (stream->pinned_bytes < all) {
        if (!check_cuda(context, cudaFreeHost(stream->pinned), "pinned memory"))
            return false;
        stream->pinned = NULL;
        stream->pinned_bytes = 0;
        if (!check_cuda(context, cudaMallocHost(&stream->pinned, all), "pinned memory"))
            return false;
        stream->pinned_bytes = all;
    }
    for (int i = 0; i < UPLOADS; i++)
        context->uploads[i] = (struct kernel_queue *)((char *)stream->pinned + (size_t)i * upload);
    context->results = (struct kernel_result *)((char *)stream->pinned + UPLOADS * upload);
    memset(context->results, 0, results);
    for (int i = 0; i < LAUNCHES; i++)
        if (!check_cuda(context,
                        cudaEventCreateWithFlags(&context->launches[i], cudaEventDisableTiming | cudaEventBlockingSync),
                        "making an event"))
            return false;
    return true;
}

/* Find a plan for each of the network's convolutions within `most` bytes of workspace; `*needed` is what they take. */
static cudnnStatus_t find_plans(struct context *context, int64_t most, int64_t *needed)
{
    const struct plan *plan = context->plan;
    struct stream *stream = context->stream;
    *needed = 0;
    for (int i = 0; i < plan->op_count; i++) {
        const struct op *op = &plan->ops[i];
        for (enum conv_direction direction = 0; direction < CONV_DIRECTIONS; direction++) {
            if (!conv_is_needed(op, direction, context->training))
                continue;
            struct conv_shape shape = conv_shape_of(plan, op, context->batch, context->storage);
            cudnnStatus_t status = conv_plans_find(&stream->plans, stream->conv_device, &shape, direction, most,
                                                   &context->plans[i][direction]);
            if (status != CUDNN_STATUS_SUCCESS)
                return status;
            if (context->plans[i][direction]->workspace > *needed)
                *needed = context->plans[i][direction]->workspace;
        }
    }
    return CUDNN_STATUS_SUCCESS;
}

static bool grow_workspace(struct context *context, int64_t bytes)
{
    struct stream *stream = context->stream;
    if ((int64_t)stream->workspace_bytes >= bytes)
        return true;
    cudaError_t status = cudaFree(stream->workspace);
    stream->workspace = NULL;
    stream->workspace_bytes = 0;
    if (status == cudaSuccess)
        status = device_memory(context->gpu, &stream->workspace, (size_t)bytes);
    if (status == cudaErrorMemoryAllocation) {
        cudaGetLastError();
        return false;
    }
    if (check_cuda(context, status, "workspace for convolutions"))
        stream->workspace_bytes = (size_t)bytes;
    return context->status == DEVICE_FINE;
}

static void choose_plans(struct context *context)
{
    int64_t most = CONV_WORKSPACE_MOST;
    for (;;) {
        int64_t needed;
        cudnnStatus_t status = find_plans(context, most, &needed);
        bool short_of_memory =
            most < CONV_WORKSPACE_MOST && CUDNN_STATUS_CATEGORY(status) == CUDNN_STATUS_NOT_SUPPORTED;
        if (short_of_memory)
            context_fail(context, DEVICE_NO_MEMORY, "no memory for the workspace of convolutions");
        if (short_of_memory || !check_cudnn(context, status, "choosing convolutions"))
            return;
        if (grow_workspace(context, needed) || context->status != DEVICE_FINE)
            return;
        most = needed / 2;
    }
}

/* A max pool remembers for its backward pass where it found each value, in sixteen bits. */
static bool pools_fit(struct context *context)
{
    for (int i = 0; i < context->plan->op_count && context->training; i++) {
        const struct op *op = &context->plan->ops[i];
        if (op->pool == POOL_MAX && op->pool_size > POOL_SIZE_MAX)
            context_fail(context, DEVICE_REFUSED,
                         "a max pool of %d pixels a side can't be trained there, %d is the most; use smaller pools or "
                         "train on the CPU",
                         op->pool_size, POOL_SIZE_MAX);
    }
    return context->status == DEVICE_FINE;
}

static void start(struct context *context)
{
    cudaStream_t stream = context->stream->handle;
    const struct weight_layout *layout = &context->layout;
    size_t parts = (size_t)layout->part_count * sizeof(struct kernel_part);
    if (!check_cuda(context, cudaMemcpyAsync(context->parts, layout->parts, parts, cudaMemcpyHostToDevice, stream),
                    "sending the layout of the weights"))
        return;
    if (!check_cuda(context, cudaMemsetAsync(context->tickets, 0, tickets_bytes(context->plan), stream),
                    "clearing the tickets"))
        return;
    if (context->training &&
        !check_cuda(context, cudaMemsetAsync(context->velocity, 0, (size_t)layout->trained * sizeof(float), stream),
                    "clearing the velocity"))
        return;
    static const struct kernel_loss_scale first = {.scale = 32768};
    if (context->loss_scale)
        check_cuda(context, cudaMemcpyAsync(context->loss_scale, &first, sizeof first, cudaMemcpyHostToDevice, stream),
                   "sending the scale of the loss");
}

static struct context *context_new(const struct backend *backend, const struct plan *plan, int batch, bool training)
{
    const struct cuda_backend *cuda = (const struct cuda_backend *)backend;
    struct context *context = memory_new(1, sizeof *context);
    *context = (struct context){
        .gpu = cuda->gpu, .storage = cuda->storage, .plan = plan, .batch = batch, .training = training};
    weight_layout_of(plan, &context->layout);
    return context;
}

size_t context_bytes(const struct backend *backend, const struct plan *plan, int batch, bool training, size_t bytes)
{
    struct context *context = context_new(backend, plan, batch, training);
    size_t all = lay_out(context, bytes);
    free(context);
    return all;
}

void *context_open(const struct backend *backend, const struct plan *plan, int batch, bool training, size_t bytes,
                   void **memory, enum device_trouble *status, struct error *error)
{
    struct context *context = context_new(backend, plan, batch, training);
    for (int t = 0; t < plan->tensor_count; t++)
        if (plan->tensors[t].before || plan->tensors[t].after)
            context->shared[plan->tensors[t].buffer] = true;
    if (pools_fit(context) && select_device(context) && (context->stream = stream_acquire(context)) &&
        make_uploads(context) && allocate(context, &context->memory, lay_out(context, bytes), "this network")) {
        lay_out(context, bytes);
        choose_plans(context);
    }
    if (context->status == DEVICE_FINE)
        start(context);
    if (context->status != DEVICE_FINE) {
        *status = context->status;
        error_set(error, "%s", context->reason.text);
        context_close(context);
        return NULL;
    }
    *memory = context->memory;
    return context;
}

void context_close(void *opaque)
{
    struct context *context = opaque;
    cudaSetDevice(context->gpu->ordinal);
    if (context->stream && context->status == DEVICE_FINE)
        synchronise(context); /* before the stream serves another network */
    for (int i = 0; i < context->graph_count; i++)
        step_graph_done(&context->graphs[i]);
    for (int i = 0; i < LAUNCHES; i++)
        if (context->launches[i])
            cudaEventDestroy(context->launches[i]);
    cudaFree(context->memory);
    for (int i = 0; i < DATA_SETS_HELD; i++)
        data_set_release(context->gpu, context->data_sets[i]);
    stream_release(context);
    cudaGetLastError();
    free(context);
}

enum device_trouble context_status(void *opaque, struct error *error)
{
    struct context *context = opaque;
    if (context->status != DEVICE_FINE)
        error_set(error, "%s", context->reason.text);
    return context->status;
}

static void pack(struct context *context, float *values, void *copies, int first, int count)
{
    struct kernel_pack arguments = {context->parts + first, context->canonical, values, copies};
    if (count)
        launch(context, KERNEL_pack, context->storage, kernel_grid_parts(count), &arguments);
}

static int64_t count_of(const struct context *context, enum flat which)
{
    return which == FLAT_VALUES || which == FLAT_AVERAGE ? context->plan->total : context->plan->trained;
}

void context_write(void *opaque, enum flat which, const float *canonical)
{
    struct context *context = opaque;
    const struct weight_layout *layout = &context->layout;
    int64_t count = count_of(context, which);
    steps_run(context);
    if (!select_device(context) ||
        !check_cuda(context,
                    cudaMemcpyAsync(context->canonical, canonical, (size_t)count * sizeof(float),
                                    cudaMemcpyHostToDevice, context->stream->handle),
                    "sending weights"))
        return;
    if (which == FLAT_VALUES) {
        pack(context, context->values, context->storage == STORAGE_F32 ? NULL : context->copies, 0,
             layout->weight_parts);
        pack(context, context->values, NULL, layout->weight_parts, layout->part_count - layout->weight_parts);
    } else if (which == FLAT_AVERAGE) {
        context->averages = true;
        pack(context, context->average, NULL, 0, layout->part_count);
    } else {
        ASSERT(which == FLAT_VELOCITY && context->training);
        pack(context, context->velocity, NULL, 0, layout->trained_parts);
    }
    if (context->status == DEVICE_FINE)
        synchronise(context); /* the caller may reuse the host's buffer */
}

static void unpack(struct context *context, const void *values, enum storage storage, bool scaled, int first, int count)
{
    struct kernel_unpack arguments = {context->parts + first, scaled ? context->loss_scale : NULL, values,
                                      context->canonical};
    if (count)
        launch(context, KERNEL_unpack, storage, kernel_grid_parts(count), &arguments);
}

void context_read(void *opaque, enum flat which, float *canonical)
{
    struct context *context = opaque;
    const struct weight_layout *layout = &context->layout;
    int64_t count = count_of(context, which);
    steps_run(context);
    if (!select_device(context))
        return;
    if (which == FLAT_VALUES)
        unpack(context, context->values, STORAGE_F32, false, 0, layout->part_count);
    else if (which == FLAT_AVERAGE)
        unpack(context, context->average, STORAGE_F32, false, 0, layout->part_count);
    else if (which == FLAT_VELOCITY)
        unpack(context, context->velocity, STORAGE_F32, false, 0, layout->trained_parts);
    else {
        /* The offsets of vectors count from the first weight. */
        unpack(context, context->weight_gradients, context->storage, true, 0, layout->weight_parts);
        unpack(context, context->vector_gradients - layout->weights, STORAGE_F32, true, layout->weight_parts,
               layout->trained_parts - layout->weight_parts);
    }
    context_download(context, canonical, context->canonical, (size_t)count * sizeof(float));
}

void context_download(void *opaque, void *to, const void *from, size_t bytes)
{
    struct context *context = opaque;
    steps_run(context);
    if (select_device(context) &&
        check_cuda(context, cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, context->stream->handle),
                   "fetching from the device"))
        synchronise(context);
}
