/*
 * depthwise.c - OP_DEPTHWISE_BN_RELU by the project's kernels, of which cuDNN's counterparts are slow: four kernels
 * forward and backward of a small map, five of a large one.
 *
 *   forward in training   convolution and statistics | BN and activation
 *   in inference          convolution, BN and activation
 *   backward              BN and activation (normalise.c) | the gradients of the weights and of the input
 */
#include "backend/cuda/operation.h"

static struct kernel_depthwise depthwise_of(const struct op_run *run)
{
    const struct op *op = run->op;
    const struct tensor *input = &run->plan->tensors[op->inputs[0]];
    return (struct kernel_depthwise){.kernel = op->kernel,
                                     .stride = op->stride,
                                     .height = input->height,
                                     .width = input->width,
                                     .out_height = op->height,
                                     .out_width = op->width,
                                     .weights = weight_at(run)};
}

void depthwise_bn_relu_forward(const struct op_run *run)
{
    struct context *context = run->context;
    const struct op *op = run->op;
    int64_t rows = rows_of(context, op->height, op->width);
    struct kernel_norm_whole norm = normalise_arguments(run, map_of(linear_part(run), op->channels));
    struct kernel_depthwise of = depthwise_of(run);
    struct kernel_map x = input_map(run, 0, run->x);
    if (run->training) {
        launch(context, KERNEL_depthwise_moments, context->storage, kernel_grid_sums(rows, op->channels),
               &(struct kernel_depthwise_moments){of, x, norm.moments});
        normalise_rows(run, &norm.forward);
    } else {
        launch(context, KERNEL_depthwise_infer, context->storage, kernel_grid_rows(rows, op->channels),
               &(struct kernel_depthwise_infer){of, x, norm.forward});
    }
}

void depthwise_bn_relu_backward(const struct op_run *run)
{
    struct context *context = run->context;
    const struct op *op = run->op;
    struct kernel_depthwise_backward arguments = {.of = depthwise_of(run),
                                                  .step = context->step,
                                                  .batch = context->batch,
                                                  .channels = op->channels,
                                                  .x = input_map(run, 0, run->x),
                                                  .dz = map_of(linear_part_backward(run), op->channels),
                                                  .gradient = weight_gradient_at(run),
                                                  .partials = scratch_of(run).partials,
                                                  .tickets = context->tickets};
    if (run->dx)
        arguments.dx = input_map(run, 0, run->dx);
    launch(context, KERNEL_depthwise_backward, context->storage,
           kernel_grid_depthwise(rows_of(context, op->height, op->width), op->channels, op->kernel, run->dx),
           &arguments);
}
