/* bed.c - see bed.h. */
#include "tests/kernels/bed.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/bug.h"

/* The value of what lies beside a slice. */
static const float beside = 77;

static float read_f32(const void *values, size_t i)
{
    return ((const float *)values)[i];
}

static void write_f32(void *values, size_t i, float value)
{
    ((float *)values)[i] = value;
}

static float read_bf16(const void *values, size_t i)
{
    return shim_from_bf16(((const uint16_t *)values)[i]);
}

static void write_bf16(void *values, size_t i, float value)
{
    ((uint16_t *)values)[i] = shim_to_bf16(value);
}

static float read_f16(const void *values, size_t i)
{
    return shim_from_f16(((const uint16_t *)values)[i]);
}

static void write_f16(void *values, size_t i, float value)
{
    ((uint16_t *)values)[i] = shim_to_f16(value);
}

const struct bed_type bed_types[BED_TYPES] = {
    {"f32", 4, 0, 0, read_f32, write_f32},
    {"bf16", 2, 0x1p-8, 0, read_bf16, write_bf16},
    {"f16", 2, 0x1p-11, 0x1p-25, read_f16, write_f16},
};

float bed_rounded(const struct bed_type *type, float value)
{
    float stored;
    type->write(&stored, 0, value);
    return type->read(&stored, 0);
}

/* Aligned as device memory is, and not longer than `bytes`, so that the address sanitizer sees its end. */
static void *new_memory(size_t bytes)
{
    void *memory;
    if (posix_memalign(&memory, 256, bytes))
        BUG("out of memory");
    return memory;
}

struct bed_tensor bed_tensor_new(const struct bed_type *type, enum bed_place place, int batch, int channels,
                                 int positions)
{
    static const int offsets[BED_PLACES] = {0, 8, 3};
    struct bed_tensor tensor = {type, place, batch, channels, positions, .offset = offsets[place]};
    int stride = KERNEL_ROUND(tensor.offset + channels);
    tensor.size = (size_t)batch * positions * stride;
    tensor.memory = new_memory(tensor.size * type->bytes);
    for (size_t i = 0; i < tensor.size; i++)
        type->write(tensor.memory, i, place == BED_OWN ? NAN : beside);
    tensor.map = (struct kernel_map){(char *)tensor.memory + (size_t)tensor.offset * type->bytes, stride,
                                     place == BED_OWN ? stride : channels};
    return tensor;
}

void bed_tensor_done(struct bed_tensor *tensor)
{
    free(tensor->memory);
    *tensor = (struct bed_tensor){0};
}

static size_t index_of(const struct bed_tensor *tensor, int image, int channel, int position)
{
    return ((size_t)image * tensor->positions + position) * tensor->map.stride + tensor->offset + channel;
}

void bed_zero(struct bed_tensor *tensor)
{
    for (int n = 0; n < tensor->batch; n++)
        for (int c = 0; c < tensor->map.padded; c++)
            for (int p = 0; p < tensor->positions; p++)
                tensor->type->write(tensor->memory, index_of(tensor, n, c, p), 0);
}

void bed_write(struct bed_tensor *tensor, int count, const float *plain)
{
    for (int n = 0; n < count; n++)
        for (int c = 0; c < tensor->map.padded; c++)
            for (int p = 0; p < tensor->positions; p++)
                tensor->type->write(tensor->memory, index_of(tensor, n, c, p), c < tensor->channels ? *plain++ : 0);
}

void bed_read(const struct bed_tensor *tensor, int count, float *plain)
{
    for (int n = 0; n < count; n++)
        for (int c = 0; c < tensor->channels; c++)
            for (int p = 0; p < tensor->positions; p++)
                *plain++ = tensor->type->read(tensor->memory, index_of(tensor, n, c, p));
}

const char *bed_wrong_beside(const struct bed_tensor *tensor, int count)
{
    for (int n = 0; n < tensor->batch; n++)
        for (int p = 0; p < tensor->positions; p++)
            for (int c = -tensor->offset; c < tensor->map.stride - tensor->offset; c++) {
                float value = tensor->type->read(tensor->memory, index_of(tensor, n, c, p));
                bool inside = c >= 0 && c < tensor->map.padded;
                if (!inside && value != beside)
                    return "what lies beside the slice was changed";
                if (inside && c >= tensor->channels && value != 0)
                    return "the padding isn't zero";
                if (inside && n >= count && value != 0)
                    return "an image beyond the count isn't zero";
            }
    return NULL;
}

float *bed_floats(size_t count)
{
    float *values = new_memory(count * sizeof *values);
    for (size_t i = 0; i < count; i++)
        values[i] = NAN;
    return values;
}

void bed_draw(struct random_stream *stream, const struct bed_type *type, bool grid, size_t count, float *values)
{
    for (size_t i = 0; i < count; i++) {
        float value = grid ? 0.25f * (float)((int)random_below(stream, 9) - 4) : random_normal(stream);
        values[i] = bed_rounded(type, value);
    }
}

void bed_launch(const char *name, const struct bed_type *type, struct kernel_grid grid, void *arguments)
{
    char full[64];
    snprintf(full, sizeof full, type ? "%s_%s" : "%s", name, type ? type->suffix : "");
    shim_launch(full, grid.x, grid.y, &arguments);
}

ptrdiff_t bed_compare(size_t count, const float *expected, const float *got, double relative, double absolute)
{
    double largest = 0;
    for (size_t i = 0; i < count; i++)
        largest = fmax(largest, fabs((double)expected[i]));
    for (size_t i = 0; i < count; i++)
        if (!(fabs((double)expected[i] - got[i]) <= relative * fabs((double)expected[i]) + absolute * largest))
            return (ptrdiff_t)i;
    return -1;
}
