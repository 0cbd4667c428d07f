/*
 * bed.h - what tests of kernels share: storage types, tensors in the kernels' layout, launches.
 *
 * A tensor is drawn in the order [image][channel][position], and written into memory of exactly its size.  Memory is
 * NaN until it is written, so that a kernel that reads what it may not gives NaN, or is caught by the address
 * sanitizer.
 */
#ifndef ESPALIER_TESTS_KERNELS_BED_H
#define ESPALIER_TESTS_KERNELS_BED_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/kernels.h"
#include "tests/kernels/on_cpu.h"
#include "util/random.h"

struct bed_type {
    const char *suffix; /* of kernels' names */
    size_t bytes;
    double rounding; /* relative, to the nearest */
    double smallest; /* absolute: half the step of the smallest numbers */
    float (*read)(const void *values, size_t i);
    void (*write)(void *values, size_t i, float value);
};
enum { BED_TYPES = 3 };
extern const struct bed_type bed_types[BED_TYPES];
/* The value after it was stored as that type. */
float bed_rounded(const struct bed_type *type, float value);

/* Where a tensor's channels lie: in memory of their own, or in a slice of a wider tensor. */
enum bed_place { BED_OWN, BED_SLICE, BED_SLICE_UNALIGNED, BED_PLACES };

struct bed_tensor {
    const struct bed_type *type;
    enum bed_place place;
    int batch, channels, positions;
    int offset; /* of its first channel */
    void *memory;
    size_t size; /* values */
    struct kernel_map map;
};

struct bed_tensor bed_tensor_new(const struct bed_type *type, enum bed_place place, int batch, int channels,
                                 int positions);
void bed_tensor_done(struct bed_tensor *tensor);
void bed_zero(struct bed_tensor *tensor);
/* Write the images below `count`, and zeros into their padding. */
void bed_write(struct bed_tensor *tensor, int count, const float *plain);
void bed_read(const struct bed_tensor *tensor, int count, float *plain);
/* NULL, or what is wrong: padding and images beyond the count must be zero, and what lies beside a slice unchanged. */
const char *bed_wrong_beside(const struct bed_tensor *tensor, int count);

/* Exactly so many floats, all NaN. */
float *bed_floats(size_t count);
/* Values of that type: multiples of 1/4, many of them equal, where `grid`; else normally distributed. */
void bed_draw(struct random_stream *stream, const struct bed_type *type, bool grid, size_t count, float *values);

/* Launch "name_suffix" (or "name", when `type` is NULL). */
void bed_launch(const char *name, const struct bed_type *type, struct kernel_grid grid, void *arguments);

/* -1, or the first value that differs by more than `relative` times itself plus `absolute` times the largest. */
ptrdiff_t bed_compare(size_t count, const float *expected, const float *got, double relative, double absolute);

#endif
