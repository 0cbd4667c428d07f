/*
 * parameters.c - a flat list of matrices: layers have pointers into it; Adam and the file go through all.
 *
 * `items` never moves: a pointer to an item is valid as long as the set.
 */
#include "policy/parameters.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "util/bug.h"
#include "util/memory.h"

static size_t size_of(const struct parameter *parameter)
{
    return (size_t)parameter->rows * (size_t)parameter->columns;
}

struct parameter *parameters_add(struct parameters *parameters, const char *name, int rows, int columns)
{
    ASSERT(parameters->count < PARAMETERS_MAX);
    struct parameter *parameter = &parameters->items[parameters->count++];
    *parameter = (struct parameter){.name = name, .rows = rows, .columns = columns};
    parameter->values = memory_new(4 * size_of(parameter), sizeof(double));
    parameter->gradients = parameter->values + size_of(parameter);
    parameter->mean = parameter->gradients + size_of(parameter);
    parameter->variance = parameter->mean + size_of(parameter);
    return parameter;
}

void parameters_done(struct parameters *parameters)
{
    for (int i = 0; i < parameters->count; i++)
        free(parameters->items[i].values); /* the others are of the same block */
    *parameters = (struct parameters){0};
}

void parameter_uniform(struct parameter *parameter, struct random_stream *stream, double limit)
{
    for (size_t i = 0; i < size_of(parameter); i++)
        parameter->values[i] = (float)((2.0 * random_uniform(stream) - 1.0) * limit);
}

void parameters_clear_gradients(struct parameters *parameters)
{
    for (int i = 0; i < parameters->count; i++)
        memset(parameters->items[i].gradients, 0, size_of(&parameters->items[i]) * sizeof(double));
}

double parameters_gradient_norm(const struct parameters *parameters)
{
    double sum = 0;
    for (int i = 0; i < parameters->count; i++) {
        const struct parameter *parameter = &parameters->items[i];
        for (size_t j = 0; j < size_of(parameter); j++)
            sum += parameter->gradients[j] * parameter->gradients[j];
    }
    return sqrt(sum);
}

void parameters_adam_step(struct parameters *parameters, double rate)
{
    const double mean_decay = 0.9, variance_decay = 0.999, epsilon = 1e-8;
    double steps = (double)++parameters->steps;
    double mean_share = 1 - pow(mean_decay, steps), variance_share = 1 - pow(variance_decay, steps);
    for (int i = 0; i < parameters->count; i++) {
        struct parameter *parameter = &parameters->items[i];
        for (size_t j = 0; j < size_of(parameter); j++) {
            double gradient = parameter->gradients[j];
            double mean = mean_decay * parameter->mean[j] + (1 - mean_decay) * gradient;
            double variance = variance_decay * parameter->variance[j] + (1 - variance_decay) * gradient * gradient;
            double change = rate * (mean / mean_share) / (sqrt(variance / variance_share) + epsilon);
            parameter->mean[j] = (float)mean;
            parameter->variance[j] = (float)variance;
            parameter->values[j] = (float)(parameter->values[j] - change);
        }
    }
}
