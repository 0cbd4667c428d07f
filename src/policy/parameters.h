/*
 * parameters.h - what the controller learns: named matrices with their gradients, and Adam over all of them.
 *
 * Computed in double, so that gradients can be checked by differences, but between updates every value and
 * moment is one that float32 holds exactly: a state written to a file and read back is the state itself.
 */
#ifndef ESPALIER_POLICY_PARAMETERS_H
#define ESPALIER_POLICY_PARAMETERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/error.h"
#include "util/random.h"

struct parameter {
    const char *name;
    int rows, columns;       /* a layer's weight has a row for each input and a column for each output */
    double *values;          /* row after row */
    double *gradients;       /* of the loss; layers add to them */
    double *mean, *variance; /* Adam's moments */
    bool optional;           /* the last parameter alone may be: a file from before it was there is read without it */
};

enum { PARAMETERS_MAX = 24 };

struct parameters {
    int count;
    struct parameter items[PARAMETERS_MAX];
    int64_t steps; /* of Adam so far */
};

/* Zeroed; owned by the set.  `name` is borrowed. */
struct parameter *parameters_add(struct parameters *parameters, const char *name, int rows, int columns);
void parameters_done(struct parameters *parameters);

/* Uniform in -limit … limit. */
void parameter_uniform(struct parameter *parameter, struct random_stream *stream, double limit);

void parameters_clear_gradients(struct parameters *parameters);
double parameters_gradient_norm(const struct parameters *parameters);
/* One step of Adam (Kingma and Ba, ICLR 2015) with its usual constants. */
void parameters_adam_step(struct parameters *parameters, double rate);

/* To and from a safetensors file (`*bytes` is the caller's to free()): a tensor NAME with its moments NAME.adam.mean
   and NAME.adam.variance, and `state` with the count of steps and a few numbers of the caller's.  Everything must be a
   value that float32 holds: what is read is then what was written, to the bit. */
void parameters_encode(const struct parameters *parameters, const double *numbers, int number_count, void **bytes,
                       size_t *length);
/* On failure nothing has changed. */
int parameters_decode(struct parameters *parameters, double *numbers, int number_count, const void *bytes,
                      size_t length, struct error *error);

#endif
