/*
 * plan.c - lowering: layers to operations.
 *
 * One pass forward emits operations and tensors: a pool right behind a convolution or a BN joins it, any other is an
 * OP_POOL; dropout follows max pools, FC layers and the convolutions of D and T when asked for.  One pass backward
 * gives each tensor the border that its readers want, and says whose input gradients add up.
 *
 * `state.map` is the tensor with the map at hand.  At the first D of a block it becomes the beginning of a buffer with
 * room for the whole block: it hasn't been read yet, so only what it says of its buffer changes.
 */
#include "nn/plan.h"

#include "util/bug.h"

struct lowering {
    const struct arch *arch;
    const struct plan_options *options;
    const struct shape *shapes; /* of the layers' outputs */
    struct weights_layout layout;
    struct plan *plan;
    int map; /* the tensor that the next layer reads */
};

/* A tensor with a buffer of its own. */
static int add_tensor(struct plan *plan, struct shape shape)
{
    ASSERT(plan->tensor_count < PLAN_TENSORS_MAX);
    int index = plan->tensor_count++;
    plan->tensors[index] =
        (struct tensor){.channels = shape.channels, .height = shape.height, .width = shape.width, .buffer = index};
    return index;
}

/* Channels `first` … `first + count - 1` of the buffer that `tensor` is in. */
static int add_part(struct plan *plan, int tensor, int first, int count)
{
    int index = add_tensor(plan, (struct shape){0}), all = tensor_buffer_channels(&plan->tensors[tensor]);
    struct tensor *part = &plan->tensors[index];
    *part = plan->tensors[tensor];
    part->channels = count;
    part->before = first;
    part->after = all - first - count;
    return index;
}

static struct op *add_op(struct lowering *at, enum op_kind kind, int layer, int output)
{
    struct plan *plan = at->plan;
    ASSERT(plan->op_count < PLAN_OPS_MAX);
    struct op *op = &plan->ops[plan->op_count++];
    *op = (struct op){.kind = kind, .layer = layer, .inputs = {at->map}, .output = output};
    at->map = output;
    return op;
}

static struct op *emit(struct lowering *at, enum op_kind kind, int layer, struct shape shape)
{
    return add_op(at, kind, layer, add_tensor(at->plan, shape));
}

static void set_pool(struct op *op, const struct layer *layer)
{
    op->pool = layer->kind == LAYER_MAX_POOL ? POOL_MAX : POOL_AVERAGE;
    op->pool_size = layer->kernel;
    op->pool_stride = layer->stride;
}

static void set_linear(struct op *op, const struct weights_layer *weights, int kernel, int stride, struct shape map)
{
    op->kernel = kernel;
    op->stride = stride;
    op->channels = weights->outputs;
    op->height = map.height;
    op->width = map.width;
    op->weights = *weights;
}

static void emit_dropout(struct lowering *at, float drop, int layer, struct shape shape)
{
    if (drop > 0)
        emit(at, OP_DROPOUT, layer, shape)->drop = drop;
}

/* The BN that a layer begins with, on the map `in`; `out` is behind its pool. */
static struct op *emit_norm(struct lowering *at, int layer, struct shape in, struct shape out)
{
    struct op *op = emit(at, OP_BN_RELU, layer, out);
    set_linear(op, &at->layout.norms[layer], 0, 0, in);
    return op;
}

static void emit_conv(struct lowering *at, int layer)
{
    const struct layer *l = &at->arch->layers[layer];
    bool joined = layer + 1 < at->arch->layer_count && layer_is_pool(l + 1);
    struct op *op = emit(at, OP_CONV_BN_RELU, layer, at->shapes[layer + joined]);
    set_linear(op, &at->layout.layers[layer], l->kernel, l->stride, at->shapes[layer]);
    if (joined)
        set_pool(op, l + 1);
}

static void emit_pool(struct lowering *at, int layer)
{
    const struct op *last = at->plan->op_count ? &at->plan->ops[at->plan->op_count - 1] : NULL;
    if (last && last->kind == OP_CONV_BN_RELU && last->layer == layer - 1)
        return; /* joined already */
    bool norm = layer_begins_with_norm(at->arch, layer);
    set_pool(norm ? emit_norm(at, layer, at->shapes[layer - 1], at->shapes[layer])
                  : emit(at, OP_POOL, layer, at->shapes[layer]),
             &at->arch->layers[layer]);
}

/* Give the map at hand room behind it for the channels of all D that follow. */
static void begin_block(struct lowering *at, int layer)
{
    int last = layer;
    while (at->arch->layers[last + 1].kind == LAYER_DENSE)
        last++;
    struct tensor *map = &at->plan->tensors[at->map];
    map->after = at->shapes[last].channels - map->channels;
}

/* With its dropout, to `output`. */
static void emit_conv_alone(struct lowering *at, int layer, const struct weights_layer *weights, int kernel,
                            struct shape map, int output)
{
    float drop = at->options->drop_dense;
    int between = drop > 0 ? add_tensor(at->plan, (struct shape){weights->outputs, map.height, map.width}) : output;
    set_linear(add_op(at, OP_CONV, layer, between), weights, kernel, 1, map);
    if (drop > 0)
        add_op(at, OP_DROPOUT, layer, output)->drop = drop;
}

/* One operation; with dropout between convolution and BN, three. */
static void emit_bottleneck(struct lowering *at, int layer, const struct weights_layer *weights, struct shape in)
{
    struct shape middle = {weights->outputs, in.height, in.width};
    if (!(at->options->drop_dense > 0)) {
        set_linear(emit(at, OP_CONV_BN_RELU, layer, middle), weights, 1, 1, in);
        return;
    }
    struct weights_layer linear = *weights, norm = *weights;
    linear.gamma = linear.beta = linear.mean = linear.variance = norm.weight = -1;
    norm.inputs = norm.outputs;
    norm.kernel = 0;
    emit_conv_alone(at, layer, &linear, 1, in, add_tensor(at->plan, middle));
    set_linear(emit(at, OP_BN_RELU, layer, middle), &norm, 0, 0, middle);
}

static void emit_dense(struct lowering *at, int layer)
{
    const struct weights_layer *main = &at->layout.layers[layer], *bottleneck = &at->layout.bottlenecks[layer];
    struct shape in = at->shapes[layer - 1];
    int block = at->map;
    emit_norm(at, layer, in, in);
    if (bottleneck->weight >= 0)
        emit_bottleneck(at, layer, bottleneck, in);
    int added = add_part(at->plan, block, in.channels, main->outputs);
    emit_conv_alone(at, layer, main, DENSE_KERNEL, in, added);
    at->map = add_part(at->plan, block, 0, in.channels + main->outputs);
}

static void emit_transition(struct lowering *at, int layer)
{
    struct shape in = at->shapes[layer - 1], out = at->shapes[layer], pooled = {in.channels, out.height, out.width};
    struct op *norm = emit_norm(at, layer, in, pooled);
    norm->pool = POOL_AVERAGE;
    norm->pool_size = norm->pool_stride = TRANSITION_POOL;
    emit_conv_alone(at, layer, &at->layout.layers[layer], 1, out, add_tensor(at->plan, out));
}

static void emit_linear(struct lowering *at, int layer)
{
    bool fc = at->arch->layers[layer].kind == LAYER_FC;
    struct op *op = emit(at, fc ? OP_FC_BN_RELU : OP_CLASSIFIER, layer, at->shapes[layer]);
    set_linear(op, &at->layout.layers[layer], 0, 0, at->shapes[layer]);
    if (!fc)
        at->plan->classes = op->channels;
}

/* Tensors of one buffer have one border, as wide as the widest that a reader wants.  Operations go backward, since a
   dropout wants the border of its output. */
static void set_borders(struct plan *plan)
{
    int borders[PLAN_TENSORS_MAX] = {0}; /* by buffer */
    for (int i = plan->op_count - 1; i >= 0; i--) {
        const struct op *op = &plan->ops[i];
        int *border = &borders[plan->tensors[op->inputs[0]].buffer], wanted = 0;
        if (op->kind == OP_CONV_BN_RELU || op->kind == OP_CONV)
            wanted = op->kernel / 2;
        else if (op->kind == OP_DROPOUT)
            wanted = borders[plan->tensors[op->output].buffer];
        *border = wanted > *border ? wanted : *border;
    }
    for (int t = 0; t < plan->tensor_count; t++)
        plan->tensors[t].border = borders[plan->tensors[t].buffer];
}

/* Whether an operation's backward pass can add to its input gradients. */
static bool can_add(const struct op *op)
{
    return op->kind == OP_ADD || (op->kind == OP_BN_RELU && op->pool == POOL_NONE);
}

/* The channels of a buffer's gradient that have been written: all before this one. */
static void set_adding(const struct plan *plan, struct op *op, int input, int *written)
{
    const struct tensor *tensor = &plan->tensors[op->inputs[input]];
    int *end = &written[tensor->buffer];
    bool adds = *end > 0;
    ASSERT(adds ? tensor->before + tensor->channels <= *end : tensor->before == 0);
    if (!adds)
        *end = tensor->channels;
    op->adds_input_gradient[input] = adds && can_add(op);
    op->sums_input_gradient = adds && !can_add(op);
}

static void set_gradients(struct plan *plan)
{
    bool trained[PLAN_TENSORS_MAX] = {false}; /* by buffer: something that is trained has written to it */
    int written[PLAN_TENSORS_MAX] = {0};
    for (int i = 0; i < plan->op_count; i++) {
        struct op *op = &plan->ops[i];
        bool *output = &trained[plan->tensors[op->output].buffer];
        *output = *output || op_is_trained(op);
        for (int k = 0; k < op_input_count(op); k++) {
            op->needs_input_gradient[k] = trained[plan->tensors[op->inputs[k]].buffer];
            *output = *output || op->needs_input_gradient[k];
        }
    }
    for (int i = plan->op_count - 1; i >= 0; i--)
        for (int k = 0; k < op_input_count(&plan->ops[i]); k++)
            set_adding(plan, &plan->ops[i], k, written);
}

void plan_complete(struct plan *plan)
{
    set_borders(plan);
    set_gradients(plan);
}

void plan_lower(const struct arch *arch, struct shape input, const struct plan_options *options, struct plan *plan)
{
    struct shape shapes[ARCH_LAYERS_MAX];
    struct error error;
    ASSERT(arch_shapes(arch, input, shapes, &error) == 0);
    struct lowering at = {.arch = arch, .options = options, .shapes = shapes, .plan = plan};
    weights_layout_of(arch, input, &at.layout);

    *plan = (struct plan){.trained = at.layout.trained, .total = at.layout.total};
    at.map = add_tensor(plan, input);
    for (int i = 0; i < arch->layer_count; i++) {
        switch (arch->layers[i].kind) {
        case LAYER_CONV:
            emit_conv(&at, i);
            break;
        case LAYER_MAX_POOL:
        case LAYER_AVERAGE_POOL:
            emit_pool(&at, i);
            break;
        case LAYER_DENSE:
            if (arch->layers[i - 1].kind != LAYER_DENSE)
                begin_block(&at, i);
            emit_dense(&at, i);
            break;
        case LAYER_TRANSITION:
            emit_transition(&at, i);
            break;
        case LAYER_FC:
        case LAYER_SOFTMAX:
            emit_linear(&at, i);
            break;
        }
        if (arch->layers[i].kind == LAYER_MAX_POOL)
            emit_dropout(&at, options->drop_pool, i, shapes[i]);
        else if (arch->layers[i].kind == LAYER_FC)
            emit_dropout(&at, options->drop_fc, i, shapes[i]);
    }
    plan_complete(plan);
}
