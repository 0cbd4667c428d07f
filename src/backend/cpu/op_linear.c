/*
 * op_linear.c - OP_FC_BN_RELU: linear, BN, ReLU; OP_CLASSIFIER: linear with bias, softmax cross-entropy.
 *
 * Both are products (gemm.h) whose "pixels" are the blocks of the batch; a column is an input feature, in the order
 * [channel][y][x].  The classifier's output tensor holds probabilities, [block][class][image].
 */
#include "backend/cpu/operations.h"

#include <math.h>

#include "backend/cpu/bn.h"

/* Scratch. */
struct linear {
    struct map in;
    int blocks;
    struct bn bn;  /* OP_FC_BN_RELU */
    float *linear; /* OP_FC_BN_RELU: the linear part, in inference */
    int32_t *offsets, *gradient_offsets;
    float *gradient; /* of the linear part, [block][output][image] */
};

static void take_scratch(struct workspace *scratch, const struct op *op, struct linear *linear)
{
    size_t outputs = (size_t)linear->blocks * op->channels * BLOCK * sizeof(float);
    linear->offsets = workspace_take(scratch, (size_t)op->weights.inputs * sizeof(int32_t));
    linear->gradient_offsets = workspace_take(scratch, (size_t)op->channels * sizeof(int32_t));
    linear->gradient = workspace_take(scratch, outputs);
    linear->linear = workspace_take(scratch, outputs);
}

size_t linear_scratch_bytes(const struct plan *plan, const struct op *op, int blocks)
{
    struct workspace scratch = {0};
    struct linear linear = {.blocks = blocks};
    bn_new(&scratch, plan, op, blocks);
    take_scratch(&scratch, op, &linear);
    return scratch.used;
}

static void feature_offsets(const struct map *in, int32_t *offsets)
{
    for (int c = 0; c < in->channels; c++)
        for (int y = 0; y < in->height; y++)
            for (int x = 0; x < in->width; x++)
                *offsets++ = (int32_t)map_at(in, c, y, x);
}

static struct linear linear_begin(const struct op_run *run, bool training)
{
    const struct op *op = run->op;
    struct workspace scratch = {run->scratch, 0};
    struct linear linear = {.in = map_of(&run->plan->tensors[op->inputs[0]]), .blocks = blocks_of(run->count)};
    if (op->kind == OP_FC_BN_RELU) {
        linear.bn = bn_begin(&scratch, run, training);
        linear.bn.team = NULL; /* too little to share */
    }
    take_scratch(&scratch, op, &linear);
    feature_offsets(&linear.in, linear.offsets);
    return linear;
}

static void linear_forward(const struct op_run *run, const struct linear *linear, const float *bias, float *out)
{
    const struct op *op = run->op;
    struct gemm gemm = {
        .rows = op->channels,
        .columns = op->weights.inputs,
        .weights = run->values + op->weights.weight,
        .weight_row = op->weights.inputs,
        .weight_column = 1,
        .offsets = linear->offsets,
        .bias = bias,
        .height = 1,
        .width = linear->blocks,
        .x_step = (ptrdiff_t)linear->in.block_stride,
        .out_plane = BLOCK,
        .out_step = (ptrdiff_t)op->channels * BLOCK,
    };
    gemm_run(&gemm, run->x, out, NULL);
}

static void weight_gradient(const struct op_run *run, const struct linear *linear)
{
    const struct op *op = run->op;
    struct outer outer = {
        .rows = op->channels,
        .columns = op->weights.inputs,
        .last = op->weights.inputs,
        .gradient = run->gradients + op->weights.weight,
        .offsets = linear->offsets,
        .height = 1,
        .width = linear->blocks,
        .x_step = (ptrdiff_t)linear->in.block_stride,
        .d_plane = BLOCK,
        .d_step = (ptrdiff_t)op->channels * BLOCK,
    };
    memset(outer.gradient, 0, (size_t)outer.rows * outer.columns * sizeof(float));
    outer_run(&outer, run->x, linear->gradient);
}

/* Rows are input features: as many at once as lie side by side. */
static void input_gradient(const struct op_run *run, const struct linear *linear)
{
    const struct op *op = run->op;
    const struct map *in = &linear->in;
    int inputs = op->weights.inputs, rows = in->border ? in->width : in->height * in->width;
    if (rows == 1 && in->plane == BLOCK)
        rows = inputs;
    for (int k = 0; k < op->channels; k++)
        linear->gradient_offsets[k] = k * BLOCK;
    for (int feature = 0; feature < inputs; feature += rows) {
        struct gemm gemm = {
            .rows = rows,
            .columns = op->channels,
            .weights = run->values + op->weights.weight + feature,
            .weight_row = 1,
            .weight_column = inputs,
            .offsets = linear->gradient_offsets,
            .height = 1,
            .width = linear->blocks,
            .x_step = (ptrdiff_t)op->channels * BLOCK,
            .out_plane = BLOCK,
            .out_step = (ptrdiff_t)in->block_stride,
        };
        gemm_run(&gemm, linear->gradient, (float *)run->dx + linear->offsets[feature], NULL);
    }
}

static void linear_backward(const struct op_run *run, const struct linear *linear)
{
    weight_gradient(run, linear);
    if (run->dx)
        input_gradient(run, linear);
}

/* --- OP_FC_BN_RELU --- */

void ISA_SYMBOL(fc_bn_relu_forward)(const struct op_run *run)
{
    struct linear linear = linear_begin(run, run->training);
    struct bn *bn = &linear.bn;
    float *out = run->training ? bn->linear : linear.linear;
    linear_forward(run, &linear, bn->minus_shift, out);
    bn->x = out;
    if (run->training) {
        memset(bn->sums, 0, (size_t)run->op->channels * sizeof *bn->sums);
        for (int b = 0; b < linear.blocks; b++)
            bn_add_values(bn->sums, &bn->in, out + b * bn->in.block_stride, images_in(run->count, b));
        bn_batch_statistics(bn, 1);
    } else {
        bn_running_statistics(bn);
    }
    bn_forward(bn);
}

void ISA_SYMBOL(fc_bn_relu_backward)(const struct op_run *run)
{
    struct linear linear = linear_begin(run, true);
    bn_gradient_sums(&linear.bn);
    for (int b = 0; b < linear.blocks; b++)
        bn_backward_block(&linear.bn, b, &linear.bn.in, linear.gradient + b * linear.bn.in.block_stride);
    linear_backward(run, &linear);
}

/* --- OP_CLASSIFIER --- */

/* exp(x) for x <= 0, to a relative 2e-7: x = n ln 2 + r, a polynomial in r, times 2^n by way of the exponent's bits
   (the coefficients are those of Cephes, expf). */
INLINE vector vector_exp(vector x)
{
    x = vector_max(x, vector_all(-87.0f));
    vector shifted = x * 1.44269504f + 12582912.0f; /* its low bits hold the nearest integer */
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

/* One block, [class][image]: turns logits into probabilities; gives the largest logits and the sums of exponentials. */
static void softmax(int classes, float *values, float top[BLOCK], float sum[BLOCK])
{
    for (int part = 0; part < BLOCK; part += VECTOR_WIDTH) {
        vector most = vector_load(values + part), total = {0};
        for (int k = 1; k < classes; k++)
            most = vector_max(vector_load(values + k * BLOCK + part), most);
        for (int k = 0; k < classes; k++) {
            float *at = values + k * BLOCK + part;
            vector e = vector_exp(vector_load(at) - most);
            total += e;
            vector_store(at, e);
        }
        vector scale = 1.0f / total;
        for (int k = 0; k < classes; k++)
            vector_store(values + k * BLOCK + part, vector_load(values + k * BLOCK + part) * scale);
        vector_store(top + part, most);
        vector_store(sum + part, total);
    }
}

/* The mean of an image's logits, by its targets. */
static double target_logit(const struct op_run *run, int image, const float *logits)
{
    int classes = run->op->channels;
    if (!run->targets)
        return (double)logits[run->labels[image]];
    const float *targets = run->targets + (size_t)image * classes;
    double sum = 0;
    for (int k = 0; k < classes; k++)
        sum += (double)targets[k] * (double)logits[k];
    return sum;
}

/* What the probability of a class should be. */
static float target(const struct op_run *run, int image, int class)
{
    if (run->targets)
        return run->targets[(size_t)image * run->op->channels + class];
    return run->labels[image] == class ? 1 : 0;
}

void ISA_SYMBOL(classifier_forward)(const struct op_run *run)
{
    const struct op *op = run->op;
    int classes = op->channels;
    struct linear linear = linear_begin(run, run->training);
    linear_forward(run, &linear, run->values + op->weights.bias, run->y);
    float *block = run->y;
    for (int b = 0; b < linear.blocks; b++, block += classes * BLOCK) {
        float top[BLOCK] __attribute__((aligned(64))), sum[BLOCK] __attribute__((aligned(64)));
        int images = images_in(run->count, b);
        float *logits = run->logits + (size_t)b * BLOCK * classes;
        for (int k = 0; k < classes; k++)
            for (int image = 0; image < images; image++)
                logits[(size_t)image * classes + k] = block[k * BLOCK + image];
        softmax(classes, block, top, sum);
        for (int image = 0; run->labels && image < images; image++, logits += classes) {
            int label = run->labels[b * BLOCK + image];
            *run->loss += (double)top[image] + log((double)sum[image]) - target_logit(run, b * BLOCK + image, logits);
            *run->correct += largest_logit(logits, classes) == label;
        }
    }
}

void ISA_SYMBOL(classifier_backward)(const struct op_run *run)
{
    const struct op *op = run->op;
    int classes = op->channels;
    struct linear linear = linear_begin(run, true);
    float *bias = run->gradients + op->weights.bias, share = 1.0f / (float)run->count;
    const float *probabilities = run->y;
    float *gradient = linear.gradient;
    memset(bias, 0, (size_t)classes * sizeof *bias);
    for (int b = 0; b < linear.blocks; b++)
        for (int k = 0; k < classes; k++, gradient += BLOCK, probabilities += BLOCK)
            for (int image = 0; image < BLOCK; image++) {
                bool real = image < images_in(run->count, b);
                gradient[image] = real ? (probabilities[image] - target(run, b * BLOCK + image, k)) * share : 0;
                bias[k] += gradient[image];
            }
    linear_backward(run, &linear);
}
