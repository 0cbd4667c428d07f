/*
 * load.h - a batch of uint8 images into the input tensor: crop, flip, normalise, and 16 images turned innermost.
 *
 * Blocks of 16 images x 16 pixels are transposed in registers.  A block reads 16 bytes a row wherever they lie, also
 * past the row's ends; what lies outside the image is set to zero afterwards.
 */
#ifndef ESPALIER_BACKEND_CPU_LOAD_H
#define ESPALIER_BACKEND_CPU_LOAD_H

#include "backend/cpu/layout.h"
#include "nn/backend.h"
#include "util/bug.h"

typedef uint8_t bytes __attribute__((vector_size(16)));
typedef int32_t int_quad __attribute__((vector_size(16), may_alias));
typedef float float_quad __attribute__((vector_size(16), may_alias));

INLINE bytes bytes_low(bytes a, bytes b)
{
    return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}

INLINE bytes bytes_high(bytes a, bytes b)
{
    return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

INLINE bytes bytes_reverse(bytes a)
{
    return __builtin_shufflevector(a, a, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
}

/* Four rounds of perfect shuffles: rows[i] byte j becomes rows[j] byte i. */
INLINE void transpose(bytes rows[16])
{
#pragma GCC unroll 4
    for (int round = 0; round < 4; round++) {
        bytes next[16];
#pragma GCC unroll 8
        for (int i = 0; i < 8; i++) {
            next[2 * i] = bytes_low(rows[i], rows[i + 8]);
            next[2 * i + 1] = bytes_high(rows[i], rows[i + 8]);
        }
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++)
            rows[i] = next[i];
    }
}

INLINE void store_quad(float *out, bytes whole_numbers, float scale, float shift)
{
    *(float_quad *)out = __builtin_convertvector((int_quad)whole_numbers, float_quad) * scale + shift;
}

/* One pixel of 16 images to floats. */
INLINE void store_pixel(float *out, bytes pixel, float scale, float shift)
{
    bytes zero = {0}, low = bytes_low(pixel, zero), high = bytes_high(pixel, zero);
    /* Whole 16-bit numbers next: interleaving their bytes with zeros would tear them, so go by 16-bit lanes. */
    typedef int16_t shorts __attribute__((vector_size(16)));
    shorts none = {0}, l = (shorts)low, h = (shorts)high;
    store_quad(out, (bytes)__builtin_shufflevector(l, none, 0, 8, 1, 9, 2, 10, 3, 11), scale, shift);
    store_quad(out + 4, (bytes)__builtin_shufflevector(l, none, 4, 12, 5, 13, 6, 14, 7, 15), scale, shift);
    store_quad(out + 8, (bytes)__builtin_shufflevector(h, none, 0, 8, 1, 9, 2, 10, 3, 11), scale, shift);
    store_quad(out + 12, (bytes)__builtin_shufflevector(h, none, 4, 12, 5, 13, 6, 14, 7, 15), scale, shift);
}

/* Where one lane's pixels come from, for one row of one channel. */
struct lane_row {
    const uint8_t *first; /* what the row's pixel 0 shows; the next lies one further, or one before when flipped */
    bool flip;
    int begin, end; /* pixels inside the image; the others are zero */
};

static struct lane_row lane_row_of(const struct batch *batch, int n, int channel, int y)
{
    const struct images *images = batch->view->images;
    int height = images->shape.height, width = images->shape.width;
    struct augment place = batch->augment ? batch->augment[n] : (struct augment){0};
    int from_y = y + place.dy;
    bool inside = from_y >= 0 && from_y < height;
    size_t row = ((size_t)batch->index[n] * images->shape.channels + channel) * height + (inside ? from_y : 0);
    struct lane_row lane = {.first = images->pixels + row * width, .flip = place.flip};
    lane.first += place.flip ? width - 1 + place.dx : place.dx;
    int lead = place.flip ? -place.dx : place.dx; /* x + lead lies in 0 … width-1 */
    lane.begin = lead < 0 ? -lead : 0;
    lane.end = lead > 0 ? width - lead : width;
    if (!inside || lane.end < lane.begin)
        lane.begin = lane.end = width;
    return lane;
}

/* Pixels x … x+15, of which those outside the image are any bytes of the data set. */
static bytes lane_bytes(const struct lane_row *lane, const uint8_t *data, const uint8_t *data_end, int x)
{
    bytes loaded = {0};
    const uint8_t *at = lane->flip ? lane->first - x - 15 : lane->first + x;
    if (at >= data && data_end - at >= 16) {
        memcpy(&loaded, at, 16);
        return lane->flip ? bytes_reverse(loaded) : loaded;
    }
    for (int i = 0; i < 16; i++) {
        const uint8_t *pixel = lane->flip ? at + 15 - i : at + i;
        if (pixel >= data && pixel < data_end)
            loaded[i] = *pixel;
    }
    return loaded;
}

static void load_row(const struct batch *batch, int group, int channel, int y, float *out)
{
    const struct images *images = batch->view->images;
    const uint8_t *data = images->pixels;
    const uint8_t *data_end =
        data + (size_t)images->count * images->shape.channels * images->shape.height * images->shape.width;
    float scale = batch->view->scale[channel], shift = batch->view->shift[channel];
    int width = images->shape.width, lanes = lanes_of(batch->count, group);
    struct lane_row rows[LANES];
    for (int lane = 0; lane < lanes; lane++)
        rows[lane] = lane_row_of(batch, group * LANES + lane, channel, y);
    for (int lane = lanes; lane < LANES; lane++)
        rows[lane] = (struct lane_row){.first = data, .begin = width, .end = width};
    for (int x = 0; x < width; x += 16) {
        bytes block[LANES];
        for (int lane = 0; lane < LANES; lane++)
            block[lane] = lane_bytes(&rows[lane], data, data_end, x);
        transpose(block);
        for (int i = 0; i < 16 && x + i < width; i++)
            store_pixel(out + (size_t)(x + i) * LANES, block[i], scale, shift);
    }
    for (int lane = 0; lane < LANES; lane++) {
        for (int x = 0; x < rows[lane].begin; x++)
            out[x * LANES + lane] = 0;
        for (int x = rows[lane].end; x < width; x++)
            out[x * LANES + lane] = 0;
    }
}

static void load(const struct tensor *tensor, const struct batch *batch, void *data)
{
    struct map map = map_of(tensor);
    const struct shape *shape = &batch->view->images->shape;
    ASSERT(shape->channels == map.channels && shape->height == map.height && shape->width == map.width);
    float *plane = data;
    for (int g = 0; g < groups_of(batch->count); g++)
        for (int c = 0; c < map.channels; c++, plane += map.plane) {
            map_clear_border(&map, plane);
            for (int y = 0; y < map.height; y++)
                load_row(batch, g, c, y, plane + map_at(&map, 0, y, 0));
        }
}

#endif
