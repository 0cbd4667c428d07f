/*
 * layout.c - how large things are and where their pieces lie: from shapes alone, without a device.
 *
 * A tensor is [image][y][x][channel] with the channels rounded up to eight.  Weights are stored [output][position]
 * [input], both rounded up, so that cuDNN takes them as they are, and an FC over a map reads the map as it lies.
 */
#include "backend/cuda/internal.h"
#include "util/bug.h"

size_t storage_bytes(enum storage storage)
{
    return storage == STORAGE_F32 ? 4 : 2;
}

size_t aligned(size_t bytes)
{
    return (bytes + 255) / 256 * 256;
}

static size_t take(size_t *end, size_t bytes)
{
    size_t at = *end;
    *end += aligned(bytes);
    return at;
}

size_t tensor_bytes_of(const struct tensor *tensor, int batch, enum storage storage)
{
    return aligned((size_t)batch * tensor->height * tensor->width * KERNEL_ROUND(tensor_buffer_channels(tensor)) *
                   storage_bytes(storage));
}

static bool is_convolution(const struct op *op)
{
    return op->kind == OP_CONV_BN_RELU || op->kind == OP_CONV;
}

static bool has_weight(const struct op *op)
{
    return is_convolution(op) || op->kind == OP_FC_BN_RELU || op->kind == OP_CLASSIFIER;
}

static bool has_vectors(const struct op *op)
{
    return has_weight(op) || op->kind == OP_BN_RELU;
}

/* --- weights --- */

/* Outputs of one position each with `inputs`, which is also how a vector by channel is told. */
static int64_t add_part(struct stored *stored, int64_t canonical, int outputs, int inputs, int positions,
                        int stored_outputs)
{
    struct kernel_part *part = &stored->parts[stored->part_count++];
    *part = (struct kernel_part){canonical,      stored->total,       outputs, inputs, positions,
                                 stored_outputs, KERNEL_ROUND(inputs)};
    stored->total += (int64_t)stored_outputs * positions * part->stored_inputs;
    return part->stored;
}

static int64_t add_vector(struct stored *stored, int64_t canonical, int channels)
{
    return canonical < 0 ? -1 : add_part(stored, canonical, 1, channels, 1, 1);
}

static int64_t add_weight(struct stored *stored, const struct plan *plan, const struct op *op)
{
    const struct tensor *input = &plan->tensors[op->inputs[0]];
    int outputs = op->weights.outputs;
    int positions = is_convolution(op) ? op->kernel * op->kernel : input->height * input->width;
    return add_part(stored, op->weights.weight, outputs, input->channels, positions, KERNEL_ROUND(outputs));
}

void stored_plan(const struct plan *plan, struct stored *stored)
{
    *stored = (struct stored){0};
    for (int i = 0; i < plan->op_count; i++)
        if (has_weight(&plan->ops[i]))
            stored->ops[i].weight = add_weight(stored, plan, &plan->ops[i]);
    stored->weights = stored->total;
    stored->weight_parts = stored->part_count;
    for (int i = 0; i < plan->op_count; i++) {
        const struct weights_layer *layer = &plan->ops[i].weights;
        if (!has_vectors(&plan->ops[i]))
            continue;
        stored->ops[i].gamma = add_vector(stored, layer->gamma, layer->outputs);
        stored->ops[i].beta = add_vector(stored, layer->beta, layer->outputs);
        stored->ops[i].bias = add_vector(stored, layer->bias, layer->outputs);
    }
    stored->trained = stored->total;
    stored->trained_parts = stored->part_count;
    for (int i = 0; i < plan->op_count; i++) {
        const struct weights_layer *layer = &plan->ops[i].weights;
        if (!has_vectors(&plan->ops[i]))
            continue;
        stored->ops[i].mean = add_vector(stored, layer->mean, layer->outputs);
        stored->ops[i].variance = add_vector(stored, layer->variance, layer->outputs);
    }
}

bool conv_wanted(const struct op *op, enum conv_direction direction, bool training)
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

/* --- what operations need --- */

static size_t linear_bytes(const struct op *op, int batch, enum storage storage)
{
    return (size_t)batch * op->height * op->width * KERNEL_ROUND(op->channels) * storage_bytes(storage);
}

/* Has a linear part that lies by itself, in what BN keeps or in scratch. */
static bool has_linear_part(const struct op *op)
{
    return is_convolution(op) || op->kind == OP_FC_BN_RELU;
}

static bool is_normalised(const struct op *op)
{
    return op->kind == OP_CONV_BN_RELU || op->kind == OP_FC_BN_RELU || op->kind == OP_BN_RELU;
}

struct saved saved_plan(const struct plan *plan, const struct op *op, int batch, enum storage storage)
{
    struct saved saved = {0};
    if (is_normalised(op)) {
        size_t vector = (size_t)KERNEL_ROUND(op->channels) * sizeof(float);
        if (has_linear_part(op)) /* OP_BN_RELU reads its input again */
            saved.z = take(&saved.bytes, linear_bytes(op, batch, storage));
        saved.mean = take(&saved.bytes, vector);
        saved.inverse_std = take(&saved.bytes, vector);
    }
    if (op->pool == POOL_MAX) {
        const struct tensor *output = &plan->tensors[op->output];
        saved.choice = take(&saved.bytes, (size_t)batch * output->height * output->width *
                                              KERNEL_ROUND(output->channels) * sizeof(uint16_t));
    }
    return saved;
}

struct scratch scratch_plan(const struct plan *plan, const struct op *op, int batch, enum storage storage)
{
    struct scratch scratch = {0};
    size_t vector = (size_t)KERNEL_ROUND(op->channels) * sizeof(float);
    if (has_linear_part(op))
        scratch.z = take(&scratch.bytes, linear_bytes(op, batch, storage));
    if (is_normalised(op)) {
        scratch.partials =
            take(&scratch.bytes,
                 (size_t)kernel_partials((int64_t)batch * op->height * op->width, op->channels) * sizeof(float));
        scratch.mean_gradient = take(&scratch.bytes, vector);
        scratch.mean_product = take(&scratch.bytes, vector);
    } else if (op->kind == OP_CLASSIFIER) {
        scratch.z = take(&scratch.bytes, (size_t)batch * vector);
        scratch.losses = take(&scratch.bytes, (size_t)batch * sizeof(float));
        scratch.hits = take(&scratch.bytes, (size_t)batch * sizeof(int32_t));
    }
    return scratch;
}
