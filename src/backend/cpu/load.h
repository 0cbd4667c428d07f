/*
 * load.h - a batch of uint8 images into the input tensor: crop, flip, normalise, and 16 images turned innermost.
 *
 * Blocks of 16 images x 16 pixels are transposed in registers.  A block reads 16 bytes a row wherever they lie, also
 * past the row's or the image's ends; what lies outside the image is set to zero afterwards.
 */
#ifndef ESPALIER_BACKEND_CPU_LOAD_H
#define ESPALIER_BACKEND_CPU_LOAD_H

#include "backend/cpu/layout.h"
#include "nn/backend.h"
#include "util/bug.h"

typedef uint8_t bytes __attribute__((vector_size(16)));

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

/* One image of a group: where its pixels come from. */
struct lane {
    const uint8_t *first; /* what pixel (0, 0) of channel 0 shows: may lie outside the image */
    bool flip;            /* the next pixel of a row lies one before, not one further */
    bool edge;            /* at an end of the data set: 16 bytes at once might reach beyond it */
};

/* The images of a group: what rows top … bottom-1 and pixels left … right-1 show is in the image; the rest is zero. */
struct group {
    struct lane lanes[LANES];
    int32_t top[LANES] __attribute__((aligned(64))), bottom[LANES], left[LANES], right[LANES];
    int top_most, bottom_least, left_most, right_least;
};

static int within(int value, int most)
{
    return value < 0 ? 0 : value > most ? most : value;
}

static void place_lane(const struct batch *batch, int n, int lane, struct group *group)
{
    const struct images *images = batch->view->images;
    int height = images->shape.height, width = images->shape.width, size = images->shape.channels * height * width;
    int index = batch->index[n];
    struct augment place = batch->augment ? batch->augment[n] : (struct augment){0};
    int lead = place.flip ? -place.dx : place.dx; /* pixel x shows x + lead, counted from its own side */
    const uint8_t *first = images->pixels + (size_t)index * size + (ptrdiff_t)place.dy * width;
    group->lanes[lane] = (struct lane){
        .first = first + (place.flip ? width - 1 + place.dx : place.dx),
        .flip = place.flip,
        .edge = index == 0 || index == images->count - 1 || size < AUGMENT_PAD * (width + 1) + 32,
    };
    group->top[lane] = within(-place.dy, height);
    group->bottom[lane] = within(height - place.dy, height);
    group->left[lane] = within(-lead, width);
    group->right[lane] = within(width - lead, width);
}

/* Lanes without an image show the group's first, and nothing of it. */
static struct group group_of(const struct batch *batch, int g)
{
    const struct shape *shape = &batch->view->images->shape;
    struct group group = {.bottom_least = shape->height, .right_least = shape->width};
    for (int lane = 0; lane < LANES; lane++) {
        bool real = lane < lanes_of(batch->count, g);
        place_lane(batch, g * LANES + (real ? lane : 0), lane, &group);
        if (!real)
            group.bottom[lane] = 0;
        group.top_most = group.top[lane] > group.top_most ? group.top[lane] : group.top_most;
        group.left_most = group.left[lane] > group.left_most ? group.left[lane] : group.left_most;
        group.bottom_least = group.bottom[lane] < group.bottom_least ? group.bottom[lane] : group.bottom_least;
        group.right_least = group.right[lane] < group.right_least ? group.right[lane] : group.right_least;
    }
    return group;
}

/* 16 pixels from `at` on (down to at - 15 when flipped), one by one: 0 for what is not the data set's. */
static bytes edge_bytes(const struct images *images, const struct lane *lane, const uint8_t *at)
{
    const struct shape *shape = &images->shape;
    const uint8_t *end = images->pixels + (size_t)images->count * shape->channels * shape->height * shape->width;
    bytes loaded = {0};
    for (int i = 0; i < 16; i++) {
        const uint8_t *pixel = lane->flip ? at - i : at + i;
        if (pixel >= images->pixels && pixel < end)
            loaded[i] = *pixel;
    }
    return loaded;
}

INLINE bytes lane_bytes(const struct images *images, const struct lane *lane, const uint8_t *at)
{
    bytes loaded;
    if (lane->edge)
        return edge_bytes(images, lane, at);
    memcpy(&loaded, lane->flip ? at - 15 : at, sizeof loaded);
    return lane->flip ? bytes_reverse(loaded) : loaded;
}

/* One row of one channel, `row` rows of pixels behind the image's first. */
static void load_row(const struct images *images, const struct lane lanes[LANES], int row, float scale, float shift,
                     float *out)
{
    int width = images->shape.width;
    ptrdiff_t at = (ptrdiff_t)row * width;
    for (int x = 0; x < width; x += 16) {
        bytes block[LANES];
        for (int lane = 0; lane < LANES; lane++)
            block[lane] = lane_bytes(images, &lanes[lane], lanes[lane].first + (lanes[lane].flip ? at - x : at + x));
        transpose(block);
        const uint8_t *pixel = (const uint8_t *)block;
        for (int i = x; i < x + 16 && i < width; i++)
            for (int part = 0; part < PARTS; part++, pixel += VECTOR_WIDTH)
                vector_store(out + (size_t)i * LANES + part * VECTOR_WIDTH, vector_from_bytes(pixel) * scale + shift);
    }
}

/* Keep of a pixel the lanes whose first … last-1 holds `place`. */
static void keep_between(const int32_t first[LANES], const int32_t last[LANES], int place, float *pixel)
{
    for (int lane = 0; lane < LANES; lane += VECTOR_WIDTH) {
        vector_bits from = *(const vector_bits *)(first + lane), to = *(const vector_bits *)(last + lane);
        vector_bits at = (vector_bits){0} + place;
        vector_store(pixel + lane, vector_where((at >= from) & (at < to), vector_load(pixel + lane)));
    }
}

/* Zero what of a row is outside its images. */
static void clear_outside(const struct group *group, int y, int width, float *row)
{
    if (y < group->top_most || y >= group->bottom_least)
        for (int x = 0; x < width; x++)
            keep_between(group->top, group->bottom, y, row + (size_t)x * LANES);
    for (int x = 0; x < group->left_most; x++)
        keep_between(group->left, group->right, x, row + (size_t)x * LANES);
    for (int x = group->right_least; x < width; x++)
        keep_between(group->left, group->right, x, row + (size_t)x * LANES);
}

struct loading {
    struct map map;
    const struct batch *batch;
    float *data;
};

static void load_group(void *context, int g, int member)
{
    const struct loading *loading = context;
    const struct map *map = &loading->map;
    const struct view *view = loading->batch->view;
    struct group group = group_of(loading->batch, g);
    float *plane = loading->data + g * map->group;
    for (int c = 0; c < map->channels; c++, plane += map->plane) {
        map_clear_border(map, plane);
        for (int y = 0; y < map->height; y++) {
            float *row = plane + map_at(map, 0, y, 0);
            load_row(view->images, group.lanes, c * map->height + y, view->scale[c], view->shift[c], row);
            clear_outside(&group, y, map->width, row);
        }
    }
}

static void load(void *context, const struct tensor *tensor, const struct batch *batch, void *data, struct team *team)
{
    struct map map = map_of(tensor);
    const struct images *images = batch->view->images;
    ASSERT(images->shape.channels == map.channels && images->shape.height == map.height &&
           images->shape.width == map.width);
    team_do(team, groups_of(batch->count), load_group, &(struct loading){map, batch, data});
}

#endif
