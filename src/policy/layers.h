/*
 * layers.h - the layers of the controller, each with its gradient: y = x W + b, the two ways to turn y into
 * probabilities, and one step of a long short-term memory (Hochreiter and Schmidhuber 1997, with forget gates).  A
 * sequence is the caller's loop over steps: forwards, then backwards for the gradients.
 */
#ifndef ESPALIER_POLICY_LAYERS_H
#define ESPALIER_POLICY_LAYERS_H

#include <stdbool.h>

#include "policy/parameters.h"

/* A linear layer; borrows both from its set of parameters. */
struct linear {
    struct parameter *weight; /* inputs × outputs */
    struct parameter *bias;   /* 1 × outputs */
};

/* Weights uniform with the limit of Glorot and Bengio (AISTATS 2010), sqrt(6 / (inputs + outputs)); bias 0. */
void linear_init(struct linear *linear, struct parameters *parameters, struct random_stream *stream,
                 const char *weight_name, const char *bias_name, int inputs, int outputs);
void linear_forward(const struct linear *linear, const double *x, double *y);
/* Adds to the gradients of the weight, of the bias and of `x`. */
void linear_backward(const struct linear *linear, const double *x, const double *y_gradient, double *x_gradient);

double linear_sigmoid(double x);
/* log(linear_sigmoid(x)), finite for every finite x. */
double linear_log_sigmoid(double x);
/* Softmax over the offered choices, of which there is at least one; the others get probability 0.  Returns the
   logarithm of the denominator: a choice's log-probability is its logit minus that, finite even where its
   probability underflows. */
double linear_softmax(const double *logits, const bool *offered, int count, double *probabilities);

enum { LSTM_INPUTS_MAX = 16, LSTM_UNITS_MAX = 100 };

struct lstm {
    int inputs, units;
    struct linear gates; /* (inputs, then units) × (input, forget, candidate, output gates of all units) */
};

/* The two vectors that one step hands to the next; or the gradients of these vectors. */
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
