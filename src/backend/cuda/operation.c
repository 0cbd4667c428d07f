/*
 * operation.c - what each operation puts into the stream: cuDNN's convolutions and the project's kernels.  linear.c has
 * the fully connected layers and the classifier.
 */
#include "backend/cuda/operation.h"

/* --- convolutions --- */

static void convolve(const struct op_run *run, enum conv_direction direction, const void *x, const void *w,
                     const void *y)
{
    struct context *context = run->context;
    const struct conv_plan *plan = context->plans[op_index(run)][direction];
    if (context->status == DEVICE_FINE)
        check_cudnn(context, conv_plan_run(context->stream->cudnn, plan, x, w, y, context->stream->workspace),
                    "a convolution");
}

/* --- the operation's own linear part --- */

void *linear_part(const struct op_run *run)
{
    return run->training ? saved_of(run).z : scratch_of(run).z;
}

void *linear_part_backward(const struct op_run *run)
{
    int channels = run->op->channels;
    void *z = saved_of(run).z, *dz = scratch_of(run).z;
    normalise_backward(run, map_of(z, channels), map_of(dz, channels), false);
    return dz;
}

/* --- operations --- */

/* In training the step before may have loaded this one. */
static void load(void *opaque, const struct tensor *tensor, const struct batch *batch, void *data, struct team *team)
{
    struct context *context = opaque;
    bool loaded = context->kind == STEP_TRAIN && context->loaded;
    context->x = data;
    context->loaded = true;
    struct kernel_load arguments = load_arguments(context);
    if (!loaded)
        launch(context, KERNEL_load, context->storage,
               kernel_grid_items(rows_of(context, tensor->height, tensor->width)), &arguments);
}

/* OP_CONV_BN_ADD too: normalise.c knows what follows the BN. */
static void conv_bn_relu_forward(const struct op_run *run)
{
    void *z = linear_part(run);
    convolve(run, CONV_FORWARD, run->x, weight_at(run), z);
    normalise_forward(run, map_of(z, run->op->channels));
}

static void conv_bn_relu_backward(const struct op_run *run)
{
    void *dz = linear_part_backward(run);
    convolve(run, CONV_FILTER, run->x, weight_gradient_at(run), dz);
    if (run->dx)
        convolve(run, CONV_DATA, run->dx, weight_at(run), dz);
}

static void bn_relu_forward(const struct op_run *run)
{
    normalise_forward(run, input_map(run, 0, run->x));
}

static void bn_relu_backward(const struct op_run *run)
{
    normalise_backward(run, input_map(run, 0, run->x), input_map(run, 0, run->dx), run->op->adds_input_gradient[0]);
}

/* Copy a tensor that has the output's shape. */
static void copy(const struct op_run *run, struct kernel_map from, struct kernel_map to, bool accumulate)
{
    struct context *context = run->context;
    const struct tensor *output = &run->plan->tensors[run->op->output];
    struct kernel_copy arguments = {.step = context->step,
                                    .batch = context->batch,
                                    .positions = output->height * output->width,
                                    .channels = output->channels,
                                    .x = from,
                                    .y = to,
                                    .accumulate = accumulate};
    launch(context, KERNEL_copy, context->storage,
           kernel_grid_rows(rows_of(context, output->height, output->width), output->channels), &arguments);
}

/* cuDNN needs whole octets of channels, which a tensor in a shared buffer may not have: scratch memory stands for y and
   dy. */
static void conv_forward(const struct op_run *run)
{
    convolve(run, CONV_FORWARD, run->x, weight_at(run), run->scratch);
    copy(run, map_of(run->scratch, run->op->channels), output_map(run, run->y), false);
}

static void conv_backward(const struct op_run *run)
{
    copy(run, output_map(run, run->dy), map_of(run->scratch, run->op->channels), false);
    convolve(run, CONV_FILTER, run->x, weight_gradient_at(run), run->scratch);
    if (run->dx)
        convolve(run, CONV_DATA, run->dx, weight_at(run), run->scratch);
}

static void pool_forward(const struct op_run *run)
{
    struct context *context = run->context;
    const struct tensor *input = &run->plan->tensors[run->op->inputs[0]],
                        *output = &run->plan->tensors[run->op->output];
    struct kernel_pool_forward arguments = {.step = context->step,
                                            .batch = context->batch,
                                            .channels = input->channels,
                                            .height = input->height,
                                            .width = input->width,
                                            .x = input_map(run, 0, run->x),
                                            .y = output_map(run, run->y),
                                            .window = window_of(run)};
    launch(context, KERNEL_pool_forward, context->storage,
           kernel_grid_rows(rows_of(context, output->height, output->width), input->channels), &arguments);
}

static void pool_backward(const struct op_run *run)
{
    struct context *context = run->context;
    const struct tensor *input = &run->plan->tensors[run->op->inputs[0]];
    struct kernel_pool_backward arguments = {.step = context->step,
                                             .batch = context->batch,
                                             .channels = input->channels,
                                             .height = input->height,
                                             .width = input->width,
                                             .dy = output_map(run, run->dy),
                                             .dx = input_map(run, 0, run->dx),
                                             .window = window_of(run)};
    if (run->dx)
        launch(context, KERNEL_pool_backward, context->storage,
               kernel_grid_rows(rows_of(context, input->height, input->width), input->channels), &arguments);
}

static void drop(const struct op_run *run, struct kernel_map from, struct kernel_map to)
{
    struct context *context = run->context;
    const struct tensor *tensor = &run->plan->tensors[run->op->inputs[0]];
    struct kernel_dropout arguments = {.step = context->step,
                                       .key = step_dropout_key(&(struct step){0}, op_index(run)),
                                       .batch = context->batch,
                                       .positions = tensor->height * tensor->width,
                                       .channels = tensor->channels,
                                       .drop = run->op->drop,
                                       .x = from,
                                       .y = to};
    launch(context, KERNEL_dropout, context->storage,
           kernel_grid_rows(rows_of(context, tensor->height, tensor->width), tensor->channels), &arguments);
}

static void dropout_forward(const struct op_run *run)
{
    struct kernel_map x = input_map(run, 0, run->x), y = output_map(run, run->y);
    if (run->training)
        drop(run, x, y);
    else
        copy(run, x, y, false);
}

static void dropout_backward(const struct op_run *run)
{
    if (run->dx)
        drop(run, output_map(run, run->dy), input_map(run, 0, run->dx));
}

static void add_forward(const struct op_run *run)
{
    struct context *context = run->context;
    const struct tensor *output = &run->plan->tensors[run->op->output];
    struct kernel_add arguments = {.step = context->step,
                                   .batch = context->batch,
                                   .positions = output->height * output->width,
                                   .channels = output->channels,
                                   .x = input_map(run, 0, run->x),
                                   .x2 = input_map(run, 1, run->x2),
                                   .y = output_map(run, run->y)};
    launch(context, KERNEL_add, context->storage,
           kernel_grid_rows(rows_of(context, output->height, output->width), output->channels), &arguments);
}

static void add_backward(const struct op_run *run)
{
    if (run->dx)
        copy(run, output_map(run, run->dy), input_map(run, 0, run->dx), run->op->adds_input_gradient[0]);
    if (run->dx2)
        copy(run, output_map(run, run->dy), input_map(run, 1, run->dx2), run->op->adds_input_gradient[1]);
}

/* --- update --- */

static void update_all(void *opaque, const struct sgd *sgd, int64_t count, float *values, const float *gradients,
                       float *velocity)
{
    struct context *context = opaque;
    const struct weight_layout *layout = &context->layout;
    struct kernel_update arguments = {
        .loss_scale = context->loss_scale,
        .of = {layout->weights, layout->trained, layout->total, context->weight_gradients, context->vector_gradients},
        .values = context->values,
        .velocity = context->velocity,
        .copies = context->storage == STORAGE_F32 ? NULL : context->copies,
        .average = context->averages ? context->average : NULL,
        .next = load_arguments(context)};
    if (context->loss_scale) {
        struct kernel_check check = {context->loss_scale, arguments.of};
        launch(context, KERNEL_check, context->storage, kernel_grid_items(layout->trained / KERNEL_OCTET), &check);
    }
    launch(context, KERNEL_update, context->storage, kernel_grid_update(layout->total / KERNEL_OCTET, &arguments.next),
           &arguments);
    if (context->loss_scale) {
        struct kernel_scale scale = {context->loss_scale};
        launch(context, KERNEL_scale, context->storage, (struct kernel_grid){1, 1}, &scale);
    }
}

const struct backend cuda_operations = {
    .load = load,
    .hard_swish = true,
    .forward = {[OP_CONV_BN_RELU] = conv_bn_relu_forward,
                [OP_CONV] = conv_forward,
                [OP_BN_RELU] = bn_relu_forward,
                [OP_FC_BN_RELU] = fc_bn_relu_forward,
                [OP_POOL] = pool_forward,
                [OP_DROPOUT] = dropout_forward,
                [OP_ADD] = add_forward,
                [OP_DEPTHWISE_BN_RELU] = depthwise_bn_relu_forward,
                [OP_CONV_BN_ADD] = conv_bn_relu_forward,
                [OP_SQUEEZE_EXCITE] = squeeze_excite_forward,
                [OP_CLASSIFIER] = classifier_forward},
    .backward = {[OP_CONV_BN_RELU] = conv_bn_relu_backward,
                 [OP_CONV] = conv_backward,
                 [OP_BN_RELU] = bn_relu_backward,
                 [OP_FC_BN_RELU] = fc_bn_relu_backward,
                 [OP_POOL] = pool_backward,
                 [OP_DROPOUT] = dropout_backward,
                 [OP_ADD] = add_backward,
                 [OP_DEPTHWISE_BN_RELU] = depthwise_bn_relu_backward,
                 [OP_CONV_BN_ADD] = conv_bn_relu_backward,
                 [OP_SQUEEZE_EXCITE] = squeeze_excite_backward,
                 [OP_CLASSIFIER] = classifier_backward},
    .update = update_all,
};
