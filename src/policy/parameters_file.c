/* parameters_file.c - a list of float32 tensors in a fixed order, copied from the parameters or back into them. */
#include "policy/parameters_file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "export/safetensors.h"
#include "util/bug.h"
#include "util/memory.h"

enum { TENSORS_MAX = 1 + 3 * PARAMETERS_MAX };

struct tensor_list {
    int count;
    struct named_tensor tensors[TENSORS_MAX];
};

static size_t size_of(const struct named_tensor *tensor)
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
    tensor->values = memory_new(size_of(tensor), sizeof(float));
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
            for (size_t j = 0; j < size_of(tensor); j++)
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

static int check(const struct tensor_list *list, struct error *error)
{
    for (int i = 0; i < list->count; i++)
        for (size_t j = 0; j < size_of(&list->tensors[i]); j++)
            if (!isfinite(list->tensors[i].values[j]))
                return error_set(error,
                                 "tensor %s holds a value that is not a number; take the state of an earlier update",
                                 list->tensors[i].name);
    float steps = list->tensors[list->count - 1].values[0];
    if (steps < 0 || steps != floorf(steps))
        return error_set(error, "tensor state: %g is not a count of updates", steps);
    return 0;
}

int parameters_decode(struct parameters *parameters, double *numbers, int number_count, const void *bytes,
                      size_t length, struct error *error)
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
