/*
 * layout.c - see layout.h.
 *
 * A tensor is [image][y][x][channel] with the channels rounded up to eight.  Weights are [output][position][input] with
 * outputs and inputs rounded up, so that cuDNN can use them without a copy, and a fully connected layer reads a map
 * without one.  Those of a depthwise convolution are [position][channel].
 */
#include "backend/cuda/layout.h"
#include "util/bug.h"

size_t storage_bytes(enum storage storage)
{
    return storage == STORAGE_F32 ? 4 : 2;
}

size_t aligned(size_t bytes)
{
    return (bytes + 255) / 256 * 256;
}

void *memory_take(struct memory *memory, size_t bytes)
{
    void *taken = (void *)(memory->begin + memory->used);
    memory->used += aligned(bytes);
    return taken;
}

size_t tensor_bytes_of(const struct tensor *tensor, int batch, enum storage storage)
{
    return aligned((size_t)batch * tensor->height * tensor->width * KERNEL_ROUND(tensor_buffer_channels(tensor)) *
                   storage_bytes(storage));
}

/* cuDNN's. */
static bool is_convolution(const struct op *op)
{
    return op_is_convolution(op) && op->kind != OP_DEPTHWISE_BN_RELU;
}

static bool has_weight(const struct op *op)
{
    return op_is_convolution(op) || op->kind == OP_FC_BN_RELU || op->kind == OP_CLASSIFIER;
}

static bool has_vectors(const struct op *op)
{
    return has_weight(op) || op->kind == OP_BN_RELU || op->kind == OP_SQUEEZE_EXCITE;
}

/* A vector by channel is one output with that many inputs. */
static int64_t add_part(struct weight_layout *layout, int64_t canonical, int outputs, int inputs, int positions,
                        int stored_outputs)
{
    struct kernel_part *part = &layout->parts[layout->part_count++];
    *part = (struct kernel_part){canonical,      layout->total,       outputs, inputs, positions,
                                 stored_outputs, KERNEL_ROUND(inputs)};
    layout->total += (int64_t)stored_outputs * positions * part->stored_inputs;
    return part->stored;
}

static int64_t add_matrix(struct weight_layout *layout, const struct weights_layer *layer)
{
    return add_part(layout, layer->weight, layer->outputs, layer->inputs, 1, KERNEL_ROUND(layer->outputs));
}

static int64_t add_vector(struct weight_layout *layout, int64_t canonical, int channels)
{
    return canonical < 0 ? -1 : add_part(layout, canonical, 1, channels, 1, 1);
}

void weight_layout_of(const struct plan *plan, struct weight_layout *layout)
{
    *layout = (struct weight_layout){0};
    for (int i = 0; i < plan->op_count; i++) {
        const struct op *op = &plan->ops[i];
        const struct tensor *input = &plan->tensors[op->inputs[0]];
        int positions = op_is_convolution(op) ? op->kernel * op->kernel : input->height * input->width;
        if (op->kind == OP_DEPTHWISE_BN_RELU)
            layout->ops[i].weight = add_part(layout, op->weights.weight, 1, op->channels, positions, 1);
        else if (has_weight(op))
            layout->ops[i].weight = add_part(layout, op->weights.weight, op->weights.outputs, input->channels,
                                             positions, KERNEL_ROUND(op->weights.outputs));
        if (op->kind == OP_SQUEEZE_EXCITE) {
            layout->ops[i].weight = add_matrix(layout, &op->weights);
            layout->ops[i].excite = add_matrix(layout, &op->excite);
        }
    }
    layout->weights = layout->total;
    layout->weight_parts = layout->part_count;
    for (int i = 0; i < plan->op_count; i++) {
        const struct weights_layer *layer = &plan->ops[i].weights;
        if (!has_vectors(&plan->ops[i]))
            continue;
        layout->ops[i].gamma = add_vector(layout, layer->gamma, layer->outputs);
        layout->ops[i].beta = add_vector(layout, layer->beta, layer->outputs);
        layout->ops[i].bias = add_vector(layout, layer->bias, layer->outputs);
        if (plan->ops[i].kind == OP_SQUEEZE_EXCITE)
            layout->ops[i].excite_bias = add_vector(layout, plan->ops[i].excite.bias, plan->ops[i].excite.outputs);
    }
    layout->trained = layout->total;
    layout->trained_parts = layout->part_count;
    for (int i = 0; i < plan->op_count; i++) {
        const struct weights_layer *layer = &plan->ops[i].weights;
        if (!has_vectors(&plan->ops[i]))
            continue;
        layout->ops[i].mean = add_vector(layout, layer->mean, layer->outputs);
        layout->ops[i].variance = add_vector(layout, layer->variance, layer->outputs);
    }
}

bool conv_is_needed(const struct op *op, enum conv_direction direction, bool training)
{
    return is_convolution(op) &&
           (direction == CONV_FORWARD || (training && (direction == CONV_FILTER || op->needs_input_gradient[0])));
}

struct conv_shape conv_shape_of(const struct plan *plan, const struct op *op, int batch, enum storage storage)
{
    const struct tensor *input = &plan->tensors[op->inputs[0]];
    ASSERT(!input->before && !input->after);
    return (struct conv_shape){.batch = batch,
                               .inputs = KERNEL_ROUND(input->channels),
                               .outputs = KERNEL_ROUND(op->channels),
                               .height = input->height,
                               .width = input->width,
                               .out_height = op->height,
                               .out_width = op->width,
                               .kernel = op->kernel,
                               .stride = op->stride,
                               .input_stride = KERNEL_ROUND(input->channels),
                               .output_stride = KERNEL_ROUND(op->channels),
                               .storage = storage};
}

static size_t linear_bytes(const struct op *op, int batch, enum storage storage)
{
    return (size_t)batch * op->height * op->width * KERNEL_ROUND(op->channels) * storage_bytes(storage);
}

/* Whether its linear part is stored: BN saves it for backward, in inference it is in scratch memory. */
static bool has_linear_part(const struct op *op)
{
    return op_is_convolution(op) || op->kind == OP_FC_BN_RELU;
}

static struct squeeze_values squeeze_layout(struct memory *memory, const struct op *op, int batch)
{
    size_t image = (size_t)batch * sizeof(float);
    struct squeeze_values values;
    values.mean = memory_take(memory, image * KERNEL_ROUND(op->channels));
    values.squeezed = memory_take(memory, image * KERNEL_ROUND(op->weights.outputs));
    values.excited = memory_take(memory, image * KERNEL_ROUND(op->channels));
    return values;
}

struct saved saved_layout(const struct plan *plan, const struct op *op, int batch, enum storage storage, void *begin)
{
    struct memory memory = {(uintptr_t)begin, 0};
    struct saved saved = {0};
    if (op_has_bn(op)) {
        size_t vector = (size_t)KERNEL_ROUND(op->channels) * sizeof(float);
        if (has_linear_part(op)) /* OP_BN_RELU reads its input again */
            saved.z = memory_take(&memory, linear_bytes(op, batch, storage));
        saved.mean = memory_take(&memory, vector);
        saved.inverse_std = memory_take(&memory, vector);
    }
    if (op->kind == OP_SQUEEZE_EXCITE)
        saved.squeeze = squeeze_layout(&memory, op, batch);
    if (op->pool == POOL_MAX) {
        const struct tensor *output = &plan->tensors[op->output];
        saved.choice = memory_take(&memory, (size_t)batch * output->height * output->width *
                                                KERNEL_ROUND(output->channels) * sizeof(uint16_t));
    }
    saved.bytes = memory.used;
    return saved;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

struct scratch scratch_layout(const struct op *op, int batch, enum storage storage, void *begin)
{
    struct memory memory = {(uintptr_t)begin, 0};
    struct scratch scratch = {0};
    size_t vector = (size_t)KERNEL_ROUND(op->channels) * sizeof(float);
    if (has_linear_part(op))
        scratch.z = memory_take(&memory, linear_bytes(op, batch, storage));
    if (op_has_bn(op)) {
        int64_t rows = (int64_t)batch * op->height * op->width, partials = kernel_partials(rows, op->channels);
        if (op->kind == OP_DEPTHWISE_BN_RELU)
            partials = larger(partials, kernel_depthwise_partials(rows, op->channels, op->kernel));
        scratch.partials = memory_take(&memory, (size_t)partials * sizeof(float));
        scratch.mean_gradient = memory_take(&memory, vector);
        scratch.mean_product = memory_take(&memory, vector);
    } else if (op->kind == OP_SQUEEZE_EXCITE) {
        scratch.squeeze = squeeze_layout(&memory, op, batch);
    } else if (op->kind == OP_CLASSIFIER) {
        scratch.z = memory_take(&memory, (size_t)batch * vector);
        scratch.losses = memory_take(&memory, (size_t)batch * sizeof(float));
        scratch.hits = memory_take(&memory, (size_t)batch * sizeof(int32_t));
    }
    scratch.bytes = memory.used;
    return scratch;
}
