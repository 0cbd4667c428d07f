/*
 * parameters_file.h - a set of parameters with Adam's moments and count, and a few numbers beside it, as a safetensors
 * file.
 *
 * A tensor NAME and its moments NAME.adam.mean and NAME.adam.variance, and `state` with the count of steps and the
 * numbers.  Everything must be a value that float32 holds: what is read is then what was written, to the bit.
 */
#ifndef ESPALIER_POLICY_PARAMETERS_FILE_H
#define ESPALIER_POLICY_PARAMETERS_FILE_H

#include <stddef.h>

#include "policy/parameters.h"
#include "util/error.h"

/* `*bytes` is the caller's to free(). */
void parameters_encode(const struct parameters *parameters, const double *numbers, int number_count, void **bytes,
                       size_t *length);
/* On failure nothing has changed. */
int parameters_decode(struct parameters *parameters, double *numbers, int number_count, const void *bytes,
                      size_t length, struct error *error);

#endif
