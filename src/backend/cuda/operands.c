/* operands.c - see operation.h: where an operation's tensors, weights and memory lie on the device. */
#include "backend/cuda/operation.h"

struct kernel_map map_of(void *data, int channels)
{
    return (struct kernel_map){data, KERNEL_ROUND(channels), KERNEL_ROUND(channels)};
}

/* A tensor in the network's memory.  In a buffer of several tensors it has no padding, and nobody reads any there. */
static struct kernel_map tensor_map(const struct op_run *run, int tensor, const void *data)
{
    const struct context *context = run->context;
    const struct tensor *at = &run->plan->tensors[tensor];
    int stride = KERNEL_ROUND(tensor_buffer_channels(at));
    return (struct kernel_map){(void *)data, stride, context->shared[at->buffer] ? at->channels : stride};
}

struct kernel_map input_map(const struct op_run *run, int input, const void *data)
{
    return tensor_map(run, run->op->inputs[input], data);
}

struct kernel_map output_map(const struct op_run *run, const void *data)
{
    return tensor_map(run, run->op->output, data);
}

int op_index(const struct op_run *run)
{
    return (int)(run->op - run->plan->ops);
}

const struct op_offsets *offsets_of(const struct op_run *run)
{
    const struct context *context = run->context;
    return &context->layout.ops[op_index(run)];
}

char *weight_at(const struct op_run *run)
{
    const struct context *context = run->context;
    return (char *)context->copies + (size_t)offsets_of(run)->weight * storage_bytes(context->storage);
}

char *weight_gradient_at(const struct op_run *run)
{
    const struct context *context = run->context;
    return (char *)context->weight_gradients + (size_t)offsets_of(run)->weight * storage_bytes(context->storage);
}

float *vector_gradient_at(const struct op_run *run, int64_t offset)
{
    const struct context *context = run->context;
    return context->vector_gradients + (offset - context->layout.weights);
}

struct saved saved_of(const struct op_run *run)
{
    const struct context *context = run->context;
    return saved_layout(run->plan, run->op, context->batch, context->storage, run->saved);
}

struct scratch scratch_of(const struct op_run *run)
{
    const struct context *context = run->context;
    return scratch_layout(run->op, context->batch, context->storage, run->scratch);
}

struct kernel_window window_of(const struct op_run *run)
{
    const struct op *op = run->op;
    const struct tensor *output = &run->plan->tensors[op->output];
    struct kernel_window window = {.average = op->pool == POOL_AVERAGE,
                                   .size = op->pool_size,
                                   .stride = op->pool_stride,
                                   .pooled_height = output->height,
                                   .pooled_width = output->width};
    if (op->pool == POOL_MAX && run->training)
        window.choice = saved_of(run).choice;
    return window;
}

int64_t rows_of(const struct context *context, int height, int width)
{
    return (int64_t)context->batch * height * width;
}
