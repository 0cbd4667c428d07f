/*
 * device.c - from the text of --devices to a list of devices.
 *
 * A device is a place for one trainer.  When there are at least as many CPU devices as cores, each is pinned to a
 * processor of its own, in the order of processors.c; those beyond the last processor are not pinned (core -1).  When
 * there are fewer, none is pinned: other programs run too, and the system knows where there is room.  Several devices
 * may be on one GPU; they follow each other in the list.
 */
#include "device/device.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "device/cuda.h"
#include "device/device_internal.h"
#include "util/memory.h"

static int too_many(struct error *error)
{
    return error_set(error, "more than %d devices; ask for fewer", DEVICES_MAX);
}

/* How many trainers one entry of the list asks for; -1 when it is refused. */
static int entry_trainers(const char *entry, const struct processors *processors, struct error *error)
{
    int64_t number;
    if (strcmp(entry, "auto") == 0 || strcmp(entry, "cpu") == 0)
        return processors_trainers(processors);
    if (strncmp(entry, "cpu:", 4) != 0)
        return error_set(error, "\"%s\" is no device; use auto, cpu, cpu:N for N trainers, cuda or cuda:N", entry);
    if (text_to_integer(entry + 4, 1, INT64_MAX, &number))
        return error_set(error, "\"%s\" is not a number of trainers; write for example cpu:2", entry + 4);
    return number > DEVICES_MAX ? too_many(error) : (int)number;
}

/* "cuda", "cuda:0"; after such an entry also "2" and "GPU-1fd0" alone. */
static bool is_gpu(const char *entry, bool after_gpu)
{
    if (after_gpu &&
        (isdigit((unsigned char)*entry) || !strncasecmp(entry, "GPU-", 4) || !strncasecmp(entry, "MIG-", 4)))
        return true;
    return strncmp(entry, "cuda", 4) == 0 && (!entry[4] || entry[4] == ':' || entry[4] == 'x');
}

int gpu_trainers(const struct cuda_device *gpu)
{
    double trainers = gpu->memory / 0x1p31;
    return trainers < 1 ? 1 : trainers > 4 ? 4 : (int)trainers;
}

/* The number of the GPU that `name`, a number or the beginning of a UUID, stands for; -1 when it is refused. */
static int find_gpu(const char *name, const struct cuda_device *gpus, int count, struct error *error)
{
    int64_t number;
    int found = -1, matches = 0;
    if (isdigit((unsigned char)*name)) {
        if (text_to_integer(name, 0, count - 1, &number))
            return error_set(error, "\"%s\" is no GPU; there %s %d, from cuda:0 on", name, count == 1 ? "is" : "are",
                             count);
        return (int)number;
    }
    for (int i = 0; i < count; i++)
        if (*name && !strncasecmp(gpus[i].uuid, name, strlen(name))) {
            found = i;
            matches++;
        }
    if (!matches)
        return error_set(error, "no GPU's UUID begins with \"%s\"; espalier devices --explain has them", name);
    return matches == 1 ? found
                        : error_set(error, "the UUIDs of %d GPUs begin with \"%s\"; give more of it", matches, name);
}

static int add_gpu(const struct cuda_module *module, const struct cuda_device *gpus, int number, int trainers,
                   struct device *devices, int *total, struct error *error)
{
    for (int i = 0; i < *total; i++)
        if (devices[i].cuda && devices[i].gpu == number)
            return error_set(error, "names cuda:%d twice; cuda:%dx2 is two trainers on it", number, number);
    for (int i = 0; i < (trainers ? trainers : gpu_trainers(&gpus[number])); i++) {
        if (*total == DEVICES_MAX)
            return too_many(error);
        struct device *device = &devices[(*total)++];
        *device = (struct device){.core = -1, .is_gpu = true, .cuda = module->backend(number), .gpu = number};
        snprintf(device->id, sizeof(device->id), i ? "cuda:%d.%d" : "cuda:%d", number, i);
        snprintf(device->name, sizeof(device->name), "%s, %s, %s", gpus[number].name, gpus[number].bus,
                 gpus[number].uuid);
        memcpy(device->bus, gpus[number].bus, sizeof(device->bus));
        memcpy(device->uuid, gpus[number].uuid, sizeof(device->uuid));
    }
    return 0;
}

static int add_gpus(const char *entry, struct device *devices, int *total, struct error *error)
{
    static struct cuda_device gpus[CUDA_DEVICES_MAX];
    char uuid[sizeof(gpus[0].uuid)];
    struct error reason;
    const struct cuda_module *module = cuda_module(&reason);
    int count, number;
    int64_t trainers = 0;
    if (!module || module->devices(gpus, &count, &reason))
        return error_set(error, "%s; use cpu", reason.text);
    const char *times = strchr(entry, 'x'); /* no UUID has one */
    if (times && text_to_integer(times + 1, 1, GPU_TRAINERS_MAX, &trainers))
        return error_set(error, "\"%s\" is not 1 to %d trainers on a GPU; write for example cuda:0x2", times + 1,
                         GPU_TRAINERS_MAX);
    const char *name = strncmp(entry, "cuda", 4) == 0 ? entry + 4 : entry;
    if (*name && name != times) {
        name += *name == ':';
        snprintf(uuid, sizeof(uuid), "%.*s", (int)(times ? times - name : (ptrdiff_t)strlen(name)), name);
        number = find_gpu(uuid, gpus, count, error);
        return number < 0 ? -1 : add_gpu(module, gpus, number, (int)trainers, devices, total, error);
    }
    for (number = 0; number < count; number++)
        if (add_gpu(module, gpus, number, (int)trainers, devices, total, error))
            return -1;
    return 0;
}

int devices_find_under(const char *root, const char *list, struct device devices[DEVICES_MAX], int *count,
                       struct error *error)
{
    struct processors processors;
    processors_read(root, &processors);
    char *entries = memory_copy_text(list), *place = entries, *entry;
    int result = 0, total = 0, processor = 0, places[DEVICES_MAX];
    bool after_gpu = false;
    while (result == 0 && (entry = strsep(&place, ","))) {
        after_gpu = is_gpu(entry, after_gpu);
        if (after_gpu) {
            result = add_gpus(entry, devices, &total, error);
            continue;
        }
        int trainers = entry_trainers(entry, &processors, error);
        if (trainers < 0)
            result = -1;
        else if (trainers > DEVICES_MAX - total)
            result = too_many(error);
        else
            for (int i = 0; i < trainers; i++) {
                places[processor++] = total;
                devices[total++] = (struct device){.core = -1};
            }
    }
    for (int i = 0; i < processor; i++) {
        struct device *device = &devices[places[i]];
        device->own_core = i < processors.count;
        if (device->own_core && processor >= processors.cores)
            device->core = processors.numbers[i];
        snprintf(device->id, sizeof(device->id), "cpu:%d", i);
        char core[16] = "any core";
        if (device->core >= 0)
            snprintf(core, sizeof(core), "core %d", device->core);
        snprintf(device->name, sizeof(device->name), "%s, %s, %s", processors.model, core, processors.instructions);
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
