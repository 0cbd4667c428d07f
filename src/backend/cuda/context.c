/*
 * context.c - one network on a device: its memory, and its values on their way between the host and there.
 *
 * One allocation holds the walker's arena, then what is the context's own: masters, velocity, gradients, copies of the
 * weights in the storage type, a canonical buffer for the way in and out, and what goes up with each walk.
 *
 * Plans are chosen when the network is made, under a bounded workspace.  When memory is short the bound is halved and
 * plans are chosen again, down to none; before that what is idle on the device gives its memory back.
 */
#include <stdlib.h>
#include <string.h>

#include "backend/cuda/internal.h"
#include "util/bug.h"
#include "util/memory.h"
#include "util/text.h"

/* --- memory --- */

struct pieces {
    size_t bytes;
    size_t values, velocity, copies, weight_gradients, vector_gradients, canonical, parts, loss_scale;
    size_t step, index, augment, labels, result;
};

static size_t take(struct pieces *pieces, size_t bytes)
{
    size_t at = pieces->bytes;
    pieces->bytes += aligned(bytes);
    return at;
}

/* The step, the index and the places of augmentation go up in one copy: they lie as in a slot. */
static size_t upload_bytes(int batch)
{
    return sizeof(struct kernel_step) + (size_t)batch * (sizeof(int32_t) + 3);
}

static struct pieces plan_pieces(const struct context *context, size_t arena)
{
    const struct stored *stored = &context->stored;
    size_t storage = storage_bytes(context->storage);
    struct pieces pieces = {.bytes = aligned(arena)};
    pieces.values = take(&pieces, (size_t)stored->total * sizeof(float));
    if (context->storage != STORAGE_F32)
        pieces.copies = take(&pieces, (size_t)stored->weights * storage);
    if (context->training) {
        pieces.velocity = take(&pieces, (size_t)stored->trained * sizeof(float));
        pieces.weight_gradients = take(&pieces, (size_t)stored->weights * storage);
        pieces.vector_gradients = take(&pieces, (size_t)(stored->trained - stored->weights) * sizeof(float));
    }
    pieces.canonical = take(&pieces, (size_t)context->plan->total * sizeof(float));
    pieces.parts = take(&pieces, (size_t)stored->part_count * sizeof(struct kernel_part));
    pieces.loss_scale = take(&pieces, sizeof(struct kernel_loss_scale));
    pieces.step = take(&pieces, upload_bytes(context->batch));
    pieces.index = pieces.step + sizeof(struct kernel_step);
    pieces.augment = pieces.index + (size_t)context->batch * sizeof(int32_t);
    pieces.labels = take(&pieces, (size_t)context->batch * sizeof(uint16_t));
    pieces.result = take(&pieces, sizeof(struct kernel_result));
    return pieces;
}

static void place_pieces(struct context *context, const struct pieces *pieces)
{
    char *memory = context->memory;
    context->values = (float *)(memory + pieces->values);
    context->copies = memory + (context->storage == STORAGE_F32 ? pieces->values : pieces->copies);
    context->velocity = (float *)(memory + pieces->velocity);
    context->weight_gradients = memory + pieces->weight_gradients;
    context->vector_gradients = (float *)(memory + pieces->vector_gradients);
    context->canonical = (float *)(memory + pieces->canonical);
    context->parts = (struct kernel_part *)(memory + pieces->parts);
    context->loss_scale =
        context->storage == STORAGE_F16 ? (struct kernel_loss_scale *)(memory + pieces->loss_scale) : NULL;
    context->step = (struct kernel_step *)(memory + pieces->step);
    context->index = (int32_t *)(memory + pieces->index);
    context->augment = (int8_t *)(memory + pieces->augment);
    context->labels = (uint16_t *)(memory + pieces->labels);
    context->result = (struct kernel_result *)(memory + pieces->result);
}

static bool allocate(struct context *context, void **memory, size_t bytes, const char *what)
{
    cudaError_t status = device_memory(context->gpu, memory, bytes);
    if (status == cudaErrorMemoryAllocation) {
        char size[TEXT_SHORT];
        cudaGetLastError();
        set_trouble(context, DEVICE_NO_MEMORY,
                    "%s takes %s, which the device can't give now; use a smaller batch, fewer trainers, or a limit on "
                    "parameters or memory",
                    what, text_bytes(size, (double)bytes));
        return false;
    }
    return check_cuda(context, status, what);
}

/* Pinned memory of the lane, cut into slots. */
static bool make_slots(struct context *context)
{
    struct lane *lane = context->lane;
    size_t upload = aligned(upload_bytes(context->batch)), slot = upload + aligned(sizeof(struct kernel_result));
    if (lane->pinned_bytes < slot * SLOTS) {
        if (!check_cuda(context, cudaFreeHost(lane->pinned), "pinned memory"))
            return false;
        lane->pinned = NULL;
        lane->pinned_bytes = 0;
        if (!check_cuda(context, cudaMallocHost(&lane->pinned, slot * SLOTS), "pinned memory"))
            return false;
        lane->pinned_bytes = slot * SLOTS;
    }
    for (int i = 0; i < SLOTS; i++) {
        char *memory = (char *)lane->pinned + (size_t)i * slot;
        context->slots[i].step = (struct kernel_step *)memory;
        context->slots[i].result = (struct kernel_result *)(memory + upload);
        if (!check_cuda(
                context,
                cudaEventCreateWithFlags(&context->slots[i].done, cudaEventDisableTiming | cudaEventBlockingSync),
                "making an event"))
            return false;
    }
    return true;
}

/* --- plans --- */

/* All of the network's within `most` bytes of workspace: how much they need. */
static cudnnStatus_t find_plans(struct context *context, int64_t most, int64_t *needed)
{
    const struct plan *plan = context->plan;
    struct lane *lane = context->lane;
    *needed = 0;
    for (int i = 0; i < plan->op_count; i++) {
        const struct op *op = &plan->ops[i];
        for (enum conv_direction direction = 0; direction < CONV_DIRECTIONS; direction++) {
            if (!conv_wanted(op, direction, context->training))
                continue;
            struct conv_shape shape = conv_shape_of(plan, op, context->batch, context->storage);
            cudnnStatus_t status =
                conv_plans_find(&lane->plans, lane->target, &shape, direction, most, &context->plans[i][direction]);
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
    struct lane *lane = context->lane;
    if ((int64_t)lane->workspace_bytes >= bytes)
        return true;
    cudaError_t status = cudaFree(lane->workspace);
    lane->workspace = NULL;
    lane->workspace_bytes = 0;
    if (status == cudaSuccess)
        status = device_memory(context->gpu, &lane->workspace, (size_t)bytes);
    if (status == cudaErrorMemoryAllocation) {
        cudaGetLastError();
        return false;
    }
    if (check_cuda(context, status, "workspace for convolutions"))
        lane->workspace_bytes = (size_t)bytes;
    return context->trouble == DEVICE_FINE;
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
            set_trouble(context, DEVICE_NO_MEMORY, "no memory for the workspace of convolutions");
        if (short_of_memory || !check_cudnn(context, status, "choosing convolutions"))
            return;
        if (grow_workspace(context, needed) || context->trouble != DEVICE_FINE)
            return;
        most = needed / 2;
    }
}

/* --- life --- */

/* What a backward pass notes of a max pool has sixteen bits. */
static bool pools_fit(struct context *context)
{
    for (int i = 0; i < context->plan->op_count && context->training; i++) {
        const struct op *op = &context->plan->ops[i];
        if (op->pool == POOL_MAX && op->pool_size > POOL_SIZE_MAX)
            set_trouble(context, DEVICE_REFUSED,
                        "a max pool of %d pixels a side can't be trained there, %d is the most; use smaller pools or "
                        "train on the CPU",
                        op->pool_size, POOL_SIZE_MAX);
    }
    return context->trouble == DEVICE_FINE;
}

static void start(struct context *context)
{
    cudaStream_t stream = context->lane->stream;
    const struct stored *stored = &context->stored;
    size_t parts = (size_t)stored->part_count * sizeof(struct kernel_part);
    if (!check_cuda(context, cudaMemcpyAsync(context->parts, stored->parts, parts, cudaMemcpyHostToDevice, stream),
                    "sending the layout of the weights"))
        return;
    if (context->training &&
        !check_cuda(context, cudaMemsetAsync(context->velocity, 0, (size_t)stored->trained * sizeof(float), stream),
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
    stored_plan(plan, &context->stored);
    return context;
}

size_t context_bytes(const struct backend *backend, const struct plan *plan, int batch, bool training, size_t bytes)
{
    struct context *context = context_new(backend, plan, batch, training);
    size_t all = plan_pieces(context, bytes).bytes;
    free(context);
    return all;
}

void *context_open(const struct backend *backend, const struct plan *plan, int batch, bool training, size_t bytes,
                   void **memory, enum device_trouble *trouble, struct error *error)
{
    struct context *context = context_new(backend, plan, batch, training);
    for (int t = 0; t < plan->tensor_count; t++)
        if (plan->tensors[t].before || plan->tensors[t].after)
            context->shared[plan->tensors[t].buffer] = true;
    struct pieces pieces = plan_pieces(context, bytes);
    if (pools_fit(context) && enter(context) && (context->lane = lane_take(context)) && make_slots(context) &&
        allocate(context, &context->memory, pieces.bytes, "this network")) {
        place_pieces(context, &pieces);
        choose_plans(context);
    }
    if (context->trouble == DEVICE_FINE)
        start(context);
    if (context->trouble != DEVICE_FINE) {
        *trouble = context->trouble;
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
    if (context->lane && context->trouble == DEVICE_FINE)
        wait_for_all(context); /* the lane is lent again: nothing of this network may be under way */
    for (int i = 0; i < context->recorded_count; i++)
        if (context->recorded[i].graph)
            cudaGraphExecDestroy(context->recorded[i].graph);
    for (int i = 0; i < SLOTS; i++)
        if (context->slots[i].done)
            cudaEventDestroy(context->slots[i].done);
    cudaFree(context->memory);
    for (int i = 0; i < HELD_SETS; i++)
        data_set_return(context->gpu, context->sets[i]);
    lane_return(context);
    cudaGetLastError();
    free(context);
}

enum device_trouble context_trouble(void *opaque, struct error *error)
{
    struct context *context = opaque;
    if (context->trouble != DEVICE_FINE)
        error_set(error, "%s", context->reason.text);
    return context->trouble;
}

/* --- values, in and out --- */

static void pack(struct context *context, float *values, void *copies, int first, int count)
{
    struct kernel_pack arguments = {context->parts + first, context->canonical, values, copies};
    if (count)
        launch(context, KERNEL_pack, context->storage, kernel_grid_parts(count), &arguments);
}

void context_write(void *opaque, enum flat which, const float *canonical)
{
    struct context *context = opaque;
    const struct stored *stored = &context->stored;
    int64_t count = which == FLAT_VALUES ? context->plan->total : context->plan->trained;
    if (!enter(context) || !check_cuda(context,
                                       cudaMemcpyAsync(context->canonical, canonical, (size_t)count * sizeof(float),
                                                       cudaMemcpyHostToDevice, context->lane->stream),
                                       "sending weights"))
        return;
    if (which == FLAT_VALUES) {
        pack(context, context->values, context->storage == STORAGE_F32 ? NULL : context->copies, 0,
             stored->weight_parts);
        pack(context, context->values, NULL, stored->weight_parts, stored->part_count - stored->weight_parts);
    } else {
        ASSERT(which == FLAT_VELOCITY && context->training);
        pack(context, context->velocity, NULL, 0, stored->trained_parts);
    }
    if (context->trouble == DEVICE_FINE)
        wait_for_all(context); /* the host's buffer is the caller's again */
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
    const struct stored *stored = &context->stored;
    int64_t count = which == FLAT_VALUES ? context->plan->total : context->plan->trained;
    if (!enter(context))
        return;
    if (which == FLAT_VALUES)
        unpack(context, context->values, STORAGE_F32, false, 0, stored->part_count);
    else if (which == FLAT_VELOCITY)
        unpack(context, context->velocity, STORAGE_F32, false, 0, stored->trained_parts);
    else {
        /* The offsets of vectors count from the first weight. */
        unpack(context, context->weight_gradients, context->storage, true, 0, stored->weight_parts);
        unpack(context, context->vector_gradients - stored->weights, STORAGE_F32, true, stored->weight_parts,
               stored->trained_parts - stored->weight_parts);
    }
    context_download(context, canonical, context->canonical, (size_t)count * sizeof(float));
}

void context_download(void *opaque, void *to, const void *from, size_t bytes)
{
    struct context *context = opaque;
    if (enter(context) &&
        check_cuda(context, cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, context->lane->stream),
                   "fetching from the device"))
        wait_for_all(context);
}
