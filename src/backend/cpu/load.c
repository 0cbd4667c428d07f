/*
 * load.c - a batch of uint8 images into the input tensor: crop, flip, normalise, and 16 images turned innermost.
 *
 * Squares of 16 images x 16 pixels are transposed in registers.  A square reads 16 bytes of each image, also past the
 * end of the row or the image; what lies outside the image is set to zero afterwards.
 */
#include "backend/cpu/operations.h"

#include "backend/cpu/layout.h"
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

/* Where the pixels of one image come from. */
struct source {
    const uint8_t *first; /* what pixel (0, 0) of channel 0 shows; may lie outside the image */
    bool flip;            /* the pixels of a row are read backward */
    bool edge;            /* at an end of the data set: reading 16 bytes might go beyond it */
};

/* Those of a block.  Image i shows something in rows top[i] … bottom[i]-1 and pixels left[i] … right[i]-1; the rest is
   zero. */
struct sources {
    struct source images[BLOCK];
    int32_t top[BLOCK] __attribute__((aligned(64))), bottom[BLOCK], left[BLOCK], right[BLOCK];
    int top_most, bottom_least, left_most, right_least;
};

static int within(int value, int most)
{
    return value < 0 ? 0 : value > most ? most : value;
}

static void place_image(const struct batch *batch, int n, int i, struct sources *sources)
{
    const struct images *images = batch->view->images;
    int height = images->shape.height, width = images->shape.width, size = images->shape.channels * height * width;
    int index = batch->index[n];
    struct augment place = batch->augment ? batch->augment[n] : (struct augment){0};
    int lead = place.flip ? -place.dx : place.dx; /* pixel x shows x + lead, counted from its own side */
    const uint8_t *first = images->pixels + (size_t)index * size + (ptrdiff_t)place.dy * width;
    sources->images[i] = (struct source){
        .first = first + (place.flip ? width - 1 + place.dx : place.dx),
        .flip = place.flip,
        .edge = index == 0 || index == images->count - 1 || size < AUGMENT_PAD * (width + 1) + 32,
    };
    sources->top[i] = within(-place.dy, height);
    sources->bottom[i] = within(height - place.dy, height);
    sources->left[i] = within(-lead, width);
    sources->right[i] = within(width - lead, width);
}

/* A missing image is the block's first, and shows nothing of it. */
static struct sources sources_of(const struct batch *batch, int block)
{
    const struct shape *shape = &batch->view->images->shape;
    struct sources sources = {.bottom_least = shape->height, .right_least = shape->width};
    for (int i = 0; i < BLOCK; i++) {
        bool real = i < images_in(batch->count, block);
        place_image(batch, block * BLOCK + (real ? i : 0), i, &sources);
        if (!real)
            sources.bottom[i] = 0;
        sources.top_most = sources.top[i] > sources.top_most ? sources.top[i] : sources.top_most;
        sources.left_most = sources.left[i] > sources.left_most ? sources.left[i] : sources.left_most;
        sources.bottom_least = sources.bottom[i] < sources.bottom_least ? sources.bottom[i] : sources.bottom_least;
        sources.right_least = sources.right[i] < sources.right_least ? sources.right[i] : sources.right_least;
    }
    return sources;
}

/* 16 pixels from `at` on (down to at - 15 when flipped), one by one; 0 outside the data set. */
static bytes edge_bytes(const struct images *images, const struct source *source, const uint8_t *at)
{
    const struct shape *shape = &images->shape;
    const uint8_t *end = images->pixels + (size_t)images->count * shape->channels * shape->height * shape->width;
    bytes loaded = {0};
    for (int i = 0; i < 16; i++) {
        const uint8_t *pixel = source->flip ? at - i : at + i;
        if (pixel >= images->pixels && pixel < end)
            loaded[i] = *pixel;
    }
    return loaded;
}

INLINE bytes source_bytes(const struct images *images, const struct source *source, const uint8_t *at)
{
    bytes loaded;
    if (source->edge)
        return edge_bytes(images, source, at);
    memcpy(&loaded, source->flip ? at - 15 : at, sizeof loaded);
    return source->flip ? bytes_reverse(loaded) : loaded;
}

/* One row of one channel: row number `row`, counted through all channels. */
static void load_row(const struct images *images, const struct source sources[BLOCK], int row, float scale, float shift,
                     float *out)
{
    int width = images->shape.width;
    ptrdiff_t at = (ptrdiff_t)row * width;
    for (int x = 0; x < width; x += 16) {
        bytes square[BLOCK];
        for (int i = 0; i < BLOCK; i++)
            square[i] = source_bytes(images, &sources[i], sources[i].first + (sources[i].flip ? at - x : at + x));
        transpose(square);
        const uint8_t *pixel = (const uint8_t *)square;
        for (int i = x; i < x + 16 && i < width; i++)
            for (int part = 0; part < PARTS; part++, pixel += VECTOR_WIDTH)
                vector_store(out + (size_t)i * BLOCK + part * VECTOR_WIDTH, vector_from_bytes(pixel) * scale + shift);
    }
}

/* Zeros a pixel of the images whose first … last-1 does not hold `place`. */
static void keep_between(const int32_t first[BLOCK], const int32_t last[BLOCK], int place, float *pixel)
{
    for (int i = 0; i < BLOCK; i += VECTOR_WIDTH) {
        vector_bits from = *(const vector_bits *)(first + i), to = *(const vector_bits *)(last + i);
        vector_bits at = (vector_bits){0} + place;
        vector_store(pixel + i, vector_where((at >= from) & (at < to), vector_load(pixel + i)));
    }
}

/* Zeros what a row shows outside its images. */
static void clear_outside(const struct sources *sources, int y, int width, float *row)
{
    if (y < sources->top_most || y >= sources->bottom_least)
        for (int x = 0; x < width; x++)
            keep_between(sources->top, sources->bottom, y, row + (size_t)x * BLOCK);
    for (int x = 0; x < sources->left_most; x++)
        keep_between(sources->left, sources->right, x, row + (size_t)x * BLOCK);
    for (int x = sources->right_least; x < width; x++)
        keep_between(sources->left, sources->right, x, row + (size_t)x * BLOCK);
}

struct loading {
    struct map map;
    const struct batch *batch;
    float *data;
};

static void load_item(void *context, int block, int member)
{
    const struct loading *loading = context;
    const struct map *map = &loading->map;
    const struct view *view = loading->batch->view;
    struct sources sources = sources_of(loading->batch, block);
    float *plane = loading->data + block * map->block_stride;
    for (int c = 0; c < map->channels; c++, plane += map->plane) {
        map_clear_border(map, plane);
        for (int y = 0; y < map->height; y++) {
            float *row = plane + map_at(map, 0, y, 0);
            load_row(view->images, sources.images, c * map->height + y, view->scale[c], view->shift[c], row);
            clear_outside(&sources, y, map->width, row);
        }
    }
}

void load_batch(void *context, const struct tensor *tensor, const struct batch *batch, void *data, struct team *team)
{
    struct map map = map_of(tensor);
    const struct images *images = batch->view->images;
    ASSERT(images->shape.channels == map.channels && images->shape.height == map.height &&
           images->shape.width == map.width);
    team_do(team, blocks_of(batch->count), load_item, &(struct loading){map, batch, data});
}
