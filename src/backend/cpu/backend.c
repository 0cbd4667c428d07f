/*
 * backend.c - the CPU backend for one instruction set: its operations, in float32 and in bf16, the layout of tensors,
 * and the update.  cpu.c chooses among the instruction sets when the program starts.
 */
#include "backend/cpu/bn.h"
#include "backend/cpu/cpu.h"
#include "backend/cpu/operations.h"

static size_t saved_bytes(const struct plan *plan, const struct op *op, int batch)
{
    if (op->kind == OP_SQUEEZE_EXCITE)
        return squeeze_saved_bytes(op, blocks_of(batch));
    return op_has_bn(op) ? bn_saved_bytes(plan, op, batch) : 0;
}

static size_t scratch_bytes(const struct backend *backend, const struct plan *plan, const struct op *op, int batch,
                            int members)
{
    struct workspace scratch = {0};
    int blocks = blocks_of(batch);
    switch (op->kind) {
    case OP_CONV_BN_RELU:
    case OP_CONV:
    case OP_CONV_BN_ADD:
        return conv_scratch_bytes(plan, op, backend->precision, blocks, members);
    case OP_DEPTHWISE_BN_RELU:
        return depthwise_scratch_bytes(plan, op, blocks, members);
    case OP_BN_RELU:
        bn_new(&scratch, plan, op, blocks);
        return scratch.used;
    case OP_FC_BN_RELU:
    case OP_CLASSIFIER:
        return linear_scratch_bytes(plan, op, blocks);
    case OP_SQUEEZE_EXCITE:
        return squeeze_scratch_bytes(op, blocks);
    default:
        return 0;
    }
}

static size_t tensor_bytes(const struct tensor *tensor, int batch)
{
    return blocks_of(batch) * map_of(tensor).block_stride * sizeof(float);
}

static size_t tensor_offset(const struct tensor *tensor)
{
    return tensor->before * map_of(tensor).plane * sizeof(float);
}

static void tensor_write(const struct tensor *tensor, int count, const float *plain, void *data)
{
    struct map map = map_of(tensor);
    float *values = data;
    for (int plane = 0; plane < blocks_of(count) * map.channels; plane++)
        memset(values + map_plane(&map, plane), 0, map.plane * sizeof *values);
    for (int n = 0; n < count; n++)
        for (int c = 0; c < map.channels; c++)
            for (int y = 0; y < map.height; y++)
                for (int x = 0; x < map.width; x++)
                    values[n / BLOCK * map.block_stride + map_at(&map, c, y, x) + n % BLOCK] = *plain++;
}

static void tensor_read(const struct tensor *tensor, int count, const void *data, float *plain)
{
    struct map map = map_of(tensor);
    const float *values = data;
    for (int n = 0; n < count; n++)
        for (int c = 0; c < map.channels; c++)
            for (int y = 0; y < map.height; y++)
                for (int x = 0; x < map.width; x++)
                    *plain++ = values[n / BLOCK * map.block_stride + map_at(&map, c, y, x) + n % BLOCK];
}

static void update(void *context, const struct sgd *sgd, int64_t count, float *values, const float *gradients,
                   float *velocity)
{
    float rate = sgd->rate, momentum = sgd->momentum, decay = sgd->weight_decay;
    float current = sgd->nesterov ? 1 : 0, ahead = sgd->nesterov ? momentum : 1;
    int64_t i = 0;
    for (; i + VECTOR_WIDTH <= count; i += VECTOR_WIDTH) {
        vector_unaligned *value = (vector_unaligned *)(values + i), *speed = (vector_unaligned *)(velocity + i);
        vector g = *(const vector_unaligned *)(gradients + i) + decay * (vector)*value;
        vector v = momentum * (vector)*speed + g;
        *speed = v;
        *value = (vector)*value - rate * (current * g + ahead * v);
    }
    for (; i < count; i++) {
        float g = gradients[i] + decay * values[i];
        velocity[i] = momentum * velocity[i] + g;
        values[i] -= rate * (current * g + ahead * velocity[i]);
    }
}

/* The fields that the tables of both precisions have. */
#define FORWARD(kind, name)  [kind] = ISA_SYMBOL(name##_forward),
#define BACKWARD(kind, name) [kind] = ISA_SYMBOL(name##_backward),
#define COMMON                                                                                                         \
    .name = "cpu", .instructions = ISA_NAME, .hard_swish = true, .images_per_member = BLOCK,                           \
    .tensor_bytes = tensor_bytes, .tensor_offset = tensor_offset, .saved_bytes = saved_bytes,                          \
    .scratch_bytes = scratch_bytes, .tensor_write = tensor_write, .tensor_read = tensor_read, .load = load_batch,      \
    .forward = {OPERATIONS(FORWARD)}, .backward = {OPERATIONS(BACKWARD)}, .update = update
#define DESCRIPTION(precision) "16 images innermost, " precision "; " ISA_DESCRIPTION

#ifdef HAVE_BF16
static const struct backend bf16 = {COMMON, .precision = PRECISION_BF16,
                                    .description = DESCRIPTION("bf16 in convolutions")};
#endif

const struct backend ISA_SYMBOL(backend_cpu) = {
    COMMON,
    .precision = PRECISION_F32,
    .description = DESCRIPTION("float32"),
#ifdef HAVE_BF16
    .bf16 = &bf16,
#endif
};
