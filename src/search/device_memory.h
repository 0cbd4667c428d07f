/*
 * device_memory.h - the memory of devices, reserved by the trainers that share it before they allocate it.
 *
 * A trial waits until the most that it may allocate fits beside the reservations of the other trials on its GPU, or, on
 * the processor, of all other trials there.  Trials are served in the order in which they came.  A trial that is alone
 * never waits: the device itself says whether it has the memory.  So networks train side by side while they are small
 * and one after the other when they are large.  Any thread.
 */
#ifndef ESPALIER_SEARCH_DEVICE_MEMORY_H
#define ESPALIER_SEARCH_DEVICE_MEMORY_H

#include <stdbool.h>

#include "device/device.h"

struct device_memory;

/* In place of a GPU's number: the memory of the machine. */
enum { MACHINE_MEMORY = -1 };

/* Lends out nine tenths of the memory: of each GPU, what is free now without `images` bytes; of the machine, `machine`
   bytes. */
struct device_memory *device_memory_new(const struct device *devices, int count, double images, double machine);
void device_memory_free(struct device_memory *memory);
/* Waits for the memory.  False, with nothing reserved, when `cancelled` says so, which is called at first and after each
   wake. */
bool device_memory_reserve(struct device_memory *memory, int gpu, double bytes, bool (*cancelled)(void *context),
                           void *context);
void device_memory_release(struct device_memory *memory, int gpu, double bytes);
/* Let those who wait call `cancelled` again. */
void device_memory_wake(struct device_memory *memory);

#endif
