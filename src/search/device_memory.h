/*
 * device_memory.h - the memory of devices, booked by the trainers that share it before they take it.
 *
 * A trial waits until what it may come to take fits beside what the others on its GPU have booked, or, on the processor,
 * all others there; who came first goes first.  Alone, a trial is always let through: then the device itself says
 * whether it has the memory.  So networks that grow train side by side while they are small and one after the other when
 * they are large.  Any thread.
 */
#ifndef ESPALIER_SEARCH_DEVICE_MEMORY_H
#define ESPALIER_SEARCH_DEVICE_MEMORY_H

#include <stdbool.h>

#include "device/device.h"

struct device_memory;

/* The number of what isn't a GPU's. */
enum { MACHINE_MEMORY = -1 };

/* What is free on each GPU now, less `kept` bytes (the images), and in the machine, as `machine` says; less a tenth. */
struct device_memory *device_memory_new(const struct device *devices, int count, double kept, double machine);
void device_memory_free(struct device_memory *memory);
/* Waits.  False, and nothing is booked: `given_up` said so, which is asked at first and after each wake. */
bool device_memory_book(struct device_memory *memory, int gpu, double bytes, bool (*given_up)(void *context), void *context);
void device_memory_release(struct device_memory *memory, int gpu, double bytes);
/* After a change of what `given_up` says. */
void device_memory_wake(struct device_memory *memory);

#endif
