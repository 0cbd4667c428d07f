/*
 * linear.c - OP_FC_BN_RELU (linear, BN, ReLU) and OP_CLASSIFIER (linear with bias, softmax cross-entropy).
 *
 * The input is flattened [channel][y][x], which is the order that it lies in.  The classifier's output tensor
 * holds the probabilities.
 */
#include <math.h>
#include <string.h>

#include "backend/ref/ref.h"

static void linear_forward(const struct op_run *run, const float *bias, float *out)
{
    int inputs = run->op->weights.inputs, outputs = run->op->channels;
    for (int n = 0; n < run->count; n++) {
        const float *x = (const float *)run->x + (size_t)n * inputs;
        for (int o = 0; o < outputs; o++) {
            const float *w = run->values + run->op->weights.weight + (size_t)o * inputs;
            double sum = bias ? bias[o] : 0;
            for (int i = 0; i < inputs; i++)
                sum += (double)w[i] * x[i];
            *out++ = (float)sum;
        }
    }
}

/* Gradients of the weight and of the input from that of the output, count × outputs. */
static void linear_backward(const struct op_run *run, const float *gradient)
{
    int inputs = run->op->weights.inputs, outputs = run->op->channels;
    const float *x = run->x, *weight = run->values + run->op->weights.weight;
    float *weight_gradient = run->gradients + run->op->weights.weight, *dx = run->dx;
    for (int o = 0; o < outputs; o++)
        for (int i = 0; i < inputs; i++) {
            double sum = 0;
            for (int n = 0; n < run->count; n++)
                sum += (double)gradient[(size_t)n * outputs + o] * x[(size_t)n * inputs + i];
            weight_gradient[(size_t)o * inputs + i] = (float)sum;
        }
    if (!dx)
        return;
    for (int n = 0; n < run->count; n++)
        for (int i = 0; i < inputs; i++) {
            double sum = 0;
            for (int o = 0; o < outputs; o++)
                sum += (double)gradient[(size_t)n * outputs + o] * weight[(size_t)o * inputs + i];
            dx[(size_t)n * inputs + i] = (float)sum;
        }
}

void ref_fc_bn_relu_forward(const struct op_run *run)
{
    struct ref_saved saved = ref_saved_of(run->op, run->training ? run->saved : run->scratch);
    linear_forward(run, NULL, saved.linear);
    ref_norm_statistics(run, saved.linear, saved.mean, saved.inverse_std);
    ref_norm_apply(run, saved.linear, saved.mean, saved.inverse_std, run->y);
}

void ref_fc_bn_relu_backward(const struct op_run *run)
{
    float *gradient = run->scratch;
    memcpy(gradient, run->dy, ref_maps_size(ref_maps_of(run->op, run->count)) * sizeof *gradient);
    ref_norm_gradient(run, ref_saved_of(run->op, run->saved), gradient);
    linear_backward(run, gradient);
}

/* Probabilities of one image; returns the logarithm of the sum of exponentials. */
static double softmax(const float *logits, int classes, float *probabilities)
{
    double top = logits[0], sum = 0;
    for (int i = 1; i < classes; i++)
        if (logits[i] > top)
            top = logits[i];
    for (int i = 0; i < classes; i++)
        sum += exp(logits[i] - top);
    for (int i = 0; i < classes; i++)
        probabilities[i] = (float)(exp(logits[i] - top) / sum);
    return top + log(sum);
}

static double target(const struct op_run *run, int image, int class)
{
    if (run->targets)
        return run->targets[(size_t)image * run->op->channels + class];
    return run->labels[image] == class ? 1 : 0;
}

/* The mean of an image's logits, by its targets. */
static double target_logit(const struct op_run *run, int image)
{
    double sum = 0;
    for (int k = 0; k < run->op->channels; k++)
        sum += target(run, image, k) * run->logits[(size_t)image * run->op->channels + k];
    return sum;
}

void ref_classifier_forward(const struct op_run *run)
{
    int classes = run->op->channels;
    linear_forward(run, run->values + run->op->weights.bias, run->logits);
    for (int n = 0; n < run->count; n++) {
        const float *logits = run->logits + (size_t)n * classes;
        double normaliser = softmax(logits, classes, (float *)run->y + (size_t)n * classes);
        if (!run->labels)
            continue;
        *run->loss += normaliser - target_logit(run, n);
        *run->correct += largest_logit(logits, classes) == run->labels[n];
    }
}

void ref_classifier_backward(const struct op_run *run)
{
    int classes = run->op->channels;
    const float *probabilities = run->y;
    float *gradient = run->scratch, *bias_gradient = run->gradients + run->op->weights.bias;
    for (int n = 0; n < run->count; n++)
        for (int o = 0; o < classes; o++) {
            size_t at = (size_t)n * classes + o;
            gradient[at] = (float)((probabilities[at] - target(run, n, o)) / run->count);
        }
    for (int o = 0; o < classes; o++) {
        double sum = 0;
        for (int n = 0; n < run->count; n++)
            sum += gradient[(size_t)n * classes + o];
        bias_gradient[o] = (float)sum;
    }
    linear_backward(run, gradient);
}
