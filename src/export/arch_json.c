/*
 * arch_json.c - a tree of jansson values, made by a walk over the parts of all layers (kinds.h).
 *
 * A part's `weights` is the first half of the names of its tensors in a safetensors file: conv1 has conv1.weight.
 */
#include "export/arch_json.h"

#include "arch/kinds.h"
#include "export/json.h"

static const char *const part_words[] = {[PART_CONV] = "convolution",
                                         [PART_LINEAR] = "linear",
                                         [PART_BN_RELU] = "batch-norm, relu",
                                         [PART_BN] = "batch-norm",
                                         [PART_SQUEEZE] = "average, linear, relu",
                                         [PART_EXCITE] = "linear, gate channels",
                                         [PART_MAX_POOL] = "max-pool",
                                         [PART_AVERAGE_POOL] = "average-pool",
                                         [PART_CONCAT] = "concatenate with input",
                                         [PART_ADD] = "add input"};

static json_t *of_shape(const struct shape *shape)
{
    return json_pack("[i,i,i]", shape->channels, shape->height, shape->width);
}

static json_t *of_part(const struct arch *arch, int layer, const struct part *part)
{
    char name[WEIGHTS_NAME_MAX];
    json_t *object = json_pack("{s:s,s:o,s:o}", "operation", part_words[part->kind], "input", of_shape(&part->in),
                               "output", of_shape(&part->out));
    if (part->hard_swish)
        json_set(object, "operation", json_string("batch-norm, hard-swish"));
    if (part->kernel && part->kind != PART_LINEAR) {
        json_set(object, "kernel", json_integer(part->kernel));
        json_set(object, "stride", json_integer(part->stride));
        if (part->depthwise)
            json_set(object, "groups", json_integer(part->in.channels));
        json_set(object, "padding", json_integer(part_is_pool(part) ? 0 : part->kernel / 2));
    }
    if (part_has_weights(part))
        json_set(object, "weights", json_string(weights_part_name(arch, layer, part->weights, name)));
    if (part->kind == PART_LINEAR)
        json_set(object, "bias", json_boolean(part->bias));
    return object;
}

static json_t *of_layers(const struct arch *arch, struct shape map)
{
    json_t *layers = json_array();
    for (int i = 0; i < arch->layer_count; i++) {
        char name[LAYER_NAME_MAX];
        struct layer_parts parts;
        struct text notation = TEXT_EMPTY;
        layer_parts_of(arch, i, map, &parts);
        layer_print(&arch->layers[i], &notation);
        map = parts.parts[parts.count - 1].out;
        json_t *operations = json_array();
        for (int p = 0; p < parts.count; p++)
            json_array_append_new(operations, of_part(arch, i, &parts.parts[p]));
        layer_name(arch, i, name);
        json_array_append_new(layers, json_pack("{s:s,s:s,s:o,s:o}", "name", name, "layer", text_string(&notation),
                                                "output", of_shape(&map), "parts", operations));
        text_done(&notation);
    }
    return layers;
}

static json_t *of_reals(const double *values, int count)
{
    json_t *array = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(array, json_real(values[i]));
    return array;
}

static void set_facts(json_t *object, const struct data_facts *facts)
{
    char hash[HASH_TEXT];
    json_t *classes = json_array();
    for (int i = 0; i < facts->classes; i++)
        json_array_append_new(classes, json_of_text(facts->class_names[i]));
    json_set(object, "classes", classes);
    json_set(object, "mean", of_reals(facts->pixels.mean, facts->channels));
    json_set(object, "deviation", of_reals(facts->pixels.deviation, facts->channels));
    json_set(object, "layout", json_string(facts->layout));
    json_set(object, "mirrors", json_boolean(facts->mirrors));
    json_object_set_new(object, "data", json_string(facts->data)); /* no entry when it is not UTF-8 */
    json_set(object, "checksum", json_string(hash_print(facts->hash, hash)));
}

void export_arch_json(const struct arch *arch, struct shape input, const struct data_facts *facts, struct text *text)
{
    struct arch_cost cost = arch_cost(arch, input);
    struct text notation = TEXT_EMPTY;
    arch_print(arch, &notation);
    json_t *document =
        json_pack("{s:s,s:o,s:I,s:I,s:I,s:I}", "arch", text_string(&notation), "input", of_shape(&input), "parameters",
                  (json_int_t)cost.parameters, "flops", (json_int_t)cost.flops, "activation_bytes",
                  (json_int_t)cost.activation_bytes, "depth", (json_int_t)cost.depth);
    if (facts->classes)
        set_facts(document, facts);
    json_set(document, "layers", of_layers(arch, input));
    json_print(document, 17, text);
    text_done(&notation);
}
