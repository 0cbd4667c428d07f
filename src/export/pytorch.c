/*
 * pytorch.c - a walk over the parts of all layers (kinds.h) that writes one line of Python for each: first the modules
 * that have weights, then the function that applies them.
 *
 * Python's names are those of the weights with "_" for ".": conv1, dense1_bottleneck.  A BN is a module of its own,
 * conv1_bn, since a BN may stand alone.  load() has the same rule, so that it needs no list of names.
 */
#include "export/pytorch.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "arch/weights.h"
#include "util/bug.h"

struct walk {
    const struct arch *arch;
    struct weights_layout layout;
    struct shape map; /* what the next layer reads */
    bool flat;        /* the map has become a vector */
    struct text *text;
};

/* As a literal of JSON, which Python reads alike. */
static void add_quoted(struct text *text, const char *string)
{
    json_t *value = json_string(string);
    char *quoted = value ? json_dumps(value, JSON_ENCODE_ANY) : NULL; /* NULL: it isn't UTF-8 */
    text_add(text, "%s", quoted ? quoted : "\"\"");
    free(quoted);
    json_decref(value);
}

static void add_numbers(struct text *text, const char *name, const double *values, int count)
{
    text_add(text, "%s = [", name);
    for (int i = 0; i < count; i++)
        text_add(text, "%s%.17g", i ? ", " : "", values[i]);
    text_add(text, "]\n");
}

static void add_names(struct text *text, const struct data_facts *facts)
{
    text_add(text, "CLASSES = [");
    for (int i = 0; i < facts->classes; i++) {
        text_add(text, i ? ", " : "");
        add_quoted(text, facts->class_names[i]);
    }
    text_add(text, "]\n");
}

/* The module of a part's weights: "dense1.bottleneck" is self.dense1_bottleneck. */
static char *module_name(const struct walk *walk, int layer, const struct part *part, char name[WEIGHTS_NAME_MAX])
{
    weights_part_name(walk->arch, layer, part->weights, name);
    for (char *c = name; *c; c++)
        if (*c == '.')
            *c = '_';
    return name;
}

/* The line that makes the module of a part, if it has weights. */
static void add_module(struct walk *walk, int layer, const struct part *part)
{
    char name[WEIGHTS_NAME_MAX];
    const struct weights_layer *weights = &walk->layout.parts[part->weights][layer];
    if (!part_has_weights(part))
        return;
    text_add(walk->text, "        self.%s", module_name(walk, layer, part, name));
    switch (part->kind) {
    case PART_CONV:
        text_add(walk->text, " = nn.Conv2d(%d, %d, %d, stride=%d, padding=%d", part->in.channels, weights->outputs,
                 part->kernel, part->stride, part->kernel / 2);
        if (weights->inputs < part->in.channels) /* each output reads some of the channels */
            text_add(walk->text, ", groups=%d", part->in.channels / weights->inputs);
        text_add(walk->text, ", bias=False)\n");
        break;
    case PART_LINEAR:
        walk->flat = true;
        text_add(walk->text, " = nn.Linear(%d, %d%s)\n", weights->inputs, weights->outputs,
                 part->bias ? "" : ", bias=False");
        break;
    case PART_BN_RELU:
    case PART_BN:
        text_add(walk->text, "_bn = nn.BatchNorm%dd(%d, eps=%g)\n", walk->flat ? 1 : 2, weights->outputs,
                 (double)BN_EPSILON);
        break;
    case PART_SQUEEZE:
    case PART_EXCITE:
        text_add(walk->text, " = nn.Linear(%d, %d)\n", weights->inputs, weights->outputs);
        break;
    case PART_MAX_POOL:
    case PART_AVERAGE_POOL:
    case PART_CONCAT:
    case PART_ADD:
        BUG("a part without weights");
    }
}

/* The line that applies a part. */
static void add_call(struct walk *walk, int layer, const struct part *part)
{
    char name[WEIGHTS_NAME_MAX];
    struct text *text = walk->text;
    module_name(walk, layer, part, name);
    switch (part->kind) {
    case PART_LINEAR:
        if (!walk->flat)
            text_add(text, "        x = x.flatten(1)\n");
        walk->flat = true;
        text_add(text, "        x = self.%s(x)\n", name);
        break;
    case PART_CONV:
        text_add(text, "        x = self.%s(x)\n", name);
        break;
    case PART_BN_RELU:
        text_add(text, "        x = F.%s(self.%s_bn(x))\n", part->hard_swish ? "hardswish" : "relu", name);
        break;
    case PART_SQUEEZE:
        text_add(text, "        gates = F.relu(self.%s(x.mean((2, 3))))\n", name);
        break;
    case PART_EXCITE:
        text_add(text, "        x = x * (2 * F.hardsigmoid(self.%s(gates)))[:, :, None, None]\n", name);
        break;
    case PART_BN:
        text_add(text, "        x = self.%s_bn(x)\n", name);
        break;
    case PART_MAX_POOL:
    case PART_AVERAGE_POOL:
        text_add(text, "        x = F.%s_pool2d(x, %d, %d)\n", part->kind == PART_MAX_POOL ? "max" : "avg",
                 part->kernel, part->stride);
        break;
    case PART_CONCAT:
        text_add(text, "        x = torch.cat([kept, x], 1)\n");
        break;
    case PART_ADD:
        text_add(text, "        x = kept + x\n");
        break;
    }
}

/* Does a part read the layer's input again? */
static bool keeps_input(const struct layer_parts *parts)
{
    for (int p = 0; p < parts->count; p++)
        if (parts->parts[p].kind == PART_CONCAT || parts->parts[p].kind == PART_ADD)
            return true;
    return false;
}

/* A comment with the layer's name and output, then its lines. */
static void add_calls(struct walk *walk, int layer, const struct layer_parts *parts)
{
    char name[LAYER_NAME_MAX];
    const struct shape *out = &parts->parts[parts->count - 1].out;
    layer_name(walk->arch, layer, name);
    text_add(walk->text, "        # %s: %d x %d x %d\n", name, out->channels, out->height, out->width);
    if (keeps_input(parts))
        text_add(walk->text, "        kept = x\n");
    for (int p = 0; p < parts->count; p++)
        add_call(walk, layer, &parts->parts[p]);
}

static void walk_layers(struct walk *walk, struct shape input, bool calls)
{
    walk->map = input;
    walk->flat = false;
    for (int i = 0; i < walk->arch->layer_count; i++) {
        struct layer_parts parts;
        layer_parts_of(walk->arch, i, walk->map, &parts);
        for (int p = 0; p < parts.count && !calls; p++)
            add_module(walk, i, &parts.parts[p]);
        if (calls)
            add_calls(walk, i, &parts);
        walk->map = parts.parts[parts.count - 1].out;
    }
}

static void add_head(const struct arch *arch, struct shape input, const struct data_facts *facts,
                     const char *weights_file, struct text *text)
{
    text_add(text, "\"\"\"A network that Espalier grew, as a PyTorch module.\n\n    ");
    arch_print(arch, text);
    text_add(text,
             "\n\n    network = load()                         # of the file WEIGHTS, beside this one\n"
             "    probabilities = network(images).softmax(1)\n\n"
             "`images` are N x %d x %d x %d (%s): pixels from 0 to 255, as floats or bytes.  The network\n"
             "normalises them.  Output i is the logit of CLASSES[i].\n\"\"\"\n"
             "import json\nimport pathlib\n\nimport torch\nfrom torch import nn\n"
             "from torch.nn import functional as F\n\nWEIGHTS = ",
             input.channels, input.height, input.width, facts->layout);
    add_quoted(text, weights_file);
    text_add(text, "\n");
    add_names(text, facts);
    add_numbers(text, "MEAN", facts->pixels.mean, facts->channels);
    add_numbers(text, "DEVIATION", facts->pixels.deviation, facts->channels);
}

static const char network_head[] =
    "\n\nclass Network(nn.Module):\n"
    "    def __init__(self):\n"
    "        super().__init__()\n"
    "        self.register_buffer(\"mean\", torch.tensor(MEAN).view(-1, 1, 1), persistent=False)\n"
    "        self.register_buffer(\"deviation\", torch.tensor(DEVIATION).view(-1, 1, 1), persistent=False)\n";

static const char forward_head[] = "\n    def forward(self, images):\n"
                                   "        x = (images.float() - self.mean) / self.deviation\n";

static const char loader[] =
    "        return x\n\n\n"
    "# What a safetensors file calls the values of a layer, and what PyTorch's modules call them.\n"
    "VALUES = {\"weight\": \".weight\", \"bias\": \".bias\", \"gamma\": \"_bn.weight\", \"beta\": \"_bn.bias\",\n"
    "          \"mean\": \"_bn.running_mean\", \"variance\": \"_bn.running_var\"}\n\n\n"
    "def load(path=pathlib.Path(__file__).with_name(WEIGHTS)):\n"
    "    \"\"\"The network with the weights of a safetensors file, ready to evaluate.\"\"\"\n"
    "    content = pathlib.Path(path).read_bytes()\n"
    "    start = 8 + int.from_bytes(content[:8], \"little\")\n"
    "    state = {}\n"
    "    for name, entry in json.loads(content[8:start]).items():\n"
    "        if name != \"__metadata__\" and not name.startswith(\"raw.\"):\n"
    "            layer, value = name.rsplit(\".\", 1)\n"
    "            first, last = entry[\"data_offsets\"]\n"
    "            values = torch.frombuffer(bytearray(content[start + first:start + last]), dtype=torch.float32)\n"
    "            state[layer.replace(\".\", \"_\") + VALUES[value]] = values.reshape(entry[\"shape\"])\n"
    "    network = Network()\n"
    "    network.load_state_dict(state)\n"
    "    return network.eval()\n";

void export_pytorch(const struct arch *arch, struct shape input, const struct data_facts *facts,
                    const char *weights_file, struct text *text)
{
    struct walk walk = {.arch = arch, .text = text};
    weights_layout_of(arch, input, &walk.layout);
    add_head(arch, input, facts, weights_file, text);
    text_add(text, "%s", network_head);
    walk_layers(&walk, input, false);
    text_add(text, "%s", forward_head);
    walk_layers(&walk, input, true);
    text_add(text, "%s", loader);
}
