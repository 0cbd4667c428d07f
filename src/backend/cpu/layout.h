/*
 * layout.h - where things lie: [group of 16 images][channel][y + border][x + border][image].
 *
 * The channels are those of a tensor's buffer: the tensor's own are some of them, one after another, and from group to
 * group is as far as all of them go.
 *
 * The lanes of a last, partial group that belong to no image hold finite values that nobody reads in tensors, and
 * zeros in gradients: so that sums over lanes need no mask in the backward pass.
 */
#ifndef ESPALIER_BACKEND_CPU_LAYOUT_H
#define ESPALIER_BACKEND_CPU_LAYOUT_H

#include "backend/cpu/vector.h"
#include "nn/plan.h"

/* A tensor's shape and the steps through it, in floats.  A plane is an odd number of cache lines: were it a power of
   two, as maps of 8 x 8, 16 x 16 and 32 x 32 are, one pixel of all channels would fall into one set of a cache. */
struct map {
    int channels, height, width, border;
    size_t pitch, plane, group; /* from row to row, channel to channel, group to group */
};

static inline struct map map_new(int channels, int height, int width, int border)
{
    struct map map = {channels, height, width, border, 0, 0, 0};
    map.pitch = (size_t)(width + 2 * border) * LANES;
    map.plane = ((size_t)(height + 2 * border) * map.pitch) | LANES;
    map.group = (size_t)channels * map.plane;
    return map;
}

static inline struct map map_of(const struct tensor *tensor)
{
    struct map map = map_new(tensor->channels, tensor->height, tensor->width, tensor->border);
    map.group = (size_t)tensor_buffer_channels(tensor) * map.plane;
    return map;
}

static inline size_t map_at(const struct map *map, int channel, int y, int x)
{
    return (size_t)channel * map->plane + (size_t)(y + map->border) * map->pitch + (size_t)(x + map->border) * LANES;
}

static inline int groups_of(int count)
{
    return (count + LANES - 1) / LANES;
}

/* Images in group `group` of `count` images. */
static inline int lanes_of(int count, int group)
{
    int left = count - group * LANES;
    return left < LANES ? left : LANES;
}

/* Zero all of a plane that is not the map. */
static void map_clear_border(const struct map *map, float *plane)
{
    size_t side = (size_t)map->border * LANES;
    float *row = plane + (size_t)map->border * map->pitch, *end = plane + map->plane;
    if (side) {
        memset(plane, 0, (size_t)(row - plane) * sizeof *plane);
        for (int y = 0; y < map->height; y++, row += map->pitch) {
            memset(row, 0, side * sizeof *row);
            memset(row + map->pitch - side, 0, side * sizeof *row);
        }
    } else {
        row += (size_t)map->height * map->pitch;
    }
    memset(row, 0, (size_t)(end - row) * sizeof *row);
}

/* Scratch and saved memory are cut into pieces by one function each, which also counts when `base` is NULL. */
struct pieces {
    char *base;
    size_t used;
};

static void *piece(struct pieces *pieces, size_t bytes)
{
    size_t at = pieces->used;
    pieces->used += (bytes + 63) / 64 * 64;
    return pieces->base ? pieces->base + at : NULL;
}

#endif
