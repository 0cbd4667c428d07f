/*
 * gpu_memory.h - the memory of GPUs, booked by the trainers that share them before they take it.
 *
 * A trial waits until what it may come to take fits beside what the others on its GPU have booked; who came first goes
 * first.  Alone, a trial is always let through: then the device itself says whether it has the memory.  So networks
 * that grow train side by side while they are small and one after the other when they are large.  Any thread.
 */
#ifndef ESPALIER_SEARCH_GPU_MEMORY_H
#define ESPALIER_SEARCH_GPU_MEMORY_H

#include <stdbool.h>

#include "device/device.h"

struct gpu_memory;

/* What is free on each GPU now, less `kept` bytes (the images) and a tenth. */
struct gpu_memory *gpu_memory_new(const struct device *devices, int count, double kept);
void gpu_memory_free(struct gpu_memory *memory);
/* Waits.  False, and nothing is booked: `given_up` said so, which is asked at first and after each wake. */
bool gpu_memory_book(struct gpu_memory *memory, int gpu, double bytes, bool (*given_up)(void *context), void *context);
void gpu_memory_release(struct gpu_memory *memory, int gpu, double bytes);
/* After a change of what `given_up` says. */
void gpu_memory_wake(struct gpu_memory *memory);

#endif
