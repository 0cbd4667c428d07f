/*
 * on_cpu.h - the CUDA kernels run by the CPU: the same .cu files, compiled by a C++ compiler without the toolkit.
 *
 * Blocks run one after another, and so do the threads of a block: each until its next barrier or its end, in an order
 * that the test chooses.  Results must not depend on that order; if they do, there is a race.  Shared memory is NaN
 * when a block starts, and exactly as long as it was declared.  One launch runs at a time; any thread may launch.
 */
#ifndef ESPALIER_TESTS_KERNELS_ON_CPU_H
#define ESPALIER_TESTS_KERNELS_ON_CPU_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum shim_order { SHIM_FORWARD, SHIM_REVERSE, SHIM_RANDOM, SHIM_ORDERS };

/* The order of blocks, and of threads between barriers, from now on. */
void shim_set_order(enum shim_order order, uint32_t seed);

/* Whether there is a kernel of this name ("norm_forward_bf16"). */
bool shim_has(const char *name);
/* Run it with blocks of KERNEL_THREADS threads; `arguments[0]` is its struct.  Asserts that there is one. */
void shim_launch(const char *name, unsigned grid_x, unsigned grid_y, void **arguments);

/* Conversion between float and storage types, rounded as the device rounds. */
uint16_t shim_to_bf16(float value);
float shim_from_bf16(uint16_t bits);
uint16_t shim_to_f16(float value);
float shim_from_f16(uint16_t bits);

#ifdef __cplusplus
}
#endif

#endif
