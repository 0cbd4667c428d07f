/*
 * plan.c - lowering: the parts of layers to operations.
 *
 * One pass forward emits operations and tensors.  A BN joins the linear part before it, a pool the BN before it, and an
 * addition the convolution and BN before it, when nothing lies between them: then they are one operation.  Dropout is
 * an operation where the options ask for it. One pass backward gives each tensor the border that its readers want, and
 * says whose input gradients add up.
 *
 * `map` is the tensor that the next part reads.  At the first layer of a dense block it becomes the beginning of a
 * buffer with room for the whole block: it hasn't been read yet, so only what it says of its buffer changes.
 */
#include "nn/plan.h"

#include "util/bug.h"

struct lowering {
    const struct arch *arch;
    const struct plan_options *options;
    struct shape input;
    const struct shape *shapes; /* of the layers' outputs */
    struct weights_layout layout;
    struct plan *plan;
    int map;
    int layer, layer_input;   /* the layer that is being lowered, and the tensor that it reads */
    struct layer_parts parts; /* of this layer */
};

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

static struct op *add_op(struct lowering *at, enum op_kind kind, int output)
{
    struct plan *plan = at->plan;
    ASSERT(plan->op_count < PLAN_OPS_MAX);
    struct op *op = &plan->ops[plan->op_count++];
    *op = (struct op){.kind = kind, .layer = at->layer, .inputs = {at->map}, .output = output};
    at->map = output;
    return op;
}

/* A tensor for the output of a part: a range of the dense block's buffer if a PART_CONCAT follows it. */
static int output_of(struct lowering *at, int part)
{
    const struct part *made = &at->parts.parts[part];
    if (part + 1 < at->parts.count && made[1].kind == PART_CONCAT)
        return add_part(at->plan, at->layer_input, at->parts.in.channels, made->out.channels);
    return add_tensor(at->plan, made->out);
}

/* The operation that wrote `map`, if it has no pool, so that the next part may join it. */
static struct op *open_op(const struct lowering *at)
{
    struct op *last = at->plan->op_count ? &at->plan->ops[at->plan->op_count - 1] : NULL;
    return last && last->output == at->map && !last->pool ? last : NULL;
}

static void set_weights(struct op *op, const struct part *part, const struct weights_layer *weights, struct shape map)
{
    op->part = part->weights;
    op->channels = weights->outputs;
    op->height = map.height;
    op->width = map.width;
    op->weights = *weights;
}

static void emit_linear(struct lowering *at, const struct part *part, int output)
{
    struct weights_layer weights = at->layout.parts[part->weights][at->layer];
    bool conv = part->kind == PART_CONV;
    enum op_kind conv_kind = part->depthwise ? OP_DEPTHWISE_BN_RELU : OP_CONV;
    if (conv) /* without a BN; emit_bn() joins the one behind it */
        weights.gamma = weights.beta = weights.mean = weights.variance = -1;
    struct op *op = add_op(at, conv ? conv_kind : part->bias ? OP_CLASSIFIER : OP_FC_BN_RELU, output);
    set_weights(op, part, &weights, part->out);
    op->kernel = part->kernel;
    op->stride = part->stride;
    if (part->bias)
        at->plan->classes = op->channels;
}

static void emit_bn(struct lowering *at, const struct part *part, int number)
{
    struct weights_layer weights = at->layout.parts[part->weights][at->layer];
    struct op *linear = open_op(at);
    if (linear && linear->weights.weight >= 0 && linear->layer == at->layer && linear->part == part->weights) {
        linear->hard_swish = part->hard_swish;
        if (linear->kind == OP_CONV)
            linear->kind = part->kind == PART_BN ? OP_CONV_BN_ADD : OP_CONV_BN_RELU;
        if (part->kind == PART_BN)
            linear->inputs[1] = at->layer_input;
        linear->weights = weights;
        return;
    }
    ASSERT(part->kind == PART_BN_RELU);
    weights.weight = -1; /* a BN by itself */
    weights.inputs = weights.outputs;
    weights.kernel = 0;
    set_weights(add_op(at, OP_BN_RELU, output_of(at, number)), part, &weights, part->in);
}

static void emit_pool(struct lowering *at, const struct part *part, int number)
{
    struct op *op = open_op(at);
    if (op && (op->kind == OP_CONV_BN_RELU || op->kind == OP_BN_RELU) && !op->hard_swish) {
        at->plan->tensors[op->output].height = part->out.height;
        at->plan->tensors[op->output].width = part->out.width;
    } else {
        op = add_op(at, OP_POOL, output_of(at, number));
    }
    op->pool = part->kind == PART_MAX_POOL ? POOL_MAX : POOL_AVERAGE;
    op->pool_size = part->kernel;
    op->pool_stride = part->stride;
    op->pool_layer = at->layer;
}

/* OP_SQUEEZE_EXCITE, of both parts. */
static void emit_squeeze(struct lowering *at, const struct part *part)
{
    ASSERT(part[1].kind == PART_EXCITE);
    const struct weights_layer *excite = &at->layout.parts[part[1].weights][at->layer];
    struct op *op = add_op(at, OP_SQUEEZE_EXCITE, add_tensor(at->plan, part->in));
    set_weights(op, part, &at->layout.parts[part->weights][at->layer], part->in);
    op->excite = *excite;
    op->channels = excite->outputs;
}

static float drop_after(const struct plan_options *options, const struct part *part)
{
    const float drops[] = {[DROPOUT_NONE] = 0,
                           [DROPOUT_POOL] = options->drop_pool,
                           [DROPOUT_FC] = options->drop_fc,
                           [DROPOUT_DENSE] = options->drop_dense};
    return drops[part->dropout];
}

static void emit_part(struct lowering *at, int number)
{
    const struct part *part = &at->parts.parts[number];
    float drop = drop_after(at->options, part);
    switch (part->kind) {
    case PART_CONV:
    case PART_LINEAR:
        emit_linear(at, part, drop > 0 ? add_tensor(at->plan, part->out) : output_of(at, number));
        break;
    case PART_BN_RELU:
    case PART_BN:
        emit_bn(at, part, number);
        break;
    case PART_MAX_POOL:
    case PART_AVERAGE_POOL:
        emit_pool(at, part, number);
        break;
    case PART_SQUEEZE:
        emit_squeeze(at, part);
        break;
    case PART_EXCITE: /* part of OP_SQUEEZE_EXCITE */
        break;
    case PART_CONCAT:
        at->map = add_part(at->plan, at->layer_input, 0, part->out.channels);
        break;
    case PART_ADD: /* part of OP_CONV_BN_ADD */
        ASSERT(part[-1].kind == PART_BN);
        break;
    }
    if (drop > 0)
        add_op(at, OP_DROPOUT, output_of(at, number))->drop = drop;
}

static void find_parts(const struct lowering *at, int layer, struct layer_parts *parts)
{
    layer_parts_of(at->arch, layer, layer ? at->shapes[layer - 1] : at->input, parts);
}

static bool concatenates(const struct lowering *at, int layer)
{
    struct layer_parts parts;
    find_parts(at, layer, &parts);
    return parts.parts[parts.count - 1].kind == PART_CONCAT;
}

/* The first layer of a dense block: give the buffer of `map` room for the channels that the block's layers add. */
static void begin_block(struct lowering *at)
{
    int last = at->layer;
    while (concatenates(at, last + 1))
        last++;
    struct tensor *map = &at->plan->tensors[at->map];
    map->after = at->shapes[last].channels - map->channels;
}

static void lower_layer(struct lowering *at)
{
    find_parts(at, at->layer, &at->parts);
    if (concatenates(at, at->layer) && !(at->layer && concatenates(at, at->layer - 1)))
        begin_block(at);
    at->layer_input = at->map;
    for (int p = 0; p < at->parts.count; p++)
        emit_part(at, p);
}

/* Tensors of one buffer have one border, as wide as the widest that a reader wants.  Operations go backward, since a
   dropout wants the border of its output. */
static void set_borders(struct plan *plan)
{
    int borders[PLAN_TENSORS_MAX] = {0}; /* by buffer */
    for (int i = plan->op_count - 1; i >= 0; i--) {
        const struct op *op = &plan->ops[i];
        int *border = &borders[plan->tensors[op->inputs[0]].buffer], wanted = 0;
        if (op_is_convolution(op))
            wanted = op->kernel / 2;
        else if (op->kind == OP_DROPOUT)
            wanted = borders[plan->tensors[op->output].buffer];
        *border = wanted > *border ? wanted : *border;
    }
    for (int t = 0; t < plan->tensor_count; t++)
        plan->tensors[t].border = borders[plan->tensors[t].buffer];
}

static bool can_add(const struct op *op, int input)
{
    return input > 0 || op->kind == OP_ADD || (op->kind == OP_BN_RELU && op->pool == POOL_NONE);
}

/* Does this input's gradient add to what later operations have written?  `written` has, for each buffer, how many
   channels of its gradient those have written, from channel 0 on.  The last reader of a buffer reads all channels that
   the others read, so each gradient is either all new or added throughout. */
static void set_adding(const struct plan *plan, struct op *op, int input, int *written)
{
    const struct tensor *tensor = &plan->tensors[op->inputs[input]];
    int *end = &written[tensor->buffer];
    bool adds = *end > 0;
    ASSERT(adds ? tensor->before + tensor->channels <= *end : tensor->before == 0);
    if (!adds)
        *end = tensor->channels;
    op->adds_input_gradient[input] = adds && can_add(op, input);
    if (input == 0)
        op->sums_input_gradient = adds && !can_add(op, input);
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
    CHECK(arch_shapes(arch, input, shapes, &error) == 0);
    struct lowering at = {.arch = arch, .options = options, .input = input, .shapes = shapes, .plan = plan};
    weights_layout_of(arch, input, &at.layout);
    *plan = (struct plan){.trained = at.layout.trained, .total = at.layout.total};
    at.map = add_tensor(plan, input);
    for (; at.layer < arch->layer_count; at.layer++)
        lower_layer(&at);
    plan_complete(plan);
}
