/*
 * linear.h - OP_FC_BN_RELU (linear, BN, ReLU) and OP_CLASSIFIER (linear with bias, softmax cross-entropy).
 *
 * Both are products with one "pixel" a group of images: a column is an input feature in the order [channel][y][x].
 * The classifier's output tensor holds probabilities, [group][class][image].
 */
#ifndef ESPALIER_BACKEND_CPU_LINEAR_H
#define ESPALIER_BACKEND_CPU_LINEAR_H

#include "backend/cpu/normalise.h"

struct linear_scratch {
    struct kept kept; /* inference only */
    struct channel_sums *sums;
    float *start;
    int32_t *offsets, *gradient_offsets;
    float *gradient; /* [group][output][image] */
};

static struct linear_scratch linear_scratch_new(struct pieces *pieces, const struct plan *plan, const struct op *op,
                                                int groups)
{
    struct map out = map_of(&plan->tensors[op->output]);
    struct linear_scratch scratch = {.kept = kept_new(pieces, op, &out, groups, false)};
    scratch.start = piece(pieces, (size_t)op->channels * sizeof(float));
    scratch.sums = piece(pieces, (size_t)op->channels * sizeof *scratch.sums);
    scratch.offsets = piece(pieces, (size_t)op->weights.inputs * sizeof(int32_t));
    scratch.gradient_offsets = piece(pieces, (size_t)op->channels * sizeof(int32_t));
    scratch.gradient = piece(pieces, (size_t)groups * op->channels * LANES * sizeof(float));
    return scratch;
}

static void feature_offsets(const struct map *in, int32_t *offsets)
{
    for (int c = 0; c < in->channels; c++)
        for (int y = 0; y < in->height; y++)
            for (int x = 0; x < in->width; x++)
                *offsets++ = (int32_t)map_at(in, c, y, x);
}

static void linear_forward(const struct op_run *run, const int32_t *offsets, const float *start, float *out)
{
    const struct op *op = run->op;
    struct map in = map_of(&run->plan->tensors[op->inputs[0]]);
    struct product product = {
        .rows = op->channels,
        .columns = op->weights.inputs,
        .weights = run->values + op->weights.weight,
        .weight_row = op->weights.inputs,
        .weight_column = 1,
        .offsets = offsets,
        .start = start,
        .parts = PARTS,
        .height = 1,
        .width = groups_of(run->count),
        .x_step = (ptrdiff_t)in.group,
        .out_plane = LANES,
        .out_step = (ptrdiff_t)op->channels * LANES,
    };
    product_run(&product, run->x, out, NULL);
}

/* Weight gradient and input gradient from that of the output in scratch. */
static void linear_backward(const struct op_run *run, struct linear_scratch *scratch)
{
    const struct op *op = run->op;
    struct map in = map_of(&run->plan->tensors[op->inputs[0]]);
    int inputs = op->weights.inputs, groups = groups_of(run->count);
    ptrdiff_t group = (ptrdiff_t)op->channels * LANES;
    struct outer outer = {
        .rows = op->channels,
        .columns = inputs,
        .last = inputs,
        .gradient = run->gradients + op->weights.weight,
        .offsets = scratch->offsets,
        .height = 1,
        .width = groups,
        .x_step = (ptrdiff_t)in.group,
        .d_plane = LANES,
        .d_step = group,
    };
    feature_offsets(&in, scratch->offsets);
    memset(outer.gradient, 0, (size_t)outer.rows * outer.columns * sizeof(float));
    outer_run(&outer, run->x, scratch->gradient);
    if (!run->dx)
        return;
    for (int k = 0; k < op->channels; k++)
        scratch->gradient_offsets[k] = k * LANES;
    /* Rows are input features: as many at once as lie without gaps. */
    int features = in.border ? in.width : in.height * in.width;
    if (features == 1 && in.plane == LANES)
        features = inputs;
    for (int feature = 0; feature < inputs; feature += features) {
        struct product product = {
            .rows = features,
            .columns = op->channels,
            .weights = run->values + op->weights.weight + feature,
            .weight_row = 1,
            .weight_column = inputs,
            .offsets = scratch->gradient_offsets,
            .parts = PARTS,
            .height = 1,
            .width = groups,
            .x_step = group,
            .out_plane = LANES,
            .out_step = (ptrdiff_t)in.group,
        };
        product_run(&product, scratch->gradient, (float *)run->dx + scratch->offsets[feature], NULL);
    }
}

static void fc_forward(const struct op_run *run)
{
    const struct op *op = run->op;
    int groups = groups_of(run->count);
    struct map in = map_of(&run->plan->tensors[op->inputs[0]]), out = map_of(&run->plan->tensors[op->output]);
    struct map linear = linear_map(op);
    struct linear_scratch scratch = linear_scratch_new(&(struct pieces){run->scratch, 0}, run->plan, op, groups);
    struct kept kept = scratch.kept;
    if (run->training)
        kept = kept_new(&(struct pieces){run->saved, 0}, op, &out, groups, false);
    feature_offsets(&in, scratch.offsets);
    start_from_shift(run, scratch.start);
    linear_forward(run, scratch.offsets, scratch.start, kept.linear);
    if (run->training) {
        memset(scratch.sums, 0, (size_t)op->channels * sizeof *scratch.sums);
        for (int g = 0; g < groups; g++)
            channel_sums_add_lanes(scratch.sums, &linear, kept.linear + g * linear.group, lanes_of(run->count, g));
        batch_statistics(run, scratch.sums, &kept);
    } else {
        running_statistics(run, &kept);
    }
    for (int g = 0; g < groups; g++)
        normalise_forward(run, &kept, kept.linear + g * linear.group, (float *)run->y + g * out.group, NULL);
}

static void fc_backward(const struct op_run *run)
{
    const struct op *op = run->op;
    int groups = groups_of(run->count);
    struct map out = map_of(&run->plan->tensors[op->output]), gradient = linear_map(op);
    struct linear_scratch scratch = linear_scratch_new(&(struct pieces){run->scratch, 0}, run->plan, op, groups);
    struct kept kept = kept_new(&(struct pieces){run->saved, 0}, op, &out, groups, false);
    const float *dy = run->dy;
    memset(scratch.sums, 0, (size_t)op->channels * sizeof *scratch.sums);
    for (int g = 0; g < groups; g++)
        normalise_sums(run, &kept, kept.linear + g * gradient.group, NULL, dy + g * out.group, scratch.sums);
    parameter_gradients(run, &kept, scratch.sums);
    for (int g = 0; g < groups; g++)
        normalise_backward(run, &kept, scratch.sums, &gradient, lanes_of(run->count, g),
                           kept.linear + g * gradient.group, NULL, dy + g * out.group,
                           scratch.gradient + g * gradient.group);
    linear_backward(run, &scratch);
}

/* exp(x) for x <= 0, to 2e-7 relative: x = n ln 2 + r, a polynomial in r, and 2^n in the exponent's bits. */
INLINE vector vector_exp(vector x)
{
    x = vector_max(x, vector_all(-87.0f));
    vector shifted = x * 1.44269504f + 12582912.0f; /* rounds to whole numbers in the low bits */
    vector n = shifted - 12582912.0f;
    vector r = x - n * 0.693359375f + n * 2.12194440e-4f;
    vector p = vector_all(1.9875691500e-4f);
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    vector_bits power = (vector_bits)shifted - (int32_t)0x4b400000;
    return p * (vector)((power + 127) << 23);
}

/* One group, [class][image]: logits become probabilities; the largest logit and the sum of exponentials go out. */
static void softmax(int classes, float *values, float top[LANES], float sum[LANES])
{
    for (int part = 0; part < LANES; part += VECTOR_WIDTH) {
        vector most = vector_load(values + part), total = {0};
        for (int k = 1; k < classes; k++)
            most = vector_max(vector_load(values + k * LANES + part), most);
        for (int k = 0; k < classes; k++) {
            float *at = values + k * LANES + part;
            vector e = vector_exp(vector_load(at) - most);
            total += e;
            vector_store(at, e);
        }
        vector scale = 1.0f / total;
        for (int k = 0; k < classes; k++)
            vector_store(values + k * LANES + part, vector_load(values + k * LANES + part) * scale);
        vector_store(top + part, most);
        vector_store(sum + part, total);
    }
}

static int largest(const float *values, int count)
{
    int best = 0;
    for (int i = 1; i < count; i++)
        if (values[i] > values[best])
            best = i;
    return best;
}

static void classifier_forward(const struct op_run *run)
{
    const struct op *op = run->op;
    int groups = groups_of(run->count), classes = op->channels;
    struct map in = map_of(&run->plan->tensors[op->inputs[0]]);
    struct linear_scratch scratch = linear_scratch_new(&(struct pieces){run->scratch, 0}, run->plan, op, groups);
    feature_offsets(&in, scratch.offsets);
    linear_forward(run, scratch.offsets, run->values + op->weights.bias, run->y);
    float *group = run->y;
    for (int g = 0; g < groups; g++, group += classes * LANES) {
        float top[LANES] __attribute__((aligned(64))), sum[LANES] __attribute__((aligned(64)));
        int lanes = lanes_of(run->count, g);
        float *logits = run->logits + (size_t)g * LANES * classes;
        for (int k = 0; k < classes; k++)
            for (int lane = 0; lane < lanes; lane++)
                logits[(size_t)lane * classes + k] = group[k * LANES + lane];
        softmax(classes, group, top, sum);
        for (int lane = 0; run->labels && lane < lanes; lane++, logits += classes) {
            int label = run->labels[g * LANES + lane];
            *run->loss += (double)top[lane] + log((double)sum[lane]) - (double)logits[label];
            *run->correct += largest(logits, classes) == label;
        }
    }
}

static void classifier_backward(const struct op_run *run)
{
    const struct op *op = run->op;
    int groups = groups_of(run->count), classes = op->channels;
    struct linear_scratch scratch = linear_scratch_new(&(struct pieces){run->scratch, 0}, run->plan, op, groups);
    float *bias = run->gradients + op->weights.bias, share = 1.0f / (float)run->count;
    const float *probabilities = run->y;
    float *gradient = scratch.gradient;
    memset(bias, 0, (size_t)classes * sizeof *bias);
    for (int g = 0; g < groups; g++)
        for (int k = 0; k < classes; k++, gradient += LANES, probabilities += LANES)
            for (int lane = 0; lane < LANES; lane++) {
                bool real = lane < lanes_of(run->count, g);
                float target = real && run->labels[g * LANES + lane] == k ? 1 : 0;
                gradient[lane] = real ? (probabilities[lane] - target) * share : 0;
                bias[k] += gradient[lane];
            }
    linear_backward(run, &scratch);
}

#endif
