/*
 * linear.c - the sums that everything else is made of.
 *
 * Weights lie with one row an input: forward and the weight's gradient then add whole rows, which compilers
 * vectorise without being allowed to reorder a sum.
 */
#include "policy/linear.h"

#include <math.h>
#include <string.h>

#include "util/bug.h"

void linear_init(struct linear *linear, struct parameters *parameters, struct random_stream *stream,
                 const char *weight_name, const char *bias_name, int inputs, int outputs)
{
    linear->weight = parameters_add(parameters, weight_name, inputs, outputs);
    linear->bias = parameters_add(parameters, bias_name, 1, outputs);
    parameter_glorot(linear->weight, stream);
}

static void add_scaled(double *restrict to, const double *restrict from, double factor, int count)
{
    for (int i = 0; i < count; i++)
        to[i] += factor * from[i];
}

/* Four sums in turn: four additions in flight at a time instead of one. */
static double dot(const double *a, const double *b, int count)
{
    double sums[4] = {0};
    int i = 0;
    for (; i + 4 <= count; i += 4)
        for (int j = 0; j < 4; j++)
            sums[j] += a[i + j] * b[i + j];
    for (; i < count; i++)
        sums[0] += a[i] * b[i];
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

void linear_forward(const struct linear *linear, const double *x, double *y)
{
    int inputs = linear->weight->rows, outputs = linear->weight->columns;
    memcpy(y, linear->bias->values, (size_t)outputs * sizeof *y);
    for (int i = 0; i < inputs; i++)
        add_scaled(y, linear->weight->values + (size_t)i * outputs, x[i], outputs);
}

void linear_backward(const struct linear *linear, const double *x, const double *y_gradient, double *x_gradient)
{
    int inputs = linear->weight->rows, outputs = linear->weight->columns;
    add_scaled(linear->bias->gradients, y_gradient, 1, outputs);
    for (int i = 0; i < inputs; i++) {
        size_t row = (size_t)i * outputs;
        add_scaled(linear->weight->gradients + row, y_gradient, x[i], outputs);
        x_gradient[i] += dot(linear->weight->values + row, y_gradient, outputs);
    }
}

double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

double log_sigmoid(double x)
{
    return x >= 0 ? -log1p(exp(-x)) : x - log1p(exp(x));
}

double softmax(const double *logits, const bool *offered, int count, double *probabilities)
{
    double largest = -INFINITY, sum = 0;
    for (int i = 0; i < count; i++)
        if (offered[i] && logits[i] > largest)
            largest = logits[i];
    ASSERT(isfinite(largest));
    for (int i = 0; i < count; i++) {
        probabilities[i] = offered[i] ? exp(logits[i] - largest) : 0;
        sum += probabilities[i];
    }
    for (int i = 0; i < count; i++)
        probabilities[i] /= sum;
    return largest + log(sum);
}
