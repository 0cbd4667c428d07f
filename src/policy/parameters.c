/*
 * parameters.c - a flat list of matrices: layers have pointers into it; Adam and the file, a list of float32 tensors in
 * a fixed order, go through all.
 *
 * `items` never moves: a pointer to an item is valid as long as the set.
 */
#include "policy/parameters.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export/safetensors.h"
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

enum { TENSORS_MAX = 1 + 3 * PARAMETERS_MAX };

struct tensor_list {
    int count;
    struct named_tensor tensors[TENSORS_MAX];
};

static size_t tensor_size(const struct named_tensor *tensor)
{
    return (size_t)tensor->shape[0] * (size_t)tensor->shape[1];
}

static void add(struct tensor_list *list, const char *name, const char *suffix, int rows, int columns)
{
    ASSERT(list->count < TENSORS_MAX);
    struct named_tensor *tensor = &list->tensors[list->count++];
    *tensor = (struct named_tensor){.rank = 2, .shape = {rows, columns}};
    int length = snprintf(tensor->name, sizeof tensor->name, "%s%s", name, suffix);
    ASSERT(length > 0 && (size_t)length < sizeof tensor->name);
    tensor->values = memory_new(tensor_size(tensor), sizeof(float));
}

/* All tensors, zeroed: three a parameter, in its order, and `state` last. */
static struct tensor_list *tensor_list_new(const struct parameters *parameters, int number_count)
{
    struct tensor_list *list = memory_new(1, sizeof *list);
    for (int i = 0; i < parameters->count; i++) {
        const struct parameter *parameter = &parameters->items[i];
        add(list, parameter->name, "", parameter->rows, parameter->columns);
        add(list, parameter->name, ".adam.mean", parameter->rows, parameter->columns);
        add(list, parameter->name, ".adam.variance", parameter->rows, parameter->columns);
    }
    add(list, "state", "", 1, 1 + number_count);
    return list;
}

static void tensor_list_free(struct tensor_list *list)
{
    for (int i = 0; i < list->count; i++)
        free(list->tensors[i].values);
    free(list);
}

/* From the parameters to the list, or back. */
static void copy_parameters(const struct parameters *parameters, const struct tensor_list *list, bool back)
{
    const struct named_tensor *tensor = list->tensors;
    for (int i = 0; i < parameters->count; i++) {
        const struct parameter *parameter = &parameters->items[i];
        double *const parts[] = {parameter->values, parameter->mean, parameter->variance};
        for (int part = 0; part < 3; part++, tensor++)
            for (size_t j = 0; j < tensor_size(tensor); j++)
                if (back)
                    parts[part][j] = tensor->values[j];
                else
                    tensor->values[j] = (float)parts[part][j];
    }
}

void parameters_encode(const struct parameters *parameters, const double *numbers, int number_count, void **bytes,
                       size_t *length)
{
    struct tensor_list *list = tensor_list_new(parameters, number_count);
    float *state = list->tensors[list->count - 1].values;
    copy_parameters(parameters, list, false);
    state[0] = (float)parameters->steps;
    for (int i = 0; i < number_count; i++)
        state[1 + i] = (float)numbers[i];
    safetensors_encode_list(list->tensors, list->count, NULL, bytes, length);
    tensor_list_free(list);
}

/* Up to here float32 holds every count. */
enum { STEPS_MOST = 1 << 24 };

static int check(const struct tensor_list *list, struct error *error)
{
    for (int i = 0; i < list->count; i++)
        for (size_t j = 0; j < tensor_size(&list->tensors[i]); j++) {
            bool variance = i < list->count - 1 && i % 3 == 2;
            float value = list->tensors[i].values[j];
            if (!isfinite(value) || (variance && value < 0))
                return error_set(error, "tensor %s holds a value that is not a %s; take the state of an earlier update",
                                 list->tensors[i].name, variance ? "variance" : "number");
        }
    float steps = list->tensors[list->count - 1].values[0];
    if (!(steps >= 0 && steps <= STEPS_MOST) || steps != floorf(steps))
        return error_set(error, "tensor state: %g is not a count of updates", steps);
    return 0;
}

static int decode(struct parameters *parameters, double *numbers, int number_count, const void *bytes, size_t length,
                  struct error *error)
{
    struct tensor_list *list = tensor_list_new(parameters, number_count);
    int result = safetensors_decode_list(bytes, length, list->tensors, list->count, error);
    if (result == 0)
        result = check(list, error);
    if (result == 0) {
        const float *state = list->tensors[list->count - 1].values;
        copy_parameters(parameters, list, true);
        parameters->steps = (int64_t)state[0];
        for (int i = 0; i < number_count; i++)
            numbers[i] = state[1 + i];
    }
    tensor_list_free(list);
    return result;
}

int parameters_decode(struct parameters *parameters, double *numbers, int number_count, const void *bytes,
                      size_t length, struct error *error)
{
    int result = decode(parameters, numbers, number_count, bytes, length, error);
    if (result && parameters->items[parameters->count - 1].optional) {
        parameters->count--;
        result = decode(parameters, numbers, number_count, bytes, length, NULL);
        parameters->count++;
    }
    return result;
}
