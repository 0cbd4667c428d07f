/*
 * naive_forward.c - the definitions of arch.h and weights.h, one loop each.
 *
 * A map is [channel][y][x] in doubles; every step makes a new one and frees the old.
 */
#include "naive_forward.h"

#include <math.h>
#include <stdlib.h>

#include "util/memory.h"

struct map {
    struct shape shape;
    double *values;
};

static int area_of(struct shape shape)
{
    return shape.height * shape.width;
}

static struct map map_new(struct shape shape)
{
    return (struct map){shape, memory_new((size_t)shape.channels * (size_t)area_of(shape), sizeof(double))};
}

/* Outside of the map is the zero padding. */
static double value_at(const struct map *map, int channel, int y, int x)
{
    if (y < 0 || x < 0 || y >= map->shape.height || x >= map->shape.width)
        return 0;
    return map->values[(channel * map->shape.height + y) * map->shape.width + x];
}

static double convolve(const struct map *in, const float *weight, int kernel, int top, int left)
{
    double sum = 0;
    for (int channel = 0; channel < in->shape.channels; channel++)
        for (int y = 0; y < kernel; y++)
            for (int x = 0; x < kernel; x++)
                sum += *weight++ * value_at(in, channel, top + y, left + x);
    return sum;
}

static double pool(const struct map *in, enum layer_kind kind, int size, int channel, int top, int left)
{
    double sum = 0, largest = -INFINITY;
    for (int y = top; y < top + size; y++)
        for (int x = left; x < left + size; x++) {
            sum += value_at(in, channel, y, x);
            largest = fmax(largest, value_at(in, channel, y, x));
        }
    return kind == LAYER_MAX_POOL ? largest : sum / (size * size);
}

static float channel_value(const struct weights *weights, int64_t offset, int channel)
{
    return weights->values[offset + channel];
}

/* BN and ReLU in place. */
static void normalise_and_rectify(const struct weights *weights, const struct weights_layer *place, struct map *map)
{
    int area = area_of(map->shape);
    for (int i = 0; i < map->shape.channels * area; i++) {
        int channel = i / area;
        double gamma = channel_value(weights, place->gamma, channel);
        double beta = channel_value(weights, place->beta, channel);
        double mean = channel_value(weights, place->mean, channel);
        double variance = channel_value(weights, place->variance, channel);
        map->values[i] = fmax(0, gamma * (map->values[i] - mean) / sqrt(variance + BN_EPSILON) + beta);
    }
}

/* A convolution without BN. */
static struct map linear(const struct weights *weights, const struct weights_layer *place, const struct map *in,
                         int stride, struct shape shape)
{
    struct map out = map_new(shape);
    int margin = place->kernel / 2;
    for (int channel = 0; channel < shape.channels; channel++)
        for (int i = 0; i < area_of(shape); i++) {
            int top = i / shape.width * stride - margin, left = i % shape.width * stride - margin;
            const float *kernel =
                weights->values + place->weight + (int64_t)channel * place->inputs * place->kernel * place->kernel;
            double *value = &out.values[channel * area_of(shape) + i];
            *value = convolve(in, kernel, place->kernel, top, left);
            if (place->bias >= 0)
                *value += weights->values[place->bias + channel];
        }
    return out;
}

static struct map pooled(enum layer_kind kind, int size, int stride, const struct map *in, struct shape shape)
{
    struct map out = map_new(shape);
    for (int channel = 0; channel < shape.channels; channel++)
        for (int i = 0; i < area_of(shape); i++)
            out.values[channel * area_of(shape) + i] =
                pool(in, kind, size, channel, i / shape.width * stride, i % shape.width * stride);
    return out;
}

/* The old channels and then what the layer adds. */
static struct map dense(const struct weights *weights, int index, const struct map *in, struct map normalised,
                        struct shape shape)
{
    const struct weights_layer *bottleneck = &weights->layout.bottlenecks[index];
    struct shape added = {weights->arch.layers[index].units, shape.height, shape.width};
    if (weights->arch.layers[index].bottleneck) {
        struct map narrow =
            linear(weights, bottleneck, &normalised, 1, (struct shape){bottleneck->outputs, shape.height, shape.width});
        normalise_and_rectify(weights, bottleneck, &narrow);
        free(normalised.values);
        normalised = narrow;
    }
    struct map out = map_new(shape), new = linear(weights, &weights->layout.layers[index], &normalised, 1, added);
    int old = in->shape.channels * area_of(shape);
    for (int i = 0; i < shape.channels * area_of(shape); i++)
        out.values[i] = i < old ? in->values[i] : new.values[i - old];
    free(normalised.values);
    free(new.values);
    return out;
}

/* What a layer computes before a BN of its own.  FC and SM are a convolution of the flattened map. */
static struct map apply(const struct weights *weights, int index, struct map in, struct shape shape)
{
    const struct layer *layer = &weights->arch.layers[index];
    const struct weights_layer *place = &weights->layout.layers[index], *norm = &weights->layout.norms[index];
    struct map normalised = map_new(in.shape), out, wide;
    for (int i = 0; i < in.shape.channels * area_of(in.shape); i++)
        normalised.values[i] = in.values[i];
    if (norm->gamma >= 0)
        normalise_and_rectify(weights, norm, &normalised);
    switch (layer->kind) {
    case LAYER_CONV:
        out = linear(weights, place, &normalised, layer->stride, shape);
        break;
    case LAYER_FC:
    case LAYER_SOFTMAX:
        normalised.shape = (struct shape){in.shape.channels * area_of(in.shape), 1, 1};
        out = linear(weights, place, &normalised, 1, shape);
        break;
    case LAYER_DENSE:
        return dense(weights, index, &in, normalised, shape);
    case LAYER_TRANSITION: /* as the paper has it: the pool last */
        wide = linear(weights, place, &normalised, 1, (struct shape){shape.channels, in.shape.height, in.shape.width});
        out = pooled(LAYER_AVERAGE_POOL, 2, 2, &wide, shape);
        free(wide.values);
        break;
    default:
        out = pooled(layer->kind, layer->kernel, layer->stride, &normalised, shape);
        break;
    }
    free(normalised.values);
    return out;
}

double *naive_forward(const struct weights *weights, int layer, const float *image, struct shape *shape)
{
    struct shape shapes[ARCH_LAYERS_MAX];
    arch_shapes(&weights->arch, weights->input, shapes, NULL);
    struct map map = map_new(weights->input);
    for (int i = 0; i < map.shape.channels * area_of(map.shape); i++)
        map.values[i] = image[i];
    for (int i = 0; i <= layer; i++) {
        struct map next = apply(weights, i, map, shapes[i]);
        if (i < layer && weights->layout.layers[i].gamma >= 0)
            normalise_and_rectify(weights, &weights->layout.layers[i], &next);
        free(map.values);
        map = next;
    }
    *shape = map.shape;
    return map.values;
}

void naive_statistics(const struct weights *weights, int layer, const float *images, int count, float *mean,
                      float *variance)
{
    int channels = weights->layout.layers[layer].outputs, area = 0;
    int64_t size = (int64_t)weights->input.channels * area_of(weights->input);
    double *sums = memory_new(2 * (size_t)channels, sizeof *sums), *squares = sums + channels;
    for (int image = 0; image < count; image++) {
        struct shape shape;
        double *values = naive_forward(weights, layer, images + image * size, &shape);
        area = area_of(shape);
        for (int i = 0; i < channels * area; i++) {
            sums[i / area] += values[i];
            squares[i / area] += values[i] * values[i];
        }
        free(values);
    }
    for (int channel = 0; channel < channels; channel++) {
        double number = (double)count * area, centre = sums[channel] / number;
        mean[channel] = (float)centre;
        variance[channel] = (float)fmax(0, squares[channel] / number - centre * centre);
    }
    free(sums);
}
