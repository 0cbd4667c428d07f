/*
 * layout.h - where a tensor's values lie: [block of 16 images][channel][y + border][x + border][image].
 *
 * The channels are those of the tensor's buffer: a tensor has some of them, one after another, and its blocks are as
 * far apart as those of the whole buffer.
 *
 * A last block may be part full.  The places of its missing images hold finite values that nobody reads; in gradients
 * they hold zeros, so that sums over images in the backward pass need no mask.
 */
#ifndef ESPALIER_BACKEND_CPU_LAYOUT_H
#define ESPALIER_BACKEND_CPU_LAYOUT_H

#include "backend/cpu/vector.h"
#include "nn/plan.h"

/* A tensor's shape, and the distances from row to row, channel to channel and block to block, in floats. */
struct map {
    int channels, height, width, border;
    size_t pitch, plane, block_stride;
};

/* A plane is an odd number of cache lines: were it a power of two, as maps of 8 x 8, 16 x 16 and 32 x 32 are, a pixel's
   channels would all fall into one set of the cache. */
static inline struct map map_new(int channels, int height, int width, int border)
{
    struct map map = {channels, height, width, border, 0, 0, 0};
    map.pitch = (size_t)(width + 2 * border) * BLOCK;
    map.plane = ((size_t)(height + 2 * border) * map.pitch) | BLOCK;
    map.block_stride = (size_t)channels * map.plane;
    return map;
}

static inline struct map map_of(const struct tensor *tensor)
{
    struct map map = map_new(tensor->channels, tensor->height, tensor->width, tensor->border);
    map.block_stride = (size_t)tensor_buffer_channels(tensor) * map.plane;
    return map;
}

/* From a block's first value to a pixel. */
static inline size_t map_at(const struct map *map, int channel, int y, int x)
{
    return (size_t)channel * map->plane + (size_t)(y + map->border) * map->pitch + (size_t)(x + map->border) * BLOCK;
}

/* From the tensor to plane number `plane`, counted through all blocks. */
static inline size_t map_plane(const struct map *map, int plane)
{
    return (size_t)(plane / map->channels) * map->block_stride + (size_t)(plane % map->channels) * map->plane;
}

static inline int blocks_of(int count)
{
    return (count + BLOCK - 1) / BLOCK;
}

/* Images of block `block` in a batch of `count`. */
static inline int images_in(int count, int block)
{
    int left = count - block * BLOCK;
    return left < BLOCK ? left : BLOCK;
}

/* Zeros `count` floats, a few vectors: memset() takes longer to call. */
static inline void clear_pixels(float *to, size_t count)
{
    for (size_t i = 0; i < count; i += VECTOR_WIDTH)
        vector_store(to + i, (vector){0});
}

/* Zeros what a plane has around its map, and behind it. */
static inline void map_clear_border(const struct map *map, float *plane)
{
    size_t side = (size_t)map->border * BLOCK;
    float *row = plane + (size_t)map->border * map->pitch, *end = plane + map->plane;
    if (side) {
        memset(plane, 0, (size_t)(row - plane) * sizeof *plane);
        for (int y = 0; y < map->height; y++, row += map->pitch) {
            clear_pixels(row, side);
            clear_pixels(row + map->pitch - side, side);
        }
    } else {
        row += (size_t)map->height * map->pitch;
    }
    memset(row, 0, (size_t)(end - row) * sizeof *row);
}

/* Scratch or saved memory, given away from its start.  One function takes all that an operation needs: with a NULL
   `base` it gives NULL and counts. */
struct workspace {
    char *base;
    size_t used;
};

static inline void *workspace_take(struct workspace *workspace, size_t bytes)
{
    size_t at = workspace->used;
    workspace->used += (bytes + 63) / 64 * 64;
    return workspace->base ? workspace->base + at : NULL;
}

#endif
