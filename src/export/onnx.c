/*
 * onnx.c - a plan with its weights as ONNX's graph: nodes in the order in which they run, each named after the layer it
 * comes from, and its output after the node.
 *
 * The graph is built as protobuf-c's messages, every part in memory of its own, then packed and freed as one.  Where an
 * operation adds channels to a buffer, a Concat joins them to those before.  A weight is [out][in][kernel]
 * [kernel] here and there (weights.h), so that folding BN into it is all that happens to it: with f = gamma /
 * sqrt(variance + epsilon), the weight times f and a bias of beta - mean f, in double.
 */
#include "export/onnx.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "export/onnx.pb-c.h"
#include "nn/plan.h"
#include "util/bug.h"
#include "util/memory.h"
#include "util/text.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && sizeof(float) == 4, "the file holds the host's floats");

enum { INPUTS_MAX = 5 };

#define NEW(Type, descriptor) ((Type *)message_new(&descriptor))
#define APPEND(items, count, item)                                                                                     \
    ((items) = memory_resize(items, (count) + 1, sizeof *(items)), (items)[(count)++] = (item))

struct graph {
    Onnx__GraphProto *proto;
    const struct weights *weights;
    const struct plan *plan;
    const char *value;                     /* what the last node made */
    const char *buffers[PLAN_TENSORS_MAX]; /* the value of each buffer of the plan, as far as it is written */
    bool flat;                             /* the map has become a vector */
};

static void *message_new(const ProtobufCMessageDescriptor *descriptor)
{
    ProtobufCMessage *message = memory_new(1, descriptor->sizeof_message);
    protobuf_c_message_init(descriptor, message);
    return message;
}

/* "conv1" and "weight": "conv1.weight", in new memory. */
static char *name_of(const char *layer, const char *part)
{
    struct text text = TEXT_EMPTY;
    text_add(&text, "%s%s%s", layer, *part ? "." : "", part);
    return text_take(&text);
}

/* --- the parts of a graph --- */

/* A constant; values are copied.  `dims` ends with 0. */
static const char *add_tensor(struct graph *graph, const char *layer, const char *part, const int64_t *dims,
                              const float *values)
{
    Onnx__TensorProto *tensor = NEW(Onnx__TensorProto, onnx__tensor_proto__descriptor);
    size_t bytes = sizeof *values;
    for (; *dims; dims++) {
        APPEND(tensor->dims, tensor->n_dims, *dims);
        bytes *= (size_t)*dims;
    }
    tensor->name = name_of(layer, part);
    tensor->has_data_type = tensor->has_raw_data = true;
    tensor->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    tensor->raw_data = (ProtobufCBinaryData){bytes, memcpy(memory_new(bytes, 1), values, bytes)};
    APPEND(graph->proto->initializer, graph->proto->n_initializer, tensor);
    return tensor->name;
}

/* A node that reads `inputs` (to the first NULL). */
static Onnx__NodeProto *add_node(struct graph *graph, const char *operator, char * name,
                                 const char *const inputs[INPUTS_MAX])
{
    Onnx__NodeProto *node = NEW(Onnx__NodeProto, onnx__node_proto__descriptor);
    node->op_type = memory_copy_text(operator);
    node->name = name;
    for (int i = 0; i < INPUTS_MAX && inputs[i]; i++)
        APPEND(node->input, node->n_input, memory_copy_text(inputs[i]));
    APPEND(node->output, node->n_output, memory_copy_text(name));
    APPEND(graph->proto->node, graph->proto->n_node, node);
    graph->value = node->output[0];
    return node;
}

#define NODE(graph, operator, name, ...) add_node(graph, operator, name, (const char *const[INPUTS_MAX]){__VA_ARGS__})

static Onnx__AttributeProto *add_attribute(Onnx__NodeProto *node, const char *name,
                                           Onnx__AttributeProto__AttributeType type)
{
    Onnx__AttributeProto *attribute = NEW(Onnx__AttributeProto, onnx__attribute_proto__descriptor);
    attribute->name = memory_copy_text(name);
    attribute->has_type = true;
    attribute->type = type;
    APPEND(node->attribute, node->n_attribute, attribute);
    return attribute;
}

static void set_integer(Onnx__NodeProto *node, const char *name, int64_t value)
{
    Onnx__AttributeProto *attribute = add_attribute(node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);
    attribute->has_i = true;
    attribute->i = value;
}

static void set_real(Onnx__NodeProto *node, const char *name, float value)
{
    Onnx__AttributeProto *attribute = add_attribute(node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);
    attribute->has_f = true;
    attribute->f = value;
}

/* The same value `count` times: for both axes, or all four sides. */
static void set_integers(Onnx__NodeProto *node, const char *name, int64_t value, int count)
{
    Onnx__AttributeProto *attribute = add_attribute(node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
    for (int i = 0; i < count; i++)
        APPEND(attribute->ints, attribute->n_ints, value);
}

/* N × the numbers of `dims`, which ends with 0. */
static Onnx__ValueInfoProto *value_new(const char *name, const int64_t *dims)
{
    Onnx__ValueInfoProto *value = NEW(Onnx__ValueInfoProto, onnx__value_info_proto__descriptor);
    Onnx__TypeProto__Tensor *tensor = NEW(Onnx__TypeProto__Tensor, onnx__type_proto__tensor__descriptor);
    tensor->has_elem_type = true;
    tensor->elem_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    tensor->shape = NEW(Onnx__TensorShapeProto, onnx__tensor_shape_proto__descriptor);
    for (bool first = true; first || *dims; first = false) {
        Onnx__TensorShapeProto__Dimension *dim =
            NEW(Onnx__TensorShapeProto__Dimension, onnx__tensor_shape_proto__dimension__descriptor);
        dim->value_case = first ? ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM
                                : ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        if (first)
            dim->dim_param = memory_copy_text("N");
        else
            dim->dim_value = *dims++;
        APPEND(tensor->shape->dim, tensor->shape->n_dim, dim);
    }
    value->name = memory_copy_text(name);
    value->type = NEW(Onnx__TypeProto, onnx__type_proto__descriptor);
    value->type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    value->type->tensor_type = tensor;
    return value;
}

/* --- operations --- */

/* A node named after `prefix` and what it does, that reads the last value. */
static Onnx__NodeProto *add_unary(struct graph *graph, const char *operator, const char * prefix, const char *what)
{
    return NODE(graph, operator, name_of(prefix, what), graph->value);
}

/* A weight [out][in][kernel][kernel], or [out][in] where `kernel` is 0, and a bias where `op` has a BN or a bias. */
static void add_weights(struct graph *graph, const struct op *op, const char *prefix, int64_t kernel,
                        const char *names[2])
{
    const struct weights_layer *at = &op->weights;
    const float *values = graph->weights->values;
    int64_t each = (int64_t)at->inputs * at->kernel * at->kernel;
    float *weight = memory_new((size_t)(at->outputs * each), sizeof *weight);
    float *bias = memory_new((size_t)at->outputs, sizeof *bias);
    for (int o = 0; o < at->outputs; o++) {
        double factor = 1, shift = at->bias >= 0 ? values[at->bias + o] : 0;
        if (at->gamma >= 0) {
            factor = values[at->gamma + o] / sqrt((double)values[at->variance + o] + BN_EPSILON);
            shift = values[at->beta + o] - values[at->mean + o] * factor;
        }
        for (int64_t i = 0; i < each; i++)
            weight[o * each + i] = (float)(values[at->weight + o * each + i] * factor);
        bias[o] = (float)shift;
    }
    const int64_t dims[] = {at->outputs, at->inputs, kernel, kernel, 0};
    names[0] = add_tensor(graph, prefix, "weight", dims, weight);
    names[1] =
        at->gamma >= 0 || at->bias >= 0 ? add_tensor(graph, prefix, "bias", (int64_t[]){at->outputs, 0}, bias) : NULL;
    free(weight);
    free(bias);
}

static void add_conv(struct graph *graph, const struct op *op, const char *prefix)
{
    const char *names[2];
    add_weights(graph, op, prefix, op->kernel, names);
    Onnx__NodeProto *node = NODE(graph, "Conv", name_of(prefix, ""), graph->value, names[0], names[1]);
    set_integers(node, "kernel_shape", op->kernel, 2);
    set_integers(node, "strides", op->stride, 2);
    set_integers(node, "pads", op->kernel / 2, 4);
    if (op->kind == OP_DEPTHWISE_BN_RELU)
        set_integer(node, "group", op->channels);
}

static void add_gemm(struct graph *graph, const struct op *op, const char *prefix)
{
    const char *names[2];
    if (!graph->flat)
        add_unary(graph, "Flatten", "flatten", "");
    graph->flat = true;
    add_weights(graph, op, prefix, 0, names);
    set_integer(NODE(graph, "Gemm", name_of(prefix, ""), graph->value, names[0], names[1]), "transB", 1);
}

static void add_norm(struct graph *graph, const struct op *op, const char *prefix)
{
    static const char *const names[] = {"gamma", "beta", "mean", "variance"};
    const struct weights_layer *of = &op->weights;
    const int64_t at[] = {of->gamma, of->beta, of->mean, of->variance}, dims[] = {of->outputs, 0};
    const char *inputs[INPUTS_MAX] = {graph->value};
    for (int i = 0; i < 4; i++)
        inputs[1 + i] = add_tensor(graph, prefix, names[i], dims, graph->weights->values + at[i]);
    set_real(add_node(graph, "BatchNormalization", name_of(prefix, "norm"), inputs), "epsilon", BN_EPSILON);
}

static void add_activation(struct graph *graph, const struct op *op, const char *prefix)
{
    add_unary(graph, op->hard_swish ? "HardSwish" : "Relu", prefix, op->hard_swish ? "hardswish" : "relu");
}

/* A 1×1 convolution, with its bias, of the last value: a map of one pixel. */
static void add_pixel_linear(struct graph *graph, const struct weights_layer *at, const char *prefix)
{
    const float *values = graph->weights->values;
    const char *weight =
        add_tensor(graph, prefix, "weight", (int64_t[]){at->outputs, at->inputs, 1, 1, 0}, values + at->weight);
    const char *bias = add_tensor(graph, prefix, "bias", (int64_t[]){at->outputs, 0}, values + at->bias);
    NODE(graph, "Conv", name_of(prefix, ""), graph->value, weight, bias);
}

static void add_squeeze(struct graph *graph, const struct op *op, const char *prefix)
{
    const char *input = graph->value;
    char excite[WEIGHTS_NAME_MAX];
    weights_part_name(&graph->weights->arch, op->layer, WEIGHTS_EXCITE, excite);
    add_unary(graph, "GlobalAveragePool", prefix, "average");
    add_pixel_linear(graph, &op->weights, prefix);
    add_unary(graph, "Relu", prefix, "relu");
    add_pixel_linear(graph, &op->excite, excite);
    Onnx__NodeProto *gate = add_unary(graph, "HardSigmoid", excite, "hardsigmoid");
    set_real(gate, "alpha", 1.0f / 6);
    set_real(gate, "beta", 0.5f);
    NODE(graph, "Mul", name_of(excite, "gate"), graph->value,
         add_tensor(graph, excite, "two", (int64_t[]){1, 0}, &(float){2}));
    NODE(graph, "Mul", name_of(excite, "gated"), input, graph->value);
}

/* A pool has the name of its layer, but where the layer has a convolution too. */
static void add_pool(struct graph *graph, const struct op *op)
{
    const struct arch *arch = &graph->weights->arch;
    char layer[LAYER_NAME_MAX];
    if (op->pool == POOL_NONE)
        return;
    layer_name(arch, op->pool_layer, layer);
    bool inside = graph->weights->layout.layers[op->pool_layer].outputs > 0;
    Onnx__NodeProto *node =
        add_unary(graph, op->pool == POOL_AVERAGE ? "AveragePool" : "MaxPool", layer, inside ? "pool" : "");
    set_integers(node, "kernel_shape", op->pool_size, 2);
    set_integers(node, "strides", op->pool_stride, 2);
}

/* Adds the nodes that compute one operation. */
static void add_nodes(struct graph *graph, const struct op *op)
{
    const struct tensor *tensors = graph->plan->tensors;
    char layer[LAYER_NAME_MAX], part[WEIGHTS_NAME_MAX];
    layer_name(&graph->weights->arch, op->layer, layer);
    weights_part_name(&graph->weights->arch, op->layer, op->part, part);
    switch (op->kind) {
    case OP_CONV_BN_RELU:
    case OP_DEPTHWISE_BN_RELU:
        add_conv(graph, op, part);
        add_activation(graph, op, part);
        break;
    case OP_CONV:
        add_conv(graph, op, part);
        break;
    case OP_BN_RELU:
        add_norm(graph, op, layer);
        add_unary(graph, "Relu", layer, "relu");
        break;
    case OP_FC_BN_RELU:
        add_gemm(graph, op, part);
        add_unary(graph, "Relu", part, "relu");
        break;
    case OP_CLASSIFIER:
        add_gemm(graph, op, part);
        break;
    case OP_CONV_BN_ADD:
        add_conv(graph, op, part);
        NODE(graph, "Add", name_of(part, "add"), graph->value, graph->buffers[tensors[op->inputs[1]].buffer]);
        break;
    case OP_ADD:
        NODE(graph, "Add", name_of(layer, "add"), graph->value, graph->buffers[tensors[op->inputs[1]].buffer]);
        break;
    case OP_SQUEEZE_EXCITE:
        add_squeeze(graph, op, part);
        break;
    case OP_POOL:
        break;
    case OP_DROPOUT:
    case OP_KINDS:
        BUG("no operation of inference");
    }
    add_pool(graph, op);
    if (tensors[op->output].before)
        set_integer(
            NODE(graph, "Concat", name_of(layer, "concat"), graph->buffers[tensors[op->output].buffer], graph->value),
            "axis", 1);
}

/* --- the whole --- */

static Onnx__GraphProto *graph_new(const struct weights *weights, const float *scale, const float *shift)
{
    struct plan *plan = memory_new(1, sizeof *plan);
    plan_lower(&weights->arch, weights->input, &(struct plan_options){0}, plan);
    struct graph graph = {.proto = NEW(Onnx__GraphProto, onnx__graph_proto__descriptor),
                          .weights = weights,
                          .plan = plan,
                          .value = "image"};
    struct shape input = weights->input;
    const int64_t channels[] = {input.channels, 1, 1, 0};
    Onnx__GraphProto *proto = graph.proto;
    proto->name = memory_copy_text("espalier");
    APPEND(proto->input, proto->n_input,
           value_new(graph.value, (int64_t[]){input.channels, input.height, input.width, 0}));
    NODE(&graph, "Mul", name_of("image", "scaled"), graph.value, add_tensor(&graph, "image", "scale", channels, scale));
    NODE(&graph, "Add", name_of("image", "shifted"), graph.value,
         add_tensor(&graph, "image", "shift", channels, shift));
    graph.buffers[plan->tensors[0].buffer] = graph.value;
    for (int i = 0; i < plan->op_count; i++) {
        const struct op *op = &plan->ops[i];
        graph.value = graph.buffers[plan->tensors[op->inputs[0]].buffer];
        add_nodes(&graph, op);
        graph.buffers[plan->tensors[op->output].buffer] = graph.value;
    }
    NODE(&graph, "Softmax", name_of("probabilities", ""), graph.value);
    APPEND(proto->output, proto->n_output, value_new(graph.value, (int64_t[]){plan->classes, 0}));
    free(plan);
    return proto;
}

void *onnx_encode(const struct weights *weights, const float *scale, const float *shift, int opset,
                  const struct safetensors_note *notes, size_t *length)
{
    Onnx__ModelProto *model = NEW(Onnx__ModelProto, onnx__model_proto__descriptor);
    Onnx__OperatorSetIdProto *set = NEW(Onnx__OperatorSetIdProto, onnx__operator_set_id_proto__descriptor);
    model->has_ir_version = set->has_version = true;
    model->ir_version = opset > 20 ? 10 : opset > 18 ? 9 : 8; /* that of the first ONNX release with this set */
    set->version = opset;
    set->domain = memory_copy_text("");
    APPEND(model->opset_import, model->n_opset_import, set);
    model->producer_name = memory_copy_text("espalier");
    model->graph = graph_new(weights, scale, shift);
    for (; notes && notes->name; notes++) {
        Onnx__StringStringEntryProto *entry =
            NEW(Onnx__StringStringEntryProto, onnx__string_string_entry_proto__descriptor);
        entry->key = memory_copy_text(notes->name);
        entry->value = memory_copy_text(notes->text);
        APPEND(model->metadata_props, model->n_metadata_props, entry);
    }
    *length = onnx__model_proto__get_packed_size(model);
    void *bytes = memory_new(*length, 1);
    onnx__model_proto__pack(model, bytes);
    onnx__model_proto__free_unpacked(model, NULL);
    return bytes;
}
