/*
 * onnx.c - an architecture with its weights as ONNX's graph: nodes in the order in which they run, each named after the
 * layer it comes from, and its output after the node.
 *
 * The graph is built as protobuf-c's messages, every part in memory of its own, then packed and freed as one.  It is a
 * chain but for dense layers, whose Concat reads what the layer read and what it made.  A weight is [out][in][kernel]
 * [kernel] here and there (weights.h), so that folding BN into it is all that happens to it: with f = gamma /
 * sqrt(variance + epsilon), the weight times f and a bias of beta - mean f, in double.
 */
#include "export/onnx.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "export/onnx.pb-c.h"
#include "util/bug.h"
#include "util/memory.h"
#include "util/text.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && sizeof(float) == 4, "the file holds the host's floats");

enum { FORMAT = 8, OPERATOR_SET = 13, INPUTS_MAX = 5 };

#define NEW(Type, descriptor) ((Type *)message_new(&descriptor))
#define APPEND(items, count, item)                                                                                     \
    ((items) = memory_resize(items, (count) + 1, sizeof *(items)), (items)[(count)++] = (item))

struct graph {
    Onnx__GraphProto *proto;
    const struct weights *weights;
    const char *value; /* what the last node of the chain made */
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
    char *name = memory_copy_text(text_string(&text));
    text_done(&text);
    return name;
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

/* A node that reads `inputs` (to the first NULL), and whose output goes on with the chain. */
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

/* --- layers --- */

static void add_relu(struct graph *graph, const char *layer)
{
    NODE(graph, "Relu", name_of(layer, "relu"), graph->value);
}

/* A convolution, or on what is no `map` an FC or the classifier, with the BN and the bias of its part in it. */
static void add_linear(struct graph *graph, const char *layer, const struct weights_layer *part, bool map, int stride)
{
    const float *values = graph->weights->values;
    int64_t each = (int64_t)part->inputs * part->kernel * part->kernel;
    float *weight = memory_new((size_t)(part->outputs * each), sizeof *weight);
    float *bias = memory_new((size_t)part->outputs, sizeof *bias);
    for (int o = 0; o < part->outputs; o++) {
        double factor = 1, shift = part->bias >= 0 ? values[part->bias + o] : 0;
        if (part->gamma >= 0) {
            factor = values[part->gamma + o] / sqrt((double)values[part->variance + o] + BN_EPSILON);
            shift = values[part->beta + o] - values[part->mean + o] * factor;
        }
        for (int64_t i = 0; i < each; i++)
            weight[o * each + i] = (float)(values[part->weight + o * each + i] * factor);
        bias[o] = (float)shift;
    }
    int64_t kernel = map ? part->kernel : 0, dims[] = {part->outputs, part->inputs, kernel, kernel, 0};
    const char *weight_name = add_tensor(graph, layer, "weight", dims, weight);
    const char *bias_name = NULL;
    if (part->gamma >= 0 || part->bias >= 0)
        bias_name = add_tensor(graph, layer, "bias", (int64_t[]){part->outputs, 0}, bias);
    free(weight);
    free(bias);
    Onnx__NodeProto *node =
        NODE(graph, map ? "Conv" : "Gemm", name_of(layer, ""), graph->value, weight_name, bias_name);
    if (!map) {
        set_integer(node, "transB", 1);
        return;
    }
    set_integers(node, "kernel_shape", part->kernel, 2);
    set_integers(node, "strides", stride, 2);
    set_integers(node, "pads", part->kernel / 2, 4);
}

static void add_norm(struct graph *graph, const char *layer, const struct weights_layer *part)
{
    static const char *const names[] = {"gamma", "beta", "mean", "variance"};
    const int64_t at[] = {part->gamma, part->beta, part->mean, part->variance}, dims[] = {part->outputs, 0};
    const char *inputs[INPUTS_MAX] = {graph->value};
    for (int i = 0; i < 4; i++)
        inputs[1 + i] = add_tensor(graph, layer, names[i], dims, graph->weights->values + at[i]);
    set_real(add_node(graph, "BatchNormalization", name_of(layer, "norm"), inputs), "epsilon", BN_EPSILON);
    add_relu(graph, layer);
}

static void add_pool(struct graph *graph, char *name, bool average, int size, int stride)
{
    Onnx__NodeProto *node = NODE(graph, average ? "AveragePool" : "MaxPool", name, graph->value);
    set_integers(node, "kernel_shape", size, 2);
    set_integers(node, "strides", stride, 2);
}

/* What is behind the BN that the layer begins with: a pool, a transition or a dense layer; or a C. */
static void add_map_layer(struct graph *graph, int index, const char *layer, const char *before)
{
    const struct layer *of = &graph->weights->arch.layers[index];
    const struct weights_layout *layout = &graph->weights->layout;
    const struct weights_layer *main = &layout->layers[index], *bottleneck = &layout->bottlenecks[index];
    switch (of->kind) {
    case LAYER_CONV:
        add_linear(graph, layer, main, true, of->stride);
        add_relu(graph, layer);
        break;
    case LAYER_DENSE:
        if (bottleneck->outputs) {
            char *name = name_of(layer, "bottleneck");
            add_linear(graph, name, bottleneck, true, 1);
            add_relu(graph, name);
            free(name);
        }
        add_linear(graph, layer, main, true, 1);
        set_integer(NODE(graph, "Concat", name_of(layer, "concat"), before, graph->value), "axis", 1);
        break;
    case LAYER_TRANSITION:
        add_pool(graph, name_of(layer, "pool"), true, TRANSITION_POOL, TRANSITION_POOL);
        add_linear(graph, layer, main, true, 1);
        break;
    default:
        ASSERT(layer_is_pool(of));
        add_pool(graph, name_of(layer, ""), of->kind == LAYER_AVERAGE_POOL, of->kernel, of->stride);
    }
}

static void add_layers(struct graph *graph)
{
    const struct arch *arch = &graph->weights->arch;
    bool flat = false;
    for (int i = 0; i < arch->layer_count; i++) {
        const struct layer *of = &arch->layers[i];
        const char *before = graph->value;
        char layer[LAYER_NAME_MAX];
        layer_name(arch, i, layer);
        if (layer_begins_with_norm(arch, i))
            add_norm(graph, layer, &graph->weights->layout.norms[i]);
        if (of->kind != LAYER_FC && of->kind != LAYER_SOFTMAX) {
            add_map_layer(graph, i, layer, before);
            continue;
        }
        if (!flat)
            NODE(graph, "Flatten", name_of("flatten", ""), graph->value);
        flat = true;
        add_linear(graph, layer, &graph->weights->layout.layers[i], false, 1);
        if (of->kind == LAYER_FC)
            add_relu(graph, layer);
    }
}

/* --- the whole --- */

static Onnx__GraphProto *graph_new(const struct weights *weights, const float *scale, const float *shift)
{
    struct graph graph = {NEW(Onnx__GraphProto, onnx__graph_proto__descriptor), weights, "image"};
    struct shape input = weights->input;
    int classes = weights->arch.layers[weights->arch.layer_count - 1].units;
    const int64_t channels[] = {input.channels, 1, 1, 0};
    Onnx__GraphProto *proto = graph.proto;
    proto->name = memory_copy_text("espalier");
    APPEND(proto->input, proto->n_input,
           value_new(graph.value, (int64_t[]){input.channels, input.height, input.width, 0}));
    NODE(&graph, "Mul", name_of("image", "scaled"), graph.value, add_tensor(&graph, "image", "scale", channels, scale));
    NODE(&graph, "Add", name_of("image", "shifted"), graph.value,
         add_tensor(&graph, "image", "shift", channels, shift));
    add_layers(&graph);
    NODE(&graph, "Softmax", name_of("probabilities", ""), graph.value);
    APPEND(proto->output, proto->n_output, value_new(graph.value, (int64_t[]){classes, 0}));
    return proto;
}

void *onnx_encode(const struct weights *weights, const float *scale, const float *shift, const struct onnx_note *notes,
                  size_t *length)
{
    Onnx__ModelProto *model = NEW(Onnx__ModelProto, onnx__model_proto__descriptor);
    Onnx__OperatorSetIdProto *set = NEW(Onnx__OperatorSetIdProto, onnx__operator_set_id_proto__descriptor);
    model->has_ir_version = set->has_version = true;
    model->ir_version = FORMAT;
    set->version = OPERATOR_SET;
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
