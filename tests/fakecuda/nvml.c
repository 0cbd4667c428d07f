/*
 * nvml.c - a fake libnvidia-ml.so.1: the calls of src/device/nvml.c, answered from a text.
 *
 * FAKE_NVML has an entry for each board or part of one, separated by semicolons; `-` is a reading that it doesn't have:
 *
 *     PCI address or UUID, utilisation %, memory used MiB, total MiB, degrees, watts, MHz
 *     0000:3f:00.0 94 11500 81559 61 402 1980;MIG-12ab - 500 4864 - - -
 *
 * It is read anew at every call, so that a test can change it.  With "hang" only the first call returns.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SUCCESS = 0, NOT_SUPPORTED = 3, NOT_FOUND = 6, DRIVER_NOT_LOADED = 9, READINGS = 6 };
enum { UTILISATION, USED, TOTAL, DEGREES, WATTS, MEGAHERTZ };

int nvmlInit_v2(void)
{
    return getenv("FAKE_NVML") ? SUCCESS : DRIVER_NOT_LOADED;
}

/* The entry of that number (from 1); false when there is none. */
static bool read_entry(long number, char name[64], char readings[READINGS][16])
{
    const char *text = getenv("FAKE_NVML");
    for (long i = 1; text && i < number; i++)
        if ((text = strchr(text, ';')))
            text++;
    return text && sscanf(text, "%63s %15s %15s %15s %15s %15s %15[^; ]", name, readings[0], readings[1], readings[2],
                          readings[3], readings[4], readings[5]) == 7;
}

static int find(const char *wanted, void **device)
{
    char name[64], readings[READINGS][16];
    while (strcmp(getenv("FAKE_NVML"), "hang") == 0)
        pause();
    for (long number = 1; read_entry(number, name, readings); number++)
        if (strcmp(name, wanted) == 0) {
            *device = (void *)number;
            return SUCCESS;
        }
    return NOT_FOUND;
}

static int reading_of(void *device, int reading, double *value)
{
    char name[64], readings[READINGS][16], *end;
    if (!read_entry((long)device, name, readings))
        return NOT_FOUND;
    *value = strtod(readings[reading], &end);
    return *end ? NOT_SUPPORTED : SUCCESS;
}

static int read_unsigned(void *device, int reading, double times, unsigned *value)
{
    double number;
    int status = reading_of(device, reading, &number);
    if (status == SUCCESS)
        *value = (unsigned)(number * times);
    return status;
}

int nvmlDeviceGetHandleByPciBusId_v2(const char *bus, void **device)
{
    return find(bus, device);
}

int nvmlDeviceGetHandleByUUID(const char *uuid, void **device)
{
    return find(uuid, device);
}

int nvmlDeviceGetUtilizationRates(void *device, unsigned percent[2])
{
    percent[1] = 1;
    return read_unsigned(device, UTILISATION, 1, &percent[0]);
}

int nvmlDeviceGetMemoryInfo(void *device, unsigned long long total_free_used[3])
{
    double total, used;
    int status = reading_of(device, TOTAL, &total);
    if (status != SUCCESS || (status = reading_of(device, USED, &used)) != SUCCESS)
        return status;
    total_free_used[0] = (unsigned long long)(total * 0x1p20);
    total_free_used[2] = (unsigned long long)(used * 0x1p20);
    total_free_used[1] = total_free_used[0] - total_free_used[2];
    return SUCCESS;
}

int nvmlDeviceGetTemperature(void *device, int sensor, unsigned *degrees)
{
    return sensor == 0 ? read_unsigned(device, DEGREES, 1, degrees) : NOT_SUPPORTED;
}

int nvmlDeviceGetPowerUsage(void *device, unsigned *milliwatts)
{
    return read_unsigned(device, WATTS, 1000, milliwatts);
}

int nvmlDeviceGetClockInfo(void *device, int clock, unsigned *megahertz)
{
    return clock == 1 ? read_unsigned(device, MEGAHERTZ, 1, megahertz) : NOT_SUPPORTED;
}
