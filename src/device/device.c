/*
 * device.c - from the text of --devices to a list of devices.
 *
 * A CPU device is a place for one trainer.  The first ones are pinned, each to a processor of its own in the order of
 * processors.c; those past the last processor are not pinned (core -1) and share.
 */
#include "config.h"

#include "device/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/cuda.h"
#include "device/device_internal.h"
#include "util/memory.h"

static int too_many(const char *list, struct error *error)
{
    return error_set(error, "--devices %s: more than %d devices; ask for fewer", list, DEVICES_MAX);
}

/* How many trainers one entry of the list asks for; -1 when it is refused. */
static int entry_trainers(const char *list, const char *entry, const struct processors *processors, struct error *error)
{
    int64_t number;
    if (strcmp(entry, "auto") == 0 || strcmp(entry, "cpu") == 0)
        return processors_trainers(processors);
    if (strncmp(entry, "cpu:", 4) != 0)
        return error_set(error, "--devices %s: \"%s\" is no device; use auto, cpu or cpu:N for N trainers", list,
                         entry);
    if (text_to_integer(entry + 4, 1, INT64_MAX, &number))
        return error_set(error, "--devices %s: \"%s\" is not a number of trainers; write for example cpu:2", list,
                         entry + 4);
    return number > DEVICES_MAX ? too_many(list, error) : (int)number;
}

static struct device make_device(const struct processors *processors, int index)
{
    struct device device = {.core = index < processors->count ? processors->numbers[index] : -1};
    snprintf(device.id, sizeof(device.id), "cpu:%d", index);
    if (device.core >= 0)
        snprintf(device.name, sizeof(device.name), "%s, core %d, %s", processors->model, device.core,
                 processors->instructions);
    else
        snprintf(device.name, sizeof(device.name), "%s, any core, %s", processors->model, processors->instructions);
    return device;
}

static bool is_cuda(const char *entry)
{
    return strncmp(entry, "cuda", 4) == 0 && (!entry[4] || entry[4] == ':');
}

/* Put the GPUs of one entry at devices[*total]. */
static int add_cuda(const char *list, const char *entry, struct device *devices, int *total, struct error *error)
{
    static struct cuda_device found[CUDA_DEVICES_MAX];
    const struct cuda_module *module = cuda_module(error);
    int count;
    int64_t first = 0, last;
    if (!module || module->devices(found, &count, error)) {
        struct error reason = *error;
        return error_set(error, "--devices %s: %s; use cpu", list, reason.text);
    }
    last = count - 1;
    if (entry[4] && text_to_integer(entry + 5, 0, count - 1, &first))
        return error_set(error, "--devices %s: \"%s\" is no GPU; there are %d, from cuda:0 on", list, entry, count);
    if (entry[4])
        last = first;
    for (int64_t i = first; i <= last; i++) {
        if (*total == DEVICES_MAX)
            return too_many(list, error);
        struct device *device = &devices[(*total)++];
        *device = (struct device){.core = -1, .cuda = module->backend((int)i)};
        snprintf(device->id, sizeof(device->id), "cuda:%d", (int)i);
        snprintf(device->name, sizeof(device->name), "%s, %s", found[i].name, found[i].bus);
    }
    return 0;
}

int devices_find_under(const char *root, const char *list, struct device devices[DEVICES_MAX], int *count,
                       struct error *error)
{
    struct processors processors;
    processors_read(root, &processors);
    char *entries = memory_copy_text(list), *place = entries, *entry;
    int result = 0, total = 0, processor = 0;
    while (result == 0 && (entry = strsep(&place, ","))) {
        if (is_cuda(entry)) {
            result = add_cuda(list, entry, devices, &total, error);
            continue;
        }
        int trainers = entry_trainers(list, entry, &processors, error);
        if (trainers < 0)
            result = -1;
        else if (trainers > DEVICES_MAX - total)
            result = too_many(list, error);
        else
            for (int i = 0; i < trainers; i++)
                devices[total++] = make_device(&processors, processor++);
    }
    free(entries);
    if (result == 0)
        *count = total;
    return result;
}

int devices_find(const char *list, struct device devices[DEVICES_MAX], int *count, struct error *error)
{
    return devices_find_under("", list, devices, count, error);
}
