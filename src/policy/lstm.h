/*
 * lstm.h - one step of a long short-term memory (Hochreiter and Schmidhuber 1997, with forget gates), and its
 * gradient.  A sequence is the caller's loop over steps: forwards, then backwards for the gradients.
 */
#ifndef ESPALIER_POLICY_LSTM_H
#define ESPALIER_POLICY_LSTM_H

#include "policy/linear.h"

enum { LSTM_INPUTS_MAX = 16, LSTM_UNITS_MAX = 100 };

struct lstm {
    int inputs, units;
    struct linear gates; /* (inputs, then units) × (input, forget, candidate, output gates of all units) */
};

/* The two vectors that one step hands to the next; also the gradients of these. */
struct lstm_state {
    double output[LSTM_UNITS_MAX];
    double cell[LSTM_UNITS_MAX];
};

/* What the backward step needs of the forward one. */
struct lstm_trace {
    double x[LSTM_INPUTS_MAX + LSTM_UNITS_MAX]; /* the input, then the output of the step before */
    double cell_before[LSTM_UNITS_MAX];
    double gates[4 * LSTM_UNITS_MAX]; /* after their sigmoid or tanh */
    double cell_tanh[LSTM_UNITS_MAX];
};

/* Glorot's weights; the forget gate's bias is 1, the others 0. */
void lstm_init(struct lstm *lstm, struct parameters *parameters, struct random_stream *stream, const char *weight_name,
               const char *bias_name, int inputs, int units);
/* `before` and `after` may be the same. */
void lstm_forward(const struct lstm *lstm, const double *input, const struct lstm_state *before,
                  struct lstm_state *after, struct lstm_trace *trace);
/* `gradient` holds the loss's gradient of the state after the step, and then of the state before it.  Adds to
   the gradients of the parameters and of the input. */
void lstm_backward(const struct lstm *lstm, const struct lstm_trace *trace, struct lstm_state *gradient,
                   double *input_gradient);

#endif
