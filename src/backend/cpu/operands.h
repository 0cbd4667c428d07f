/*
 * operands.h - one group of a map, rounded to bf16 and paired along what a sum goes over.
 *
 *   channels: for a product, whose sum is over input channels.  [pair of channels][y][x][image]: the map itself, with
 *             half the channels.
 *   images:   for a weight gradient, whose sum is over pixels and images.  [channel][y][x][pair of images]: the map
 *             itself, with all steps halved, so that a vector is two pixels, from any pixel on.
 *
 * As much is written as half of what is read, and it stays in the cache for the sums that follow.
 */
#ifndef ESPALIER_BACKEND_CPU_OPERANDS_H
#define ESPALIER_BACKEND_CPU_OPERANDS_H

#include "backend/cpu/bf16.h"
#include "backend/cpu/layout.h"

_Static_assert(!BF16 || PARTS == 1, "two pixels of pairs are one vector");

/* `second` may be NULL: zeros. */
INLINE void pair_planes(const float *first, const float *second, size_t size, float *to)
{
#pragma GCC unroll 4
    for (size_t i = 0; i < size; i += VECTOR_WIDTH)
        vector_store(to + i, pairs_of(vector_load(first + i), second ? vector_load(second + i) : (vector){0}));
}

/* The last of an odd number pairs with zeros.  Borders are converted too. */
static void pairs_of_channels(const struct map *map, const float *group, float *to)
{
    for (int c = 0; c < map->channels; c += 2, group += 2 * map->plane, to += map->plane)
        if (c + 1 < map->channels)
            pair_planes(group, group + map->plane, map->plane, to);
        else
            pair_planes(group, NULL, map->plane, to);
}

/* Of channels first … last-1.  A vector at the last pixel reads one more: zeros.  `to` takes half of group + LANES
   floats. */
static void pairs_of_images(const struct map *map, int first, int last, const float *group, float *to)
{
    pairs_of_row(group + first * map->plane, (size_t)(last - first) * map->plane, to + first * map->plane / 2);
    memset(to + last * map->plane / 2, 0, LANES / 2 * sizeof *to);
}

/* Without border, rows of an odd number of pixels with one more of zeros: where pixels are taken two at a time. */
static struct map map_of_pixel_pairs(const struct map *map)
{
    return map_new(map->channels, map->height, (map->width + 1) / 2, 0);
}

static void pairs_of_pixels(const struct map *map, const float *group, float *to)
{
    struct map pixels = map_of_pixel_pairs(map);
    for (int c = 0; c < map->channels; c++)
        for (int y = 0; y < map->height; y++) {
            const float *row = group + map_at(map, c, y, 0);
            float *out = to + map_at(&pixels, c, y, 0);
            for (int x = 0; x < map->width; x += 2, row += 2 * LANES, out += LANES)
                vector_store(out, pairs_of_neighbours(vector_load(row),
                                                      x + 1 < map->width ? vector_load(row + LANES) : (vector){0}));
        }
}

#endif
