/*
 * mixup.c - crop, flip and mix bytes: what lies outside an image is the mean, since it is 0 after normalisation.
 */
#include "data/mixup.h"

#include <stdlib.h>
#include <string.h>

#include "util/bug.h"
#include "util/memory.h"

static size_t image_size(const struct images *images)
{
    return (size_t)images->shape.channels * images->shape.height * images->shape.width;
}

void mixup_init(struct mixup *mixup, const struct view *view, int batch)
{
    size_t count = (size_t)batch, size = image_size(view->images);
    *mixup = (struct mixup){
        .images = *view->images, /* its shape, classes and names */
        .cropped = memory_new(count, size),
        .share = memory_new(count, sizeof *mixup->share),
    };
    mixup->images.count = batch;
    mixup->images.pixels = memory_new(count, size);
    mixup->images.labels = memory_new(count, sizeof *mixup->images.labels);
    mixup->view = *view;
    mixup->view.images = &mixup->images;
    mixup->view.count = batch;
    mixup->view.index = memory_new(count, sizeof *mixup->view.index);
    for (int i = 0; i < batch; i++)
        mixup->view.index[i] = i;
}

void mixup_done(struct mixup *mixup)
{
    free(mixup->images.pixels);
    free(mixup->images.labels);
    free(mixup->view.index);
    free(mixup->cropped);
    free(mixup->share);
    *mixup = (struct mixup){0};
}

static uint8_t rounded_mean(const struct view *view, int channel)
{
    double mean = view->pixels.mean[channel];
    return mean >= 255 ? 255 : mean > 0 ? (uint8_t)(mean + 0.5) : 0;
}

static void crop_row(const uint8_t *from, int width, struct augment place, uint8_t outside, uint8_t *out)
{
    for (int x = 0; x < width; x++) {
        int from_x = (place.flip ? width - 1 - x : x) + place.dx;
        out[x] = from_x >= 0 && from_x < width ? from[from_x] : outside;
    }
}

static void crop_image(const struct batch *batch, int n, uint8_t *out)
{
    const struct images *images = batch->view->images;
    int height = images->shape.height, width = images->shape.width;
    struct augment place = batch->augment ? batch->augment[n] : (struct augment){0};
    const uint8_t *plane = images->pixels + (size_t)batch->index[n] * image_size(images);
    for (int c = 0; c < images->shape.channels; c++, plane += (size_t)height * width) {
        uint8_t outside = rounded_mean(batch->view, c);
        for (int y = 0; y < height; y++, out += width) {
            int from_y = y + place.dy;
            if (from_y >= 0 && from_y < height)
                crop_row(plane + (size_t)from_y * width, width, place, outside, out);
            else
                memset(out, outside, (size_t)width);
        }
    }
}

static void mix(const uint8_t *own, const uint8_t *next, size_t size, unsigned share, uint8_t *out)
{
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)((own[i] * share + next[i] * (256 - share) + 128) >> 8);
}

void mixup_apply(struct mixup *mixup, struct batch *batch, struct random_stream *stream)
{
    size_t size = image_size(&mixup->images);
    int count = batch->count;
    ASSERT(count <= mixup->view.count);
    for (int n = 0; n < count; n++)
        crop_image(batch, n, mixup->cropped + (size_t)n * size);
    for (int n = 0; n < count; n++) {
        unsigned share = 128 + random_below(stream, 129);
        mixup->share[n] = (float)share / 256;
        mixup->images.labels[n] = batch->view->images->labels[batch->index[n]];
        mix(mixup->cropped + (size_t)n * size, mixup->cropped + (size_t)((n + 1) % count) * size, size, share,
            mixup->images.pixels + (size_t)n * size);
    }
    batch->view = &mixup->view;
    batch->index = mixup->view.index;
    batch->augment = NULL;
}
