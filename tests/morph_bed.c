/* morph_bed.c - networks at random, and the transformations with a measurement that knows nothing of them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "morph_bed.h"
#include "naive_forward.h"
#include "util/bug.h"
#include "util/memory.h"

struct random_stream test_stream(uint32_t a, uint32_t b)
{
    return random_stream_new(7, RANDOM_TEST, a, b);
}

void fill_normal(float *values, int64_t count, float mean, float deviation, struct random_stream *stream)
{
    for (int64_t i = 0; i < count; i++)
        values[i] = mean + deviation * random_normal(stream);
}

static void draw_part(const struct weights_layer *place, float *values, struct random_stream *stream)
{
    int64_t fan_in = (int64_t)place->inputs * place->kernel * place->kernel;
    if (place->weight >= 0)
        fill_normal(values + place->weight, place->outputs * fan_in, 0, sqrtf(2.0f / (float)fan_in), stream);
    if (place->bias >= 0)
        fill_normal(values + place->bias, place->outputs, 0, 0.2f, stream);
    if (place->gamma < 0)
        return;
    fill_normal(values + place->beta, place->outputs, 0.1f, 0.3f, stream);
    fill_normal(values + place->mean, place->outputs, 0, 0.3f, stream);
    for (int unit = 0; unit < place->outputs; unit++) {
        float sign = random_below(stream, 8) ? 1 : -1;
        values[place->gamma + unit] = sign * (0.5f + random_uniform(stream));
        values[place->variance + unit] = 0.1f + 2 * random_uniform(stream);
    }
}

struct weights *random_weights(const char *notation, struct shape input, struct random_stream *stream)
{
    struct arch arch;
    struct error error;
    if (arch_parse(&arch, notation, &error) < 0)
        fail_msg("%s", error.text);
    struct weights *weights = weights_new(&arch, input);
    for (int i = 0; i < arch.layer_count; i++)
        for (int part = 0; part < WEIGHTS_PARTS; part++)
            draw_part(&weights->layout.parts[part][i], weights->values, stream);
    return weights;
}

int64_t image_size(const struct weights *weights)
{
    return (int64_t)weights->input.channels * weights->input.height * weights->input.width;
}

int measure_naively(void *context, const struct weights *network, int layer, float *mean, float *variance,
                    struct error *error)
{
    struct measuring *measuring = context;
    measuring->calls++;
    naive_statistics(network, layer, measuring->images, MEASURE_IMAGES, mean, variance);
    return 0;
}

struct weights *apply(const struct weights *parent, struct action action, const struct morph_options *options,
                      const struct morph_measure *measure, struct random_stream *stream)
{
    struct weights *child;
    struct error error;
    if (morph_apply(parent, &action, options, measure, stream, &child, &error) < 0)
        fail_msg("%s", error.text);
    return child;
}

void assert_undone(const char *notation, struct action there, struct action back, const struct morph_options *options)
{
    struct random_stream stream = test_stream(20, 0);
    struct weights *parent = random_weights(notation, (struct shape){2, 8, 8}, &stream);
    struct weights *changed = apply(parent, there, options, NULL, &stream);
    struct weights *same = apply(changed, back, options, NULL, &stream);
    assert_true(arch_equal(&parent->arch, &same->arch));
    assert_memory_equal(parent->values, same->values, (size_t)parent->layout.total * sizeof(float));
    weights_free(parent);
    weights_free(changed);
    weights_free(same);
}
