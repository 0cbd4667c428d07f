/*
 * op_cases.c - the plain arrays around one operation.
 */
#include "op_cases.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/dropout.h"
#include "util/bug.h"
#include "util/memory.h"
#include "util/random.h"

static struct shape output_of(const struct op_case *op_case)
{
    switch (op_case->kind) {
    case OP_CONV_BN_RELU:
    case OP_CONV:
    case OP_DEPTHWISE_BN_RELU:
    case OP_CONV_BN_ADD: {
        int height = (op_case->height - 1) / op_case->stride + 1, width = (op_case->width - 1) / op_case->stride + 1;
        if (!op_case->pool)
            return (struct shape){op_case->outputs, height, width};
        return (struct shape){op_case->outputs, (height - op_case->pool_size) / op_case->pool_stride + 1,
                              (width - op_case->pool_size) / op_case->pool_stride + 1};
    }
    case OP_BN_RELU:
        if (!op_case->pool)
            return (struct shape){op_case->inputs, op_case->height, op_case->width};
        /* fall through */
    case OP_POOL:
        return (struct shape){op_case->inputs, (op_case->height - op_case->pool_size) / op_case->pool_stride + 1,
                              (op_case->width - op_case->pool_size) / op_case->pool_stride + 1};
    case OP_DROPOUT:
    case OP_ADD:
    case OP_SQUEEZE_EXCITE:
        return (struct shape){op_case->inputs, op_case->height, op_case->width};
    default:
        return (struct shape){op_case->outputs, 1, 1};
    }
}

static void print_part(char *name, const char *format, int a, int b)
{
    size_t length = strlen(name);
    snprintf(name + length, OP_CASE_NAME - length, format, a, b);
}

char *op_case_name(const struct op_case *op_case, char name[OP_CASE_NAME])
{
    static const char *const kinds[] = {"conv", "fc",         "pool", "dropout",   "classifier",
                                        "norm", "conv alone", "add",  "depthwise", "conv and add", "squeeze"};
    _Static_assert(COUNT_OF(kinds) == OP_KINDS, "every kind of operation has a name");
    snprintf(name, OP_CASE_NAME, "%s %d", kinds[op_case->kind], op_case->inputs);
    if (op_case->outputs)
        print_part(name, ">%d", op_case->outputs, 0);
    print_part(name, " %dx%d", op_case->height, op_case->width);
    if (op_case->kernel)
        print_part(name, " k%d s%d", op_case->kernel, op_case->stride);
    if (op_case->pool)
        print_part(name, op_case->pool == POOL_MAX ? " max %d/%d" : " average %d/%d", op_case->pool_size,
                   op_case->pool_stride);
    print_part(name, ", %d of %d", op_case->count, op_case->batch ? op_case->batch : op_case->count);
    if (op_case->hard_swish)
        print_part(name, ", hard-swish", 0, 0);
    if (op_case->first)
        print_part(name, ", first", 0, 0);
    if (op_case->in_after)
        print_part(name, ", %d behind the input", op_case->in_after, 0);
    if (op_case->out_before || op_case->out_after)
        print_part(name, ", output between %d and %d", op_case->out_before, op_case->out_after);
    if (op_case->in2_before || op_case->in2_after)
        print_part(name, ", second input between %d and %d", op_case->in2_before, op_case->in2_after);
    if (op_case->in_border || op_case->in2_border)
        print_part(name, ", borders %d and %d", op_case->in_border, op_case->in2_border);
    if (op_case->adds)
        print_part(name, ", adds", 0, 0);
    if (op_case->adds2)
        print_part(name, ", adds to the second", 0, 0);
    return name;
}

bool op_case_runs(const struct op_case *op_case, const struct backend *backend)
{
    return backend->forward[op_case->kind] && (backend->hard_swish || !op_case->hard_swish);
}

int64_t op_case_multiplies(const struct op_case *op_case)
{
    if (!op_case->outputs)
        return 0;
    if (op_case->kind == OP_SQUEEZE_EXCITE)
        return (int64_t)op_case->inputs * (2 * op_case->outputs + op_case->height * op_case->width);
    int64_t matrix =
        op_case->kind == OP_DEPTHWISE_BN_RELU ? op_case->outputs : (int64_t)op_case->inputs * op_case->outputs;
    if (!op_case->kernel)
        return matrix * op_case->height * op_case->width;
    int height = (op_case->height - 1) / op_case->stride + 1, width = (op_case->width - 1) / op_case->stride + 1;
    return matrix * op_case->kernel * op_case->kernel * height * width;
}

/* In the order of arch/weights.h: what is trained, then the statistics. */
static void lay_weights(struct plan *plan, struct op *op, int inputs)
{
    op->weights = (struct weights_layer){-1, -1, -1, -1, -1, -1, inputs, op->channels, 1};
    if (!op_is_trained(op))
        return;
    if (op->kernel)
        op->weights.kernel = op->kernel;
    if (op->kind != OP_BN_RELU) {
        op->weights.weight = 0;
        plan->trained = (int64_t)inputs * op->channels * op->weights.kernel * op->weights.kernel;
    }
    if (op->kind == OP_CLASSIFIER || op->kind == OP_SQUEEZE_EXCITE) {
        op->weights.bias = plan->trained;
        plan->trained += op->channels;
    }
    if (op->kind == OP_SQUEEZE_EXCITE) {
        int64_t bias = plan->trained + (int64_t)inputs * op->channels;
        op->excite = (struct weights_layer){plan->trained, bias, -1, -1, -1, -1, op->channels, inputs, 1};
        op->channels = inputs;
        plan->trained = bias + inputs;
    }
    plan->total = plan->trained;
    if (op_has_bn(op)) {
        op->weights.gamma = plan->trained;
        op->weights.beta = plan->trained + op->channels;
        plan->trained += 2 * op->channels;
        op->weights.mean = plan->trained;
        op->weights.variance = plan->trained + op->channels;
        plan->total = plan->trained + 2 * op->channels;
    }
}

void op_case_plan(const struct op_case *op_case, struct plan *plan)
{
    struct shape output = output_of(op_case);
    *plan = (struct plan){.op_count = 1, .tensor_count = 3};
    struct op *op = &plan->ops[0];
    *op = (struct op){.kind = op_case->kind,
                      .inputs = {0, 2},
                      .output = 1,
                      .kernel = op_case->kernel,
                      .stride = op_case->stride,
                      .channels = op_case->outputs,
                      .pool = op_case->pool,
                      .pool_size = op_case->pool_size,
                      .pool_stride = op_case->pool_stride,
                      .drop = op_case->drop,
                      .hard_swish = op_case->hard_swish,
                      .needs_input_gradient = {!op_case->first, true},
                      .adds_input_gradient = {op_case->adds, op_case->adds2}};
    int border = op_case->in_border, inputs = op_case->inputs;
    if (op_is_convolution(op)) {
        op->height = (op_case->height - 1) / op_case->stride + 1;
        op->width = (op_case->width - 1) / op_case->stride + 1;
        border = op_case->kernel / 2;
        inputs = op->kind == OP_DEPTHWISE_BN_RELU ? 1 : inputs;
    } else if (op->kind == OP_FC_BN_RELU || op->kind == OP_CLASSIFIER) {
        op->height = op->width = 1;
        inputs *= op_case->height * op_case->width;
    } else if (op->kind == OP_DROPOUT) {
        border = op_case->border;
    } else if (op->kind == OP_BN_RELU || op->kind == OP_SQUEEZE_EXCITE) {
        op->height = op_case->height;
        op->width = op_case->width;
        op->channels = op->kind == OP_BN_RELU ? inputs : op->channels;
    }
    if (op->kind == OP_CLASSIFIER)
        plan->classes = op_case->outputs;
    lay_weights(plan, op, inputs);
    plan->tensors[0] = (struct tensor){.channels = op_case->inputs,
                                       .height = op_case->height,
                                       .width = op_case->width,
                                       .border = border,
                                       .after = op_case->in_after};
    plan->tensors[1] = (struct tensor){.channels = output.channels,
                                       .height = output.height,
                                       .width = output.width,
                                       .border = op_case->border,
                                       .before = op_case->out_before,
                                       .after = op_case->out_after,
                                       .buffer = 1};
    struct shape input2 =
        op->kind == OP_CONV_BN_ADD ? output : (struct shape){op_case->inputs, op_case->height, op_case->width};
    plan->tensors[2] = (struct tensor){.channels = input2.channels,
                                       .height = input2.height,
                                       .width = input2.width,
                                       .border = op_case->in2_border,
                                       .before = op_case->in2_before,
                                       .after = op_case->in2_after,
                                       .buffer = 2};
}

enum op_data op_case_data(const struct op_case *op_case)
{
    bool filtered =
        op_case->kind == OP_CONV_BN_RELU && op_case->kernel > 1 && op_case->stride == 1 && op_case->inputs >= 5;
    return filtered && op_case->pool == POOL_MAX ? OP_DATA_CONTINUOUS : OP_DATA_GRID;
}

static size_t size_of(const struct tensor *tensor, int count)
{
    return (size_t)count * tensor->channels * tensor->height * tensor->width;
}

static float *new_floats(size_t count)
{
    return memory_new(count, sizeof(float));
}

static float draw(struct random_stream *stream, enum op_data data, float unit)
{
    return data == OP_DATA_GRID ? unit * (float)((int)random_below(stream, 9) - 4) : 3 * unit * random_normal(stream);
}

static void draw_values(const struct weights_layer *w, enum op_data data, struct random_stream *stream, float *values)
{
    int64_t size = w->weight < 0 ? 0 : (int64_t)w->inputs * w->outputs * w->kernel * w->kernel;
    for (int64_t i = 0; i < size; i++)
        values[w->weight + i] = draw(stream, data, 0.125f);
    for (int c = 0; c < w->outputs; c++) {
        if (w->bias >= 0)
            values[w->bias + c] = random_normal(stream);
        if (w->gamma < 0)
            continue;
        /* Far from 0, of either sign: a negative gamma turns maxima around. */
        values[w->gamma + c] = (random_below(stream, 4) ? 1 : -1) * (0.5f + random_uniform(stream));
        values[w->beta + c] = 0.5f * random_normal(stream);
        values[w->mean + c] = random_normal(stream);
        values[w->variance + c] = 0.5f + 4 * random_uniform(stream);
    }
}

/* Each image's are positive and add up to 1. */
static void draw_targets(int count, int classes, struct random_stream *stream, struct op_arrays *arrays)
{
    arrays->targets = new_floats((size_t)count * (size_t)classes);
    for (float *row = arrays->targets; row < arrays->targets + (size_t)count * classes; row += classes) {
        float sum = 0;
        for (int k = 0; k < classes; k++)
            sum += row[k] = random_uniform(stream);
        for (int k = 0; k < classes; k++)
            row[k] /= sum;
    }
}

void op_arrays_draw(const struct op_case *op_case, const struct plan *plan, enum op_data data, uint64_t seed,
                    struct op_arrays *arrays)
{
    struct random_stream stream = random_stream_new(seed, RANDOM_TEST, 0, 0);
    *arrays = (struct op_arrays){
        .x_size = size_of(&plan->tensors[0], op_case->count),
        .x2_size = op_input_count(&plan->ops[0]) > 1 ? size_of(&plan->tensors[2], op_case->count) : 0,
        .y_size = size_of(&plan->tensors[1], op_case->count),
        .trained = (size_t)plan->trained,
        .total = (size_t)plan->total,
        .classes_size = (size_t)op_case->count * plan->classes,
    };
    arrays->values = new_floats(arrays->total);
    arrays->gradients = new_floats(arrays->trained);
    arrays->x = new_floats(arrays->x_size);
    arrays->dx = new_floats(arrays->x_size);
    arrays->x2 = new_floats(arrays->x2_size);
    arrays->dx2 = new_floats(arrays->x2_size);
    arrays->y = new_floats(arrays->y_size);
    arrays->dy = new_floats(arrays->y_size);
    arrays->logits = new_floats(arrays->classes_size);
    arrays->labels = memory_new((size_t)op_case->count, sizeof *arrays->labels);
    draw_values(&plan->ops[0].weights, data, &stream, arrays->values);
    if (plan->ops[0].kind == OP_SQUEEZE_EXCITE)
        draw_values(&plan->ops[0].excite, data, &stream, arrays->values);
    for (size_t i = 0; i < arrays->x_size; i++)
        arrays->x[i] = draw(&stream, data, 0.25f);
    for (size_t i = 0; i < arrays->y_size; i++)
        arrays->dy[i] = random_normal(&stream);
    for (size_t i = 0; i < arrays->x2_size; i++)
        arrays->x2[i] = draw(&stream, data, 0.25f);
    if (plan->classes)
        for (int i = 0; i < op_case->count; i++)
            arrays->labels[i] = (uint16_t)random_below(&stream, (uint32_t)plan->classes);
    if (op_case->targets)
        draw_targets(op_case->count, plan->classes, &stream, arrays);
}

static float *copy_of(const float *values, size_t count)
{
    return count ? memcpy(new_floats(count), values, count * sizeof *values) : new_floats(0);
}

void op_arrays_copy(const struct op_arrays *drawn, int count, struct op_arrays *arrays)
{
    *arrays = *drawn;
    arrays->values = copy_of(drawn->values, drawn->total);
    arrays->gradients = new_floats(drawn->trained);
    arrays->x = copy_of(drawn->x, drawn->x_size);
    arrays->dx = new_floats(drawn->x_size);
    arrays->x2 = copy_of(drawn->x2, drawn->x2_size);
    arrays->dx2 = new_floats(drawn->x2_size);
    arrays->y = new_floats(drawn->y_size);
    arrays->dy = copy_of(drawn->dy, drawn->y_size);
    arrays->logits = new_floats(drawn->classes_size);
    arrays->labels = memory_new((size_t)count, sizeof *arrays->labels);
    memcpy(arrays->labels, drawn->labels, (size_t)count * sizeof *arrays->labels);
    if (drawn->targets)
        arrays->targets = copy_of(drawn->targets, drawn->classes_size);
}

void op_arrays_done(struct op_arrays *arrays)
{
    free(arrays->values);
    free(arrays->gradients);
    free(arrays->x);
    free(arrays->dx);
    free(arrays->x2);
    free(arrays->dx2);
    free(arrays->y);
    free(arrays->dy);
    free(arrays->logits);
    free(arrays->labels);
    free(arrays->targets);
    *arrays = (struct op_arrays){0};
}

/* A buffer whose every float is NaN, so that what is read before it was written shows. */
static void *new_poisoned(size_t bytes)
{
    float *buffer = memory_new_aligned(bytes);
    for (size_t i = 0; i < bytes / sizeof *buffer; i++)
        buffer[i] = NAN;
    return buffer;
}

void op_instance_init(struct op_instance *instance, const struct backend *backend, const struct op_case *op_case,
                      const struct plan *plan, const struct op_arrays *arrays)
{
    const struct op *op = &plan->ops[0];
    int batch = op_case->batch ? op_case->batch : op_case->count;
    const struct tensor *input = &plan->tensors[0], *output = &plan->tensors[1], *input2 = &plan->tensors[2];
    *instance = (struct op_instance){.backend = backend};
    instance->x = new_poisoned(backend->tensor_bytes(input, batch));
    instance->y = new_poisoned(backend->tensor_bytes(output, batch));
    instance->dx = new_poisoned(backend->tensor_bytes(input, batch));
    instance->dy = new_poisoned(backend->tensor_bytes(output, batch));
    instance->x2 = new_poisoned(backend->tensor_bytes(input2, batch));
    instance->dx2 = new_poisoned(backend->tensor_bytes(input2, batch));
    size_t in = backend->tensor_offset(input), out = backend->tensor_offset(output);
    size_t in2 = backend->tensor_offset(input2);
    backend->tensor_write(input, op_case->count, arrays->x, (char *)instance->x + in);
    backend->tensor_write(output, op_case->count, arrays->dy, (char *)instance->dy + out);
    if (arrays->x2_size)
        backend->tensor_write(input2, op_case->count, arrays->x2, (char *)instance->x2 + in2);
    if (op->adds_input_gradient[0])
        backend->tensor_write(input, op_case->count, arrays->x, (char *)instance->dx + in);
    if (op->adds_input_gradient[1])
        backend->tensor_write(input2, op_case->count, arrays->x2, (char *)instance->dx2 + in2);
    instance->run = (struct op_run){
        .plan = plan,
        .op = op,
        .count = op_case->count,
        .precision = backend->precision,
        .bn_decay = 0.9f,
        .dropout_key = OP_CASE_DROPOUT_KEY,
        .values = memory_new_aligned(arrays->total * sizeof(float)),
        .gradients = new_poisoned(arrays->trained * sizeof(float)),
        .x = (char *)instance->x + in,
        .y = (char *)instance->y + out,
        .dy = op->kind == OP_CLASSIFIER ? NULL : (char *)instance->dy + out,
        .dx = op->needs_input_gradient[0] ? (char *)instance->dx + in : NULL,
        .x2 = (char *)instance->x2 + in2,
        .dx2 = (char *)instance->dx2 + in2,
        .saved = new_poisoned(backend->saved_bytes(plan, op, batch)),
        .scratch = new_poisoned(backend->scratch_bytes(backend, plan, op, batch, 1)),
        .members = 1,
        .labels = arrays->labels,
        .targets = arrays->targets,
        .logits = new_poisoned(arrays->classes_size * sizeof(float)),
        .loss = &instance->loss,
        .correct = &instance->correct,
    };
    memcpy(instance->run.values, arrays->values, arrays->total * sizeof(float));
}

void op_instance_forward(struct op_instance *instance, bool training)
{
    struct op_run run = instance->run;
    run.training = training;
    if (!training)
        run.saved = NULL;
    instance->loss = 0;
    instance->correct = 0;
    instance->backend->forward[run.op->kind](&run);
}

void op_instance_backward(struct op_instance *instance)
{
    struct op_run run = instance->run;
    run.training = true;
    instance->backend->backward[run.op->kind](&run);
}

void op_instance_read(const struct op_instance *instance, struct op_arrays *arrays)
{
    const struct op_run *run = &instance->run;
    const struct plan *plan = run->plan;
    if (run->op->kind != OP_CLASSIFIER)
        instance->backend->tensor_read(&plan->tensors[1], run->count, run->y, arrays->y);
    if (run->dx)
        instance->backend->tensor_read(&plan->tensors[0], run->count, run->dx, arrays->dx);
    if (arrays->x2_size)
        instance->backend->tensor_read(&plan->tensors[2], run->count, run->dx2, arrays->dx2);
    for (size_t i = 0; i < arrays->x_size; i++)
        arrays->dx[i] -= run->op->adds_input_gradient[0] ? arrays->x[i] : 0;
    for (size_t i = 0; i < arrays->x2_size; i++)
        arrays->dx2[i] -= run->op->adds_input_gradient[1] ? arrays->x2[i] : 0;
    memcpy(arrays->values, run->values, arrays->total * sizeof(float));
    memcpy(arrays->gradients, run->gradients, arrays->trained * sizeof(float));
    memcpy(arrays->logits, run->logits, arrays->classes_size * sizeof(float));
    arrays->loss = instance->loss;
    arrays->correct = instance->correct;
}

void op_instance_done(struct op_instance *instance)
{
    free(instance->x);
    free(instance->y);
    free(instance->dx);
    free(instance->x2);
    free(instance->dx2);
    free(instance->dy);
    free(instance->run.values);
    free(instance->run.gradients);
    free(instance->run.saved);
    free(instance->run.scratch);
    free(instance->run.logits);
    *instance = (struct op_instance){0};
}
