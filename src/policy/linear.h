/* linear.h - y = x W + b, its gradient, and the two ways to turn y into probabilities. */
#ifndef ESPALIER_POLICY_LINEAR_H
#define ESPALIER_POLICY_LINEAR_H

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
/* Over those offered, at least one; the others get probability 0.  Returns log of the sum that all were divided by:
   a choice's log-probability is its logit less this, finite where the probability underflows. */
double linear_softmax(const double *logits, const bool *offered, int count, double *probabilities);

#endif
