/* kinds.c - the table of kinds, and for each kind the function that lists its parts. */
#include "arch/kinds.h"

#include <stdio.h>
#include <string.h>

#include "util/bug.h"

/* --- what layers are made of --- */

static struct part *add(struct layer_parts *parts, enum part_kind kind)
{
    ASSERT(parts->count < LAYER_PARTS_MAX);
    struct part *part = &parts->parts[parts->count++];
    *part = (struct part){.kind = kind, .in = parts->count > 1 ? part[-1].out : parts->in};
    part->out = part->in;
    return part;
}

static struct part *add_conv(struct layer_parts *parts, enum weights_part weights, int filters, int kernel, int stride)
{
    struct part *part = add(parts, PART_CONV);
    part->weights = weights;
    part->kernel = kernel;
    part->stride = stride;
    part->out = (struct shape){filters, (part->in.height - 1) / stride + 1, (part->in.width - 1) / stride + 1};
    return part;
}

static void add_depthwise(struct layer_parts *parts, int channels, int kernel, int stride)
{
    add_conv(parts, WEIGHTS_DEPTHWISE, channels, kernel, stride)->depthwise = true;
}

static struct part *add_bn_relu(struct layer_parts *parts, enum weights_part weights)
{
    struct part *part = add(parts, PART_BN_RELU);
    part->weights = weights;
    return part;
}

/* With the activation of the layer. */
static void add_bn_activation(const struct layer *layer, struct layer_parts *parts, enum weights_part weights)
{
    add_bn_relu(parts, weights)->hard_swish = layer->features & LAYER_HARD_SWISH;
}

/* Where the layer has it. */
static void add_squeeze(const struct layer *layer, struct layer_parts *parts)
{
    if (!(layer->features & LAYER_SQUEEZE))
        return;
    struct part *squeeze = add(parts, PART_SQUEEZE), *excite = add(parts, PART_EXCITE);
    int units = squeeze->in.channels / SQUEEZE_RATIO;
    squeeze->weights = WEIGHTS_SQUEEZE;
    excite->weights = WEIGHTS_EXCITE;
    squeeze->bias = excite->bias = true;
    excite->out = squeeze->in;
    squeeze->out = excite->in = (struct shape){units ? units : 1, 1, 1};
}

/* The end of a residual layer: a convolution back to the channels that it read, BN, and the addition. */
static void add_residual(struct layer_parts *parts, int kernel)
{
    add_conv(parts, WEIGHTS_MAIN, parts->in.channels, kernel, 1);
    add(parts, PART_BN)->weights = WEIGHTS_MAIN;
    add(parts, PART_ADD);
}

static struct part *add_pool(struct layer_parts *parts, enum part_kind kind, int size, int stride)
{
    struct part *part = add(parts, kind);
    part->kernel = size;
    part->stride = stride;
    part->out.height = (part->in.height - size) / stride + 1;
    part->out.width = (part->in.width - size) / stride + 1;
    return part;
}

static struct part *add_linear(struct layer_parts *parts, int units, bool bias)
{
    struct part *part = add(parts, PART_LINEAR);
    part->weights = WEIGHTS_MAIN;
    part->bias = bias;
    part->out = (struct shape){units, 1, 1};
    return part;
}

static void conv_parts(const struct layer *layer, bool raw_input, struct layer_parts *parts)
{
    add_conv(parts, WEIGHTS_MAIN, layer->units, layer->kernel, layer->stride);
    add_bn_relu(parts, WEIGHTS_MAIN);
}

static void pool_parts(const struct layer *layer, bool raw_input, struct layer_parts *parts)
{
    bool max = layer->kind == LAYER_MAX_POOL;
    if (raw_input)
        add_bn_relu(parts, WEIGHTS_NORM);
    add_pool(parts, max ? PART_MAX_POOL : PART_AVERAGE_POOL, layer->kernel, layer->stride)->dropout =
        max ? DROPOUT_POOL : DROPOUT_NONE;
}

static void dense_parts(const struct layer *layer, bool raw_input, struct layer_parts *parts)
{
    add_bn_relu(parts, WEIGHTS_NORM);
    if (layer->bottleneck) {
        add_conv(parts, WEIGHTS_BOTTLENECK, layer->bottleneck * layer->units, 1, 1)->dropout = DROPOUT_DENSE;
        add_bn_relu(parts, WEIGHTS_BOTTLENECK);
    }
    add_conv(parts, WEIGHTS_MAIN, layer->units, 3, 1)->dropout = DROPOUT_DENSE;
    add(parts, PART_CONCAT)->out.channels += parts->in.channels;
}

static void transition_parts(const struct layer *layer, bool raw_input, struct layer_parts *parts)
{
    int channels = parts->in.channels * layer->percent / 100;
    add_bn_relu(parts, WEIGHTS_NORM);
    add_pool(parts, PART_AVERAGE_POOL, TRANSITION_POOL, TRANSITION_POOL);
    add_conv(parts, WEIGHTS_MAIN, channels ? channels : 1, 1, 1)->dropout = DROPOUT_DENSE;
}

static void residual_parts(const struct layer *layer, bool raw_input, struct layer_parts *parts)
{
    add_conv(parts, WEIGHTS_BOTTLENECK, layer->units, layer->kernel, 1);
    add_bn_activation(layer, parts, WEIGHTS_BOTTLENECK);
    add_squeeze(layer, parts);
    add_residual(parts, layer->kernel);
}

static void mobile_parts(const struct layer *layer, bool raw_input, struct layer_parts *parts)
{
    add_conv(parts, WEIGHTS_BOTTLENECK, layer->units, 1, 1);
    add_bn_activation(layer, parts, WEIGHTS_BOTTLENECK);
    add_depthwise(parts, layer->units, layer->kernel, 1);
    add_bn_activation(layer, parts, WEIGHTS_DEPTHWISE);
    add_squeeze(layer, parts);
    add_residual(parts, 1);
}

static void separable_parts(const struct layer *layer, bool raw_input, struct layer_parts *parts)
{
    add_depthwise(parts, parts->in.channels, layer->kernel, layer->stride);
    add_bn_activation(layer, parts, WEIGHTS_DEPTHWISE);
    add_squeeze(layer, parts);
    add_conv(parts, WEIGHTS_MAIN, layer->units, 1, 1);
    add_bn_activation(layer, parts, WEIGHTS_MAIN);
}

static void fc_parts(const struct layer *layer, bool raw_input, struct layer_parts *parts)
{
    add_linear(parts, layer->units, false);
    add_bn_relu(parts, WEIGHTS_MAIN)->dropout = DROPOUT_FC;
}

static void classifier_parts(const struct layer *layer, bool raw_input, struct layer_parts *parts)
{
    add_linear(parts, layer->units, true);
}

bool part_is_linear(const struct part *part)
{
    return part->kind == PART_CONV || part->kind == PART_LINEAR;
}

bool part_has_weights(const struct part *part)
{
    return part_is_linear(part) || part_is_bn(part) || part->kind == PART_SQUEEZE || part->kind == PART_EXCITE;
}

bool part_is_bn(const struct part *part)
{
    return part->kind == PART_BN_RELU || part->kind == PART_BN;
}

bool part_is_pool(const struct part *part)
{
    return part->kind == PART_MAX_POOL || part->kind == PART_AVERAGE_POOL;
}

int part_channels_read(const struct part *part)
{
    return part->depthwise ? 1 : part->in.channels;
}

bool part_joins(const struct part *part, const struct part *next)
{
    if (part_is_bn(next))
        return part_is_linear(part);
    return (part->kind == PART_BN_RELU && part_is_pool(next)) || (part->kind == PART_BN && next->kind == PART_ADD) ||
           part->kind == PART_SQUEEZE;
}

/* --- the table --- */

/* clang-format off */
#define FIELD(name) offsetof(struct layer, name)
#define KERNEL {"kernel", FIELD(kernel), 1, ARCH_KERNEL_MAX, ARGUMENT_ODD}
#define WINDOW {"pool size", FIELD(kernel), 1, ARCH_SIDE_MAX, ARGUMENT_ANY}
#define STRIDE {"stride", FIELD(stride), 1, ARCH_SIDE_MAX, ARGUMENT_ANY}
#define FILTERS {"filters", FIELD(units), 1, ARCH_UNITS_MAX, ARGUMENT_ANY}
#define HIDDEN {"hidden channels", FIELD(units), 1, ARCH_UNITS_MAX, ARGUMENT_ANY}
#define BLOCK_FEATURES (LAYER_SQUEEZE | LAYER_HARD_SWISH)

static const struct layer_traits table[] = {
    [LAYER_CONV] = {"C", "conv", "C(filters,kernel,stride)", conv_parts, .token_place = 0,
        .arguments = {FILTERS, KERNEL, STRIDE},
        .noun = "convolution", .counts = "filters", .widths = WIDTHS_FILTERS, .has_kernel = true},
    [LAYER_MAX_POOL] = {"P", "pool", "P(size,stride)", pool_parts, .token_place = 2,
        .arguments = {WINDOW, STRIDE}, .reads_raw = true},
    [LAYER_AVERAGE_POOL] = {"A", "average", "A(size,stride)", pool_parts, .token_place = 3,
        .arguments = {WINDOW, STRIDE}, .reads_raw = true},
    [LAYER_DENSE] = {"D", "dense", "D(bottleneck,[growth,...])", dense_parts, .token_place = 6,
        .arguments = {{"bottleneck", FIELD(bottleneck), 0, ARCH_BOTTLENECK_MAX, ARGUMENT_ANY},
                      {"growth rate", FIELD(units), 1, ARCH_GROWTH_MAX, ARGUMENT_LIST}},
        .noun = "dense layer", .counts = "channels", .widths = WIDTHS_GROWTHS, .widens_to_deepen = true,
        .dense = true, .raw_output = true, .reads_raw = true},
    [LAYER_TRANSITION] = {"T", "transition", "T(reduction) with at most two decimals", transition_parts,
        .token_place = 5, .arguments = {{"reduction", FIELD(percent), 1, 100, ARGUMENT_HUNDREDTHS}},
        .dense = true, .raw_output = true, .reads_raw = true},
    [LAYER_RESIDUAL] = {"R", "residual", "R(hidden,kernel)", residual_parts, .token_place = 7,
        .arguments = {HIDDEN, KERNEL}, .features = BLOCK_FEATURES,
        .noun = "residual block", .counts = "hidden channels", .widths = WIDTHS_HIDDEN, .has_kernel = true,
        .modern = true},
    [LAYER_MOBILE] = {"M", "mobile", "M(hidden,kernel)", mobile_parts, .token_place = 8,
        .arguments = {HIDDEN, KERNEL}, .features = BLOCK_FEATURES,
        .noun = "inverted bottleneck", .counts = "hidden channels", .widths = WIDTHS_HIDDEN, .has_kernel = true,
        .modern = true},
    [LAYER_SEPARABLE] = {"S", "separable", "S(filters,kernel,stride)", separable_parts, .token_place = 9,
        .arguments = {FILTERS, KERNEL, STRIDE}, .features = BLOCK_FEATURES,
        .noun = "separable convolution", .counts = "filters", .widths = WIDTHS_FILTERS, .has_kernel = true,
        .modern = true},
    [LAYER_FC] = {"FC", "fc", "FC(units)", fc_parts, .token_place = 1, .section = SECTION_VECTORS,
        .arguments = {{"units", FIELD(units), 1, ARCH_UNITS_MAX, ARGUMENT_ANY}},
        .noun = "FC", .counts = "units", .widths = WIDTHS_UNITS},
    [LAYER_SOFTMAX] = {"SM", "classifier", "SM(classes)", classifier_parts, .token_place = 4,
        .section = SECTION_CLASSIFIER, .arguments = {{"classes", FIELD(units), 2, ARCH_UNITS_MAX, ARGUMENT_ANY}}},
};
/* clang-format on */

const struct layer_traits *layer_kind_traits(enum layer_kind kind)
{
    return &table[kind];
}

const struct layer_traits *layer_traits(const struct layer *layer)
{
    return &table[layer->kind];
}

void layer_parts_of(const struct arch *arch, int layer, struct shape in, struct layer_parts *parts)
{
    const struct layer *at = &arch->layers[layer];
    parts->in = in;
    parts->count = 0; /* each part is written when it is added */
    layer_traits(at)->parts(at, layer && layer_traits(at - 1)->raw_output, parts);
}

char *weights_part_name(const struct arch *arch, int layer, enum weights_part part, char name[WEIGHTS_NAME_MAX])
{
    static const char *const suffixes[] = {[WEIGHTS_NORM] = ".norm",
                                           [WEIGHTS_BOTTLENECK] = ".bottleneck",
                                           [WEIGHTS_DEPTHWISE] = ".depthwise",
                                           [WEIGHTS_SQUEEZE] = ".squeeze",
                                           [WEIGHTS_EXCITE] = ".excite",
                                           [WEIGHTS_MAIN] = ""};
    bool hidden = part == WEIGHTS_BOTTLENECK && !layer_traits(&arch->layers[layer])->dense;
    layer_name(arch, layer, name);
    return strcat(name, hidden ? ".hidden" : suffixes[part]);
}

int *layer_argument(struct layer *layer, const struct layer_argument *argument)
{
    return (int *)((char *)layer + argument->offset);
}

const char *layer_feature_word(int number, int *feature)
{
    static const struct {
        const char *word;
        enum layer_feature feature;
    } words[] = {{"se", LAYER_SQUEEZE}, {"hs", LAYER_HARD_SWISH}};
    if ((size_t)number >= COUNT_OF(words))
        return NULL;
    *feature = words[number].feature;
    return words[number].word;
}

int layer_units_max(const struct layer *layer)
{
    const struct layer_traits *traits = layer_traits(layer);
    for (int i = 0; traits->arguments[i].what; i++)
        if (traits->arguments[i].offset == FIELD(units))
            return traits->arguments[i].maximum;
    return 0;
}

char *layer_symbols(bool (*chosen)(const struct layer_traits *traits), const char *last, char text[LAYER_SYMBOLS_MAX])
{
    const char *symbols[LAYER_KINDS];
    int count = 0;
    for (int kind = 0; kind < LAYER_KINDS; kind++)
        if (!chosen || chosen(&table[kind]))
            symbols[count++] = table[kind].symbol;
    size_t length = 0;
    text[0] = 0;
    for (int i = 0; i < count; i++) {
        const char *between = !i ? "" : i + 1 < count ? ", " : last;
        length += (size_t)snprintf(text + length, LAYER_SYMBOLS_MAX - length, "%s%s", between, symbols[i]);
    }
    return text;
}
