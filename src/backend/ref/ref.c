/* ref.c - the reference backend: its table, its tensors, and the operations without weights. */
#include "backend/ref/ref.h"

#include <string.h>

#include "nn/dropout.h"
#include "util/bug.h"

size_t ref_tensor_size(const struct tensor *tensor, int count)
{
    return (size_t)count * tensor->channels * tensor->height * tensor->width;
}

static size_t whole_lines(size_t floats)
{
    return (floats * sizeof(float) + 63) / 64 * 64;
}

static size_t tensor_bytes(const struct tensor *tensor, int batch)
{
    return whole_lines(ref_tensor_size(
        &(struct tensor){.channels = tensor_buffer_channels(tensor), .height = tensor->height, .width = tensor->width},
        batch));
}

static size_t tensor_offset(const struct tensor *tensor)
{
    return (size_t)tensor->before * tensor->height * tensor->width * sizeof(float);
}

static size_t saved_bytes(const struct plan *plan, const struct op *op, int batch)
{
    if (op->kind == OP_SQUEEZE_EXCITE)
        return whole_lines(ref_squeeze_saved(op, batch));
    return op_has_bn(op) ? whole_lines(2 * op->channels + ref_maps_size(ref_maps_of(op, batch))) : 0;
}

/* What an operation itself needs, in floats. */
static size_t scratch_size(const struct op *op, int batch)
{
    size_t gates = op->kind == OP_SQUEEZE_EXCITE ? ref_squeeze_saved(op, batch) : 0;
    return 2 * op->channels + 2 * ref_maps_size(ref_maps_of(op, batch)) + gates;
}

static bool is_part(const struct tensor *tensor)
{
    return tensor->before + tensor->after > 0;
}

/* The operations here write whole tensors: others are copied. */
static bool is_copied(const struct plan *plan, const struct op *op, int input)
{
    return is_part(&plan->tensors[op->inputs[input]]) || op->adds_input_gradient[input];
}

/* Copies of tensors behind the operation's own scratch: of each input and its gradient, of the output and its
   gradient. */
static size_t scratch_bytes(const struct backend *backend, const struct plan *plan, const struct op *op, int batch,
                            int members)
{
    const struct tensor *output = &plan->tensors[op->output];
    size_t size = scratch_size(op, batch);
    for (int k = 0; k < op_input_count(op); k++)
        if (is_copied(plan, op, k))
            size += 2 * ref_tensor_size(&plan->tensors[op->inputs[k]], batch);
    if (is_part(output))
        size += 2 * ref_tensor_size(output, batch);
    return whole_lines(size);
}

static void load_plane(const struct shape *shape, const uint8_t *pixels, struct augment place, float scale, float shift,
                       float *out)
{
    for (int y = 0; y < shape->height; y++)
        for (int x = 0; x < shape->width; x++) {
            int from_y = y + place.dy, from_x = (place.flip ? shape->width - 1 - x : x) + place.dx;
            bool inside = from_y >= 0 && from_y < shape->height && from_x >= 0 && from_x < shape->width;
            *out++ = inside ? (float)pixels[from_y * shape->width + from_x] * scale + shift : 0;
        }
}

static void load(void *context, const struct tensor *tensor, const struct batch *batch, void *data, struct team *team)
{
    const struct images *images = batch->view->images;
    const struct shape *shape = &images->shape;
    ASSERT(shape->channels == tensor->channels && shape->height == tensor->height && shape->width == tensor->width);
    size_t plane = (size_t)shape->height * shape->width;
    float *out = data;
    for (int n = 0; n < batch->count; n++) {
        struct augment place = batch->augment ? batch->augment[n] : (struct augment){0};
        const uint8_t *pixels = images->pixels + (size_t)batch->index[n] * shape->channels * plane;
        for (int c = 0; c < shape->channels; c++, pixels += plane, out += plane)
            load_plane(shape, pixels, place, batch->view->scale[c], batch->view->shift[c], out);
    }
}

/* Copies a tensor out of the buffer that it is a part of; scatter() copies or adds it back. */
static void gather(const struct tensor *tensor, int count, const void *data, float *plain)
{
    const float *part = data;
    size_t pixels = (size_t)tensor->height * tensor->width, size = tensor->channels * pixels;
    for (int n = 0; n < count; n++, plain += size, part += tensor_buffer_channels(tensor) * pixels)
        memcpy(plain, part, size * sizeof *plain);
}

static void scatter(const struct tensor *tensor, int count, const float *plain, bool add, float *part)
{
    size_t pixels = (size_t)tensor->height * tensor->width, size = tensor->channels * pixels;
    for (int n = 0; n < count; n++, plain += size, part += tensor_buffer_channels(tensor) * pixels)
        for (size_t i = 0; i < size; i++)
            part[i] = (add ? part[i] : 0) + plain[i];
}

static void tensor_write(const struct tensor *tensor, int count, const float *plain, void *data)
{
    scatter(tensor, count, plain, false, data);
}

/* Point an input and its gradient at copies in `room`, if it is copied; returns the room behind them. */
static float *copy_input(const struct op_run *run, int input, const void **x, void **dx, float *room)
{
    const struct tensor *tensor = &run->plan->tensors[run->op->inputs[input]];
    if (!is_copied(run->plan, run->op, input))
        return room;
    size_t size = ref_tensor_size(tensor, run->count);
    gather(tensor, run->count, *x, room);
    *x = room;
    *dx = *dx ? room + size : NULL;
    return room + 2 * size;
}

static void copy_back_gradient(const struct op_run *run, int input, const void *plain, void *dx)
{
    if (dx && is_copied(run->plan, run->op, input))
        scatter(&run->plan->tensors[run->op->inputs[input]], run->count, plain, run->op->adds_input_gradient[input],
                dx);
}

/* Run one function on tensors by themselves: parts of buffers are copied before and after. */
static void run_plainly(const struct op_run *run, void (*function)(const struct op_run *run), bool backward)
{
    const struct tensor *output = &run->plan->tensors[run->op->output];
    struct op_run plain = *run;
    bool two = op_input_count(run->op) > 1;
    float *room = copy_input(run, 0, &plain.x, &plain.dx, (float *)run->scratch + scratch_size(run->op, run->count));
    if (two)
        room = copy_input(run, 1, &plain.x2, &plain.dx2, room);
    if (is_part(output)) {
        float *dy = room + ref_tensor_size(output, run->count);
        plain.y = room;
        plain.dy = dy;
        if (backward) {
            gather(output, run->count, run->y, plain.y);
            gather(output, run->count, run->dy, dy);
        }
    }
    function(&plain);
    if (backward)
        copy_back_gradient(run, 0, plain.dx, run->dx);
    if (backward && two)
        copy_back_gradient(run, 1, plain.dx2, run->dx2);
    if (!backward && is_part(output))
        scatter(output, run->count, plain.y, false, run->y);
}

static void pool_forward(const struct op_run *run)
{
    const struct tensor *input = &run->plan->tensors[run->op->inputs[0]];
    ref_pool_forward(run->op, run->count * input->channels, input->height, input->width, run->x, run->y);
}

static void pool_backward(const struct op_run *run)
{
    const struct tensor *input = &run->plan->tensors[run->op->inputs[0]];
    if (run->dx)
        ref_pool_backward(run->op, run->count * input->channels, input->height, input->width, run->x, run->dy, run->dx);
}

static void drop(const struct op_run *run, const float *from, float *to)
{
    size_t size = ref_tensor_size(&run->plan->tensors[run->op->inputs[0]], run->count);
    int32_t threshold = dropout_threshold(run->op->drop);
    float scale = 1 / (1 - run->op->drop);
    for (size_t i = 0; i < size; i++)
        to[i] = dropout_keeps(run->dropout_key, (uint32_t)i, threshold) ? from[i] * scale : 0;
}

static void dropout_forward(const struct op_run *run)
{
    if (run->training)
        drop(run, run->x, run->y);
    else
        memcpy(run->y, run->x, ref_tensor_size(&run->plan->tensors[run->op->inputs[0]], run->count) * sizeof(float));
}

static void dropout_backward(const struct op_run *run)
{
    if (run->dx)
        drop(run, run->dy, run->dx);
}

static void add_forward(const struct op_run *run)
{
    const float *x = run->x, *x2 = run->x2;
    float *y = run->y;
    size_t size = ref_tensor_size(&run->plan->tensors[run->op->output], run->count);
    for (size_t i = 0; i < size; i++)
        y[i] = x[i] + x2[i];
}

static void add_backward(const struct op_run *run)
{
    size_t bytes = ref_tensor_size(&run->plan->tensors[run->op->output], run->count) * sizeof(float);
    if (run->dx)
        memcpy(run->dx, run->dy, bytes);
    if (run->dx2)
        memcpy(run->dx2, run->dy, bytes);
}

static void update(void *context, const struct sgd *sgd, int64_t count, float *values, const float *gradients,
                   float *velocity)
{
    for (int64_t i = 0; i < count; i++) {
        float g = gradients[i] + sgd->weight_decay * values[i];
        velocity[i] = sgd->momentum * velocity[i] + g;
        values[i] -= sgd->rate * (sgd->nesterov ? g + sgd->momentum * velocity[i] : velocity[i]);
    }
}

/* Forward and backward of each kind, on tensors that are not parts of a buffer. */
static void (*const plain_functions[OP_KINDS][2])(const struct op_run *run) = {
    [OP_CONV_BN_RELU] = {ref_conv_bn_relu_forward, ref_conv_bn_relu_backward},
    [OP_FC_BN_RELU] = {ref_fc_bn_relu_forward, ref_fc_bn_relu_backward},
    [OP_POOL] = {pool_forward, pool_backward},
    [OP_DROPOUT] = {dropout_forward, dropout_backward},
    [OP_CLASSIFIER] = {ref_classifier_forward, ref_classifier_backward},
    [OP_BN_RELU] = {ref_bn_relu_forward, ref_bn_relu_backward},
    [OP_CONV] = {ref_conv_forward, ref_conv_backward},
    [OP_ADD] = {add_forward, add_backward},
    [OP_DEPTHWISE_BN_RELU] = {ref_conv_bn_relu_forward, ref_conv_bn_relu_backward},
    [OP_CONV_BN_ADD] = {ref_conv_bn_relu_forward, ref_conv_bn_relu_backward},
    [OP_SQUEEZE_EXCITE] = {ref_squeeze_forward, ref_squeeze_backward},
};

static void forward(const struct op_run *run)
{
    run_plainly(run, plain_functions[run->op->kind][0], false);
}

static void backward(const struct op_run *run)
{
    run_plainly(run, plain_functions[run->op->kind][1], true);
}

const struct backend backend_ref = {
    .name = "ref",
    .description = "plain C, one image after another: slow, the oracle of the tests",
    .tensor_bytes = tensor_bytes,
    .tensor_offset = tensor_offset,
    .saved_bytes = saved_bytes,
    .scratch_bytes = scratch_bytes,
    .tensor_write = tensor_write,
    .tensor_read = gather,
    .load = load,
    .hard_swish = true,
    .forward = {forward, forward, forward, forward, forward, forward, forward, forward, forward, forward, forward},
    .backward = {backward, backward, backward, backward, backward, backward, backward, backward, backward, backward,
                 backward},
    .update = update,
};
