/*
 * nvml.c - how busy a GPU is, by NVIDIA's management library.
 *
 * The library comes with the driver.  It is opened at its first use and never closed.  Its interface has not changed
 * for ten years, so the few prototypes stand here, and no header of NVIDIA's is needed.  Any value may be missing (N/A
 * on some boards, and for parts of a GPU): when a call fails, its field is not valid.
 *
 * A GPU is found by its PCI address.  A part of one (MIG) is found by its UUID and has its own memory; temperature,
 * power and clock are the board's; its utilisation is not counted.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

#include "device/device_internal.h"

enum { NVML_SUCCESS = 0, NVML_TEMPERATURE_GPU = 0, NVML_CLOCK_SM = 1 };

struct nvml_utilization {
    unsigned gpu, memory; /* percent of the last second or less in which a kernel ran, and in which memory was used */
};
struct nvml_memory {
    unsigned long long total, free, used;
};

/* name, arguments */
#define NVML_CALLS(C)                                                                                                  \
    C(nvmlInit_v2, (void))                                                                                             \
    C(nvmlDeviceGetHandleByPciBusId_v2, (const char *bus, void **device))                                              \
    C(nvmlDeviceGetHandleByUUID, (const char *uuid, void **device))                                                    \
    C(nvmlDeviceGetUtilizationRates, (void *device, struct nvml_utilization *utilization))                             \
    C(nvmlDeviceGetMemoryInfo, (void *device, struct nvml_memory *memory))                                             \
    C(nvmlDeviceGetTemperature, (void *device, int sensor, unsigned *degrees))                                         \
    C(nvmlDeviceGetPowerUsage, (void *device, unsigned *milliwatts))                                                   \
    C(nvmlDeviceGetClockInfo, (void *device, int clock, unsigned *megahertz))

static struct {
    pthread_once_t once;
    struct error reason; /* why it can't be used, or "" */
#define NVML_MEMBER(name, arguments) int(*name) arguments;
    NVML_CALLS(NVML_MEMBER)
} nvml = {.once = PTHREAD_ONCE_INIT};

/* Does the library have this call, and did it succeed? */
#define ASK(name, ...) (nvml.name && nvml.name(__VA_ARGS__) == NVML_SUCCESS)

static void open_library(void)
{
    void *library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        error_set(&nvml.reason, "NVML can't be loaded: %s", dlerror());
        return;
    }
#define NVML_FIND(name, arguments) *(void **)&nvml.name = dlsym(library, #name);
    NVML_CALLS(NVML_FIND)
    if (!ASK(nvmlInit_v2))
        error_set(&nvml.reason, "NVML doesn't start; is libnvidia-ml.so.1 of the driver that is loaded?");
}

bool nvml_open(struct error *error)
{
    pthread_once(&nvml.once, open_library);
    if (nvml.reason.text[0])
        error_set(error, "%s", nvml.reason.text);
    return !nvml.reason.text[0];
}

void nvml_sample(const char *bus, const char *uuid, struct device_sample *sample)
{
    void *board = NULL, *part = NULL;
    struct nvml_utilization utilization;
    struct nvml_memory memory;
    unsigned degrees, milliwatts, megahertz;
    *sample = (struct device_sample){0};
    if (!nvml_open(NULL) || !ASK(nvmlDeviceGetHandleByPciBusId_v2, bus, &board))
        return;
    bool whole = strncmp(uuid, "MIG-", 4) != 0;
    if (whole)
        part = board;
    if (whole || ASK(nvmlDeviceGetHandleByUUID, uuid, &part)) {
        if (ASK(nvmlDeviceGetUtilizationRates, part, &utilization)) {
            sample->utilisation = utilization.gpu / 100.0;
            sample->valid |= DEVICE_UTILISATION;
        }
        if (ASK(nvmlDeviceGetMemoryInfo, part, &memory)) {
            sample->memory_used = (double)memory.used;
            sample->memory_total = (double)memory.total;
            sample->valid |= DEVICE_MEMORY;
        }
    }
    if (ASK(nvmlDeviceGetTemperature, board, NVML_TEMPERATURE_GPU, &degrees)) {
        sample->temperature = degrees;
        sample->valid |= DEVICE_TEMPERATURE;
    }
    if (ASK(nvmlDeviceGetPowerUsage, board, &milliwatts)) {
        sample->power = milliwatts / 1e3;
        sample->valid |= DEVICE_POWER;
    }
    if (ASK(nvmlDeviceGetClockInfo, board, NVML_CLOCK_SM, &megahertz)) {
        sample->clock = megahertz * 1e6;
        sample->valid |= DEVICE_CLOCK;
    }
}
