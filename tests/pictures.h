/*
 * pictures.h - small image sets for tests, drawn by a seed.
 */
#ifndef ESPALIER_TESTS_PICTURES_H
#define ESPALIER_TESTS_PICTURES_H

#include <stdlib.h>

#include "data/images.h"
#include "util/memory.h"
#include "util/random.h"

/* `count` images of noise; class k's images have a bright square at a place of its own, of the strength `signal`
   (0: noise alone; 100: easy to tell apart).  pictures_done() frees both. */
static inline void pictures_draw(struct shape shape, int classes, int count, int signal, uint64_t seed,
                                 struct images *images, struct view *view)
{
    struct random_stream stream = random_stream_new(seed, RANDOM_TEST, 0, 0);
    size_t plane = (size_t)shape.height * (size_t)shape.width, bytes = plane * (size_t)(shape.channels * count);
    *images = (struct images){.count = count, .classes = classes, .shape = shape};
    *view = (struct view){.images = images, .count = count};
    images->pixels = memory_new(bytes, 1);
    images->labels = memory_new((size_t)count, sizeof *images->labels);
    view->index = memory_new((size_t)count, sizeof *view->index);
    uint8_t *pixel = images->pixels;
    for (int i = 0; i < count; i++) {
        int label = (int)random_below(&stream, (uint32_t)classes);
        int top = label * 3 % (shape.height - 2), left = label * 5 % (shape.width - 2);
        images->labels[i] = (uint16_t)label;
        view->index[i] = i;
        for (int c = 0; c < shape.channels; c++)
            for (int y = 0; y < shape.height; y++)
                for (int x = 0; x < shape.width; x++) {
                    bool bright = y >= top && y < top + 3 && x >= left && x < left + 3;
                    *pixel++ = (uint8_t)(random_below(&stream, 100) + (uint32_t)(bright ? signal : 0));
                }
    }
    images->hash = hash_of(images->pixels, bytes);
    for (int c = 0; c < shape.channels; c++) {
        view->scale[c] = 0.03f;
        view->shift[c] = -1.5f - 0.1f * (float)c;
    }
}

static inline void pictures_done(struct images *images, struct view *view)
{
    free(images->pixels);
    free(images->labels);
    free(view->index);
}

#endif
