/*
 * bed.h - what tests of kernels stand on: storage types, tensors as the kernels lay them, launches in every order.
 *
 * A tensor is drawn plain, [image][channel][position], and written into memory of exactly its size.  Memory is NaN
 * wherever nothing was written, so that a kernel that reads what it may not gives NaN, or touches what the address
 * sanitizer sees.
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
/* As it would be after storage. */
float bed_rounded(const struct bed_type *type, float value);

/* Where a tensor's channels lie: in a tensor of their own, or as a slice of a wider one. */
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
/* Images below `count`, and zeros into their padding. */
void bed_write(struct bed_tensor *tensor, int count, const float *plain);
void bed_read(const struct bed_tensor *tensor, int count, float *plain);
/* NULL, or what is wrong beside the values: padding and images beyond the count must be zero, what lies beside a slice
   untouched. */
const char *bed_wrong_beside(const struct bed_tensor *tensor, int count);

/* Floats of exactly so many, all NaN. */
float *bed_floats(size_t count);
/* Rounded to storage: multiples of 1/4, many of them equal; or normal. */
void bed_draw(struct random_stream *stream, const struct bed_type *type, bool grid, size_t count, float *values);

/* Launch "name_suffix" (or "name", when `type` is NULL). */
void bed_launch(const char *name, const struct bed_type *type, struct kernel_grid grid, void *arguments);

/* -1 when all are within `relative` of themselves and `absolute` of the largest, else the first that isn't. */
ptrdiff_t bed_compare(size_t count, const float *expected, const float *got, double relative, double absolute);

#endif
