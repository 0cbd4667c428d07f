/*
 * squeeze.c - OP_SQUEEZE_EXCITE by the project's kernels: one kernel forward, two backward, the second of which has the
 * gradients of the weights.
 */
#include "backend/cuda/operation.h"

/* From the first weight of the operation to those of its second linear layer. */
static size_t excite_bytes(const struct op_run *run)
{
    const struct context *context = run->context;
    return (size_t)(offsets_of(run)->excite - offsets_of(run)->weight) * storage_bytes(context->storage);
}

static struct kernel_squeeze squeeze_of(const struct op_run *run, struct squeeze_values values)
{
    const struct context *context = run->context;
    const struct op *op = run->op;
    const struct op_offsets *at = offsets_of(run);
    return (struct kernel_squeeze){.step = context->step,
                                   .channels = op->channels,
                                   .units = op->weights.outputs,
                                   .positions = op->height * op->width,
                                   .x = input_map(run, 0, run->x),
                                   .squeeze = weight_at(run),
                                   .excite = weight_at(run) + excite_bytes(run),
                                   .squeeze_bias = context->values + at->bias,
                                   .excite_bias = context->values + at->excite_bias,
                                   .mean = values.mean,
                                   .squeezed = values.squeezed,
                                   .excited = values.excited};
}

void squeeze_excite_forward(const struct op_run *run)
{
    struct context *context = run->context;
    struct kernel_squeeze arguments = squeeze_of(run, run->training ? saved_of(run).squeeze : scratch_of(run).squeeze);
    arguments.y = output_map(run, run->y);
    launch(context, KERNEL_squeeze_forward, context->storage, (struct kernel_grid){(unsigned)context->batch, 1},
           &arguments);
}

void squeeze_excite_backward(const struct op_run *run)
{
    struct context *context = run->context;
    const struct op_offsets *at = offsets_of(run);
    struct squeeze_values gradients = scratch_of(run).squeeze;
    struct kernel_squeeze arguments = squeeze_of(run, saved_of(run).squeeze);
    arguments.dy = output_map(run, run->dy);
    if (run->dx)
        arguments.dx = input_map(run, 0, run->dx);
    arguments.mean_gradient = gradients.mean;
    arguments.squeezed_gradient = gradients.squeezed;
    arguments.excited_gradient = gradients.excited;
    arguments.squeeze_gradient = weight_gradient_at(run);
    arguments.excite_gradient = weight_gradient_at(run) + excite_bytes(run);
    arguments.squeeze_bias_gradient = vector_gradient_at(run, at->bias);
    arguments.excite_bias_gradient = vector_gradient_at(run, at->excite_bias);
    launch(context, KERNEL_squeeze_backward, context->storage, (struct kernel_grid){(unsigned)context->batch, 1},
           &arguments);
    launch(context, KERNEL_squeeze_weights, context->storage,
           kernel_grid_items(kernel_squeeze_items(arguments.channels, arguments.units)), &arguments);
}
