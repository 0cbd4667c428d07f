/* normalise.c - see operation.h: BN, its activation and what is joined to it, by the project's kernels. */
#include "backend/cuda/operation.h"

/* Whether a map is so small that one launch does all of it. */
static bool is_whole(const struct op_run *run)
{
    return rows_of(run->context, run->op->height, run->op->width) <= KERNEL_WHOLE_ROWS;
}

static enum kernel_activation activation_of(const struct op *op)
{
    return op->kind == OP_CONV_BN_ADD ? KERNEL_LINEAR : op->hard_swish ? KERNEL_HARD_SWISH : KERNEL_RELU;
}

struct kernel_norm_whole normalise_arguments(const struct op_run *run, struct kernel_map z)
{
    struct context *context = run->context;
    const struct op *op = run->op;
    const struct op_offsets *at = offsets_of(run);
    struct saved saved = saved_of(run);
    struct kernel_norm_whole arguments = {
        .moments = {.step = context->step,
                    .batch = context->batch,
                    .positions = op->height * op->width,
                    .channels = op->channels,
                    .z = z,
                    .partials = scratch_of(run).partials,
                    .tickets = context->tickets,
                    .mean = saved.mean,
                    .inverse_std = saved.inverse_std,
                    .running_mean = context->values + at->mean,
                    .running_variance = context->values + at->variance},
        .forward = {.step = context->step,
                    .batch = context->batch,
                    .channels = op->channels,
                    .height = op->height,
                    .width = op->width,
                    .mean = run->training ? saved.mean : context->values + at->mean,
                    .inverse_std = run->training ? saved.inverse_std : NULL,
                    .variance = run->training ? NULL : context->values + at->variance,
                    .gamma = context->values + at->gamma,
                    .beta = context->values + at->beta,
                    .z = z,
                    .y = output_map(run, run->y),
                    .activation = activation_of(op)},
    };
    if (op->pool)
        arguments.forward.window = window_of(run);
    if (op->kind == OP_CONV_BN_ADD)
        arguments.forward.addend = input_map(run, 1, run->x2);
    return arguments;
}

void normalise_forward(const struct op_run *run, struct kernel_map z)
{
    struct context *context = run->context;
    const struct op *op = run->op;
    struct kernel_norm_whole arguments = normalise_arguments(run, z);
    if (run->training && is_whole(run)) {
        launch(context, op->pool ? KERNEL_norm_pool_whole_forward : KERNEL_norm_whole_forward, context->storage,
               kernel_grid_whole(op->channels), &arguments);
        return;
    }
    if (run->training)
        launch(context, KERNEL_norm_moments, context->storage,
               kernel_grid_sums(rows_of(context, op->height, op->width), op->channels), &arguments.moments);
    normalise_rows(run, &arguments.forward);
}

void normalise_rows(const struct op_run *run, const struct kernel_norm_forward *arguments)
{
    struct context *context = run->context;
    const struct op *op = run->op;
    const struct tensor *output = &run->plan->tensors[op->output];
    launch(context, op->pool ? KERNEL_norm_pool_forward : KERNEL_norm_forward, context->storage,
           kernel_grid_rows(rows_of(context, output->height, output->width), op->channels), arguments);
}

struct kernel_norm_backward normalise_backward_arguments(const struct op_run *run, struct kernel_map z,
                                                         struct kernel_map dz, bool accumulate)
{
    struct context *context = run->context;
    const struct op *op = run->op;
    const struct op_offsets *at = offsets_of(run);
    struct saved saved = saved_of(run);
    struct scratch scratch = scratch_of(run);
    struct kernel_norm_backward arguments = {
        .step = context->step,
        .batch = context->batch,
        .channels = op->channels,
        .height = op->height,
        .width = op->width,
        .mean = saved.mean,
        .inverse_std = saved.inverse_std,
        .gamma = context->values + at->gamma,
        .beta = context->values + at->beta,
        .z = z,
        .dy = output_map(run, run->dy),
        .partials = scratch.partials,
        .tickets = context->tickets,
        .gamma_gradient = vector_gradient_at(run, at->gamma),
        .beta_gradient = vector_gradient_at(run, at->beta),
        .mean_gradient = scratch.mean_gradient,
        .mean_product = scratch.mean_product,
        .dz = dz,
        .accumulate = accumulate,
        .activation = activation_of(op),
    };
    if (op->pool)
        arguments.window = window_of(run);
    if (op->kind == OP_CONV_BN_ADD && run->dx2) {
        arguments.addend_gradient = input_map(run, 1, run->dx2);
        arguments.accumulate_addend = op->adds_input_gradient[1];
    }
    return arguments;
}

void normalise_backward(const struct op_run *run, struct kernel_map z, struct kernel_map dz, bool accumulate)
{
    struct context *context = run->context;
    const struct op *op = run->op;
    int64_t rows = rows_of(context, op->height, op->width);
    struct kernel_norm_backward arguments = normalise_backward_arguments(run, z, dz, accumulate);
    if (dz.data && is_whole(run)) {
        launch(context, op->pool ? KERNEL_norm_pool_whole_backward : KERNEL_norm_whole_backward, context->storage,
               kernel_grid_whole(op->channels), &arguments);
        return;
    }
    launch(context, op->pool ? KERNEL_norm_pool_sums : KERNEL_norm_sums, context->storage,
           kernel_grid_sums(rows, op->channels), &arguments);
    if (dz.data)
        launch(context, op->pool ? KERNEL_norm_pool_backward : KERNEL_norm_backward, context->storage,
               kernel_grid_rows(rows, op->channels), &arguments);
}
