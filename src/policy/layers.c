/*
 * layers.c - the matrix products of the controller, and the LSTM that they make.
 *
 * A weight has one row for each input, so that the inner loops run over outputs, whose sums don't depend on each other.
 * They are written with vector types because compilers leave such loops scalar at -O2: the controller runs twice as fast.
 */
#include "policy/layers.h"

#include <math.h>
#include <string.h>

#include "util/bug.h"

void linear_init(struct linear *linear, struct parameters *parameters, struct random_stream *stream,
                 const char *weight_name, const char *bias_name, int inputs, int outputs)
{
    linear->weight = parameters_add(parameters, weight_name, inputs, outputs);
    linear->bias = parameters_add(parameters, bias_name, 1, outputs);
    parameter_uniform(linear->weight, stream, sqrt(6.0 / (inputs + outputs)));
}

/* The vector that every 64-bit machine has; wider ones would be split badly where they don't exist. */
typedef double pair __attribute__((vector_size(16), aligned(8), may_alias));
enum { BLOCK = 8 };

/* Outputs by blocks, which stay in registers while all inputs pass. */
void linear_forward(const struct linear *linear, const double *x, double *y)
{
    int inputs = linear->weight->rows, outputs = linear->weight->columns, column = 0;
    memcpy(y, linear->bias->values, (size_t)outputs * sizeof *y);
    for (; column + BLOCK <= outputs; column += BLOCK) {
        pair *to = (pair *)(y + column), a = to[0], b = to[1], c = to[2], d = to[3];
        for (int i = 0; i < inputs; i++) {
            const pair *row = (const pair *)(linear->weight->values + i * outputs + column);
            a += x[i] * row[0];
            b += x[i] * row[1];
            c += x[i] * row[2];
            d += x[i] * row[3];
        }
        to[0] = a;
        to[1] = b;
        to[2] = c;
        to[3] = d;
    }
    for (; column < outputs; column++)
        for (int i = 0; i < inputs; i++)
            y[column] += x[i] * linear->weight->values[i * outputs + column];
}

/* One input's row: the weight's gradient grows, and the input's is returned. */
static double learn_row(const double *weight, double *gradient, const double *y_gradient, double x, int count)
{
    pair a = {0}, b = {0};
    double rest = 0;
    int column = 0;
    for (; column + 4 <= count; column += 4) {
        pair *to = (pair *)(gradient + column);
        const pair *from = (const pair *)(y_gradient + column), *row = (const pair *)(weight + column);
        pair first = from[0], second = from[1];
        to[0] += x * first;
        to[1] += x * second;
        a += row[0] * first;
        b += row[1] * second;
    }
    for (; column < count; column++) {
        gradient[column] += x * y_gradient[column];
        rest += weight[column] * y_gradient[column];
    }
    return (a[0] + a[1]) + (b[0] + b[1]) + rest;
}

void linear_backward(const struct linear *linear, const double *x, const double *y_gradient, double *x_gradient)
{
    int inputs = linear->weight->rows, outputs = linear->weight->columns;
    for (int i = 0; i < outputs; i++)
        linear->bias->gradients[i] += y_gradient[i];
    for (int i = 0; i < inputs; i++)
        x_gradient[i] += learn_row(linear->weight->values + i * outputs, linear->weight->gradients + i * outputs,
                                   y_gradient, x[i], outputs);
}

double linear_sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

double linear_log_sigmoid(double x)
{
    return x >= 0 ? -log1p(exp(-x)) : x - log1p(exp(x));
}

double linear_softmax(const double *logits, const bool *offered, int count, double *probabilities)
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

void lstm_init(struct lstm *lstm, struct parameters *parameters, struct random_stream *stream, const char *weight_name,
               const char *bias_name, int inputs, int units)
{
    ASSERT(inputs <= LSTM_INPUTS_MAX && units <= LSTM_UNITS_MAX);
    lstm->inputs = inputs;
    lstm->units = units;
    linear_init(&lstm->gates, parameters, stream, weight_name, bias_name, inputs + units, 4 * units);
    for (int i = 0; i < units; i++)
        lstm->gates.bias->values[units + i] = 1;
}

/* The gates i, f, g, o are one linear layer over (input, output before), in the order of PyTorch's and cuDNN's weights:

       cell = f * cell before + i * g        i, f, o: sigmoid        g: tanh
       output = o * tanh(cell) */
void lstm_forward(const struct lstm *lstm, const double *input, const struct lstm_state *before,
                  struct lstm_state *after, struct lstm_trace *trace)
{
    int units = lstm->units;
    memcpy(trace->x, input, (size_t)lstm->inputs * sizeof(double));
    memcpy(trace->x + lstm->inputs, before->output, (size_t)units * sizeof(double));
    memcpy(trace->cell_before, before->cell, (size_t)units * sizeof(double));
    linear_forward(&lstm->gates, trace->x, trace->gates);
    double *i = trace->gates, *f = i + units, *g = f + units, *o = g + units;
    for (int u = 0; u < units; u++) {
        i[u] = linear_sigmoid(i[u]);
        f[u] = linear_sigmoid(f[u]);
        g[u] = tanh(g[u]);
        o[u] = linear_sigmoid(o[u]);
        after->cell[u] = f[u] * trace->cell_before[u] + i[u] * g[u];
        trace->cell_tanh[u] = tanh(after->cell[u]);
        after->output[u] = o[u] * trace->cell_tanh[u];
    }
}

void lstm_backward(const struct lstm *lstm, const struct lstm_trace *trace, struct lstm_state *gradient,
                   double *input_gradient)
{
    int units = lstm->units;
    const double *i = trace->gates, *f = i + units, *g = f + units, *o = g + units;
    double gates[4 * LSTM_UNITS_MAX]; /* gradients before the sigmoid or tanh */
    double x[LSTM_INPUTS_MAX + LSTM_UNITS_MAX] = {0};
    for (int u = 0; u < units; u++) {
        double t = trace->cell_tanh[u];
        double output = gradient->output[u];
        double cell = gradient->cell[u] + output * o[u] * (1 - t * t);
        gates[u] = cell * g[u] * i[u] * (1 - i[u]);
        gates[units + u] = cell * trace->cell_before[u] * f[u] * (1 - f[u]);
        gates[2 * units + u] = cell * i[u] * (1 - g[u] * g[u]);
        gates[3 * units + u] = output * t * o[u] * (1 - o[u]);
        gradient->cell[u] = cell * f[u];
    }
    linear_backward(&lstm->gates, trace->x, gates, x);
    for (int j = 0; j < lstm->inputs; j++)
        input_gradient[j] += x[j];
    memcpy(gradient->output, x + lstm->inputs, (size_t)units * sizeof(double));
}
