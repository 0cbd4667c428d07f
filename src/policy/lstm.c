/*
 * lstm.c - with gates i, f, g, o of one linear layer over (input, output before):
 *
 *     cell = f * cell before + i * g        i, f, o: sigmoid        g: tanh
 *     output = o * tanh(cell)
 *
 * The gates lie in the order of PyTorch's and cuDNN's weights.
 */
#include "policy/lstm.h"

#include <math.h>
#include <string.h>

#include "util/bug.h"

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
