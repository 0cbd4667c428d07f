/*
 * op_squeeze.c - OP_SQUEEZE_EXCITE: each channel of an image times a gate, which two small linear layers make of the
 * averages of all channels.  backend.h has the formulas; its names are used here.
 *
 * An item of a loop is a block of images: its map is read for the averages, or in backward for the gradients of the
 * gates, and again for the output while it is in the cache.  Between the two passes lie products of a few values
 * (gemm.h).  In training m, a and s are saved.  The gradients of the weights are sums over all blocks, which follow the
 * loop.
 */
#include "backend/cpu/operations.h"

#include "backend/cpu/gemm.h"

/* Values by block, channel or squeezed value, and image. */
struct gates {
    float *m, *a, *s;
};

struct squeeze {
    const struct op_run *run;
    struct map in, out;
    int blocks, channels, units;
    float share;        /* of one pixel in an average */
    struct gates gates; /* saved; in inference scratch */
    struct gates d;     /* scratch: their gradients */
    int32_t *offsets;   /* scratch: of the values of one block */
};

static struct gates take_gates(struct workspace *workspace, const struct op *op, int blocks)
{
    size_t channels = (size_t)blocks * (size_t)op->channels * BLOCK * sizeof(float);
    struct gates gates;
    gates.m = workspace_take(workspace, channels);
    gates.a = workspace_take(workspace, (size_t)blocks * (size_t)op->weights.outputs * BLOCK * sizeof(float));
    gates.s = workspace_take(workspace, channels);
    return gates;
}

size_t squeeze_saved_bytes(const struct op *op, int blocks)
{
    struct workspace saved = {0};
    take_gates(&saved, op, blocks);
    return saved.used;
}

static struct squeeze squeeze_new(struct workspace *scratch, const struct op *op, int blocks)
{
    struct squeeze layer = {.blocks = blocks, .channels = op->channels, .units = op->weights.outputs};
    layer.share = 1 / (float)(op->height * op->width);
    layer.d = take_gates(scratch, op, blocks);
    layer.offsets = workspace_take(scratch, (size_t)(layer.channels + layer.units) * sizeof *layer.offsets);
    return layer;
}

size_t squeeze_scratch_bytes(const struct op *op, int blocks)
{
    struct workspace scratch = {0};
    squeeze_new(&scratch, op, blocks);
    return scratch.used;
}

static struct squeeze squeeze_begin(const struct op_run *run, bool training)
{
    struct squeeze layer = squeeze_new(&(struct workspace){run->scratch, 0}, run->op, blocks_of(run->count));
    layer.run = run;
    layer.in = map_of(&run->plan->tensors[run->op->inputs[0]]);
    layer.out = map_of(&run->plan->tensors[run->op->output]);
    layer.gates = training ? take_gates(&(struct workspace){run->saved, 0}, run->op, layer.blocks) : layer.d;
    for (int i = 0; i < layer.channels + layer.units; i++)
        layer.offsets[i] = i * BLOCK;
    return layer;
}

/* `rows` sums of one block: each of `columns` values times weights, from `bias` on. */
static void multiply(const struct squeeze *layer, int rows, int columns, const float *weights, int weight_row,
                     int weight_column, const float *bias, const float *x, float *y)
{
    gemm_run(&(struct gemm){.rows = rows,
                            .columns = columns,
                            .weights = weights,
                            .weight_row = weight_row,
                            .weight_column = weight_column,
                            .offsets = layer->offsets,
                            .bias = bias,
                            .height = 1,
                            .width = 1,
                            .x_step = BLOCK,
                            .out_plane = BLOCK,
                            .out_step = BLOCK},
             x, y, NULL);
}

/* Sums over the map of one channel; of x, or of x times `other`. */
INLINE void sum_plane(const struct map *map, const float *x, const struct map *other_map, const float *other,
                      float *sums)
{
    vector total[PARTS] = {0};
    for (int row = 0; row < map->height; row++) {
        const float *from = x + map_at(map, 0, row, 0);
        const float *with = other ? other + map_at(other_map, 0, row, 0) : NULL;
        vector sum[PARTS] = {0};
        for (int i = 0; i < map->width * BLOCK; i += BLOCK)
#pragma GCC unroll 4
            for (int part = 0; part < PARTS; part++) {
                vector value = vector_load(from + i + part * VECTOR_WIDTH);
                if (with)
                    value *= vector_load(with + i + part * VECTOR_WIDTH);
                sum[part] += value;
            }
#pragma GCC unroll 4
        for (int part = 0; part < PARTS; part++)
            total[part] += sum[part];
    }
#pragma GCC unroll 4
    for (int part = 0; part < PARTS; part++)
        vector_store(sums + part * VECTOR_WIDTH, total[part]);
}

/* to = factor * from + constant: each has a value for each image. */
INLINE void scale_plane(const struct map *from_map, const float *from, const vector *factor, const vector *constant,
                        const struct map *to_map, float *to)
{
    for (int row = 0; row < to_map->height; row++) {
        const float *in = from + map_at(from_map, 0, row, 0);
        float *out = to + map_at(to_map, 0, row, 0);
        for (int i = 0; i < to_map->width * BLOCK; i += BLOCK)
#pragma GCC unroll 4
            for (int part = 0; part < PARTS; part++) {
                vector value = factor[part] * vector_load(in + i + part * VECTOR_WIDTH);
                if (constant)
                    value += constant[part];
                vector_store(out + i + part * VECTOR_WIDTH, value);
            }
    }
}

static void find_gates(const float *s, vector gates[PARTS])
{
    for (int part = 0; part < PARTS; part++) {
        vector gate = vector_load(s + part * VECTOR_WIDTH) * vector_all(1.0f / 3) + vector_all(1);
        gates[part] = vector_min(vector_all(2), vector_relu(gate));
    }
}

static void forward_item(void *context, int block, int member)
{
    const struct squeeze *layer = context;
    const struct op *op = layer->run->op;
    const float *x = (const float *)layer->run->x + block * layer->in.block_stride, *values = layer->run->values;
    float *y = (float *)layer->run->y + block * layer->out.block_stride;
    int channels = layer->channels, units = layer->units;
    float *m = layer->gates.m + (size_t)block * channels * BLOCK, *a = layer->gates.a + (size_t)block * units * BLOCK;
    float *s = layer->gates.s + (size_t)block * channels * BLOCK;
    for (int k = 0; k < channels; k++)
        sum_plane(&layer->in, x + k * layer->in.plane, NULL, NULL, m + (ptrdiff_t)k * BLOCK);
    for (int i = 0; i < channels * BLOCK; i += VECTOR_WIDTH)
        vector_store(m + i, vector_load(m + i) * vector_all(layer->share));
    multiply(layer, units, channels, values + op->weights.weight, channels, 1, values + op->weights.bias, m, a);
    for (int i = 0; i < units * BLOCK; i += VECTOR_WIDTH)
        vector_store(a + i, vector_relu(vector_load(a + i)));
    multiply(layer, channels, units, values + op->excite.weight, units, 1, values + op->excite.bias, a, s);
    for (int k = channels - 1; k >= 0; k--) { /* the last channels are still in the cache */
        vector gates[PARTS];
        float *plane = y + k * layer->out.plane;
        find_gates(s + (ptrdiff_t)k * BLOCK, gates);
        map_clear_border(&layer->out, plane);
        scale_plane(&layer->in, x + k * layer->in.plane, gates, NULL, &layer->out, plane);
    }
}

void ISA_SYMBOL(squeeze_forward)(const struct op_run *run)
{
    struct squeeze layer = squeeze_begin(run, run->training);
    team_do(run->team, layer.blocks, forward_item, &layer);
}

/* The gradient of s from the sums of dy x, in their place: `count` vectors. */
static void gate_gradient(const float *s, float *d, int count)
{
    for (int i = 0; i < count * BLOCK; i += VECTOR_WIDTH) {
        vector at = vector_load(s + i);
        vector_bits inside = (vector_bits)(at > vector_all(-3)) & (vector_bits)(at < vector_all(3));
        vector_store(d + i, vector_where(inside, vector_load(d + i) * vector_all(1.0f / 3)));
    }
}

static void backward_item(void *context, int block, int member)
{
    const struct squeeze *layer = context;
    const struct op *op = layer->run->op;
    const float *x = (const float *)layer->run->x + block * layer->in.block_stride, *values = layer->run->values;
    const float *dy = (const float *)layer->run->dy + block * layer->out.block_stride;
    float *dx = (float *)layer->run->dx + (layer->run->dx ? block * layer->in.block_stride : 0);
    int channels = layer->channels, units = layer->units;
    size_t channel = (size_t)block * channels * BLOCK, unit = (size_t)block * units * BLOCK;
    float *dm = layer->d.m + channel, *da = layer->d.a + unit, *ds = layer->d.s + channel;
    const float *a = layer->gates.a + unit, *s = layer->gates.s + channel;
    for (int k = 0; k < channels; k++)
        sum_plane(&layer->in, x + k * layer->in.plane, &layer->out, dy + k * layer->out.plane,
                  ds + (ptrdiff_t)k * BLOCK);
    gate_gradient(s, ds, channels);
    multiply(layer, units, channels, values + op->excite.weight, 1, units, NULL, ds, da);
    for (int i = 0; i < units * BLOCK; i += VECTOR_WIDTH)
        vector_store(da + i, vector_where((vector_bits)(vector_load(a + i) > (vector){0}), vector_load(da + i)));
    if (!layer->run->dx)
        return;
    multiply(layer, channels, units, values + op->weights.weight, 1, channels, NULL, da, dm);
    for (int k = channels - 1; k >= 0; k--) {
        vector gates[PARTS], constant[PARTS];
        find_gates(s + (ptrdiff_t)k * BLOCK, gates);
        for (int part = 0; part < PARTS; part++)
            constant[part] = vector_load(dm + (ptrdiff_t)k * BLOCK + part * VECTOR_WIDTH) * vector_all(layer->share);
        scale_plane(&layer->out, dy + k * layer->out.plane, gates, constant, &layer->in, dx + k * layer->in.plane);
    }
}

/* The gradients of a linear layer with inputs `x` and output gradients `d`. */
static void weight_gradient(const struct squeeze *layer, const struct weights_layer *at, const float *x, const float *d)
{
    float *gradients = layer->run->gradients;
    struct outer outer = {
        .rows = at->outputs,
        .columns = at->inputs,
        .last = at->inputs,
        .gradient = gradients + at->weight,
        .offsets = layer->offsets,
        .height = 1,
        .width = layer->blocks,
        .x_step = (ptrdiff_t)at->inputs * BLOCK,
        .d_plane = BLOCK,
        .d_step = (ptrdiff_t)at->outputs * BLOCK,
    };
    memset(outer.gradient, 0, (size_t)outer.rows * (size_t)outer.columns * sizeof(float));
    outer_run(&outer, x, d);
    for (int k = 0; k < at->outputs; k++) {
        double sum = 0;
        for (int block = 0; block < layer->blocks; block++)
            for (int image = 0; image < BLOCK; image++)
                sum += (double)d[((size_t)block * at->outputs + k) * BLOCK + image];
        gradients[at->bias + k] = (float)sum;
    }
}

void ISA_SYMBOL(squeeze_backward)(const struct op_run *run)
{
    struct squeeze layer = squeeze_begin(run, true);
    team_do(run->team, layer.blocks, backward_item, &layer);
    weight_gradient(&layer, &run->op->weights, layer.gates.m, layer.d.a);
    weight_gradient(&layer, &run->op->excite, layer.gates.a, layer.d.s);
}
