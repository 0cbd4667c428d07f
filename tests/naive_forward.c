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

/* FC and SM are a convolution of the flattened map. */
static struct map apply(const struct weights *weights, int index, struct map in, struct shape shape)
{
    const struct layer *layer = &weights->arch.layers[index];
    const struct weights_layer *place = &weights->layout.layers[index];
    int stride = layer->stride, size = layer->kernel, margin = layer->kind == LAYER_CONV ? layer->kernel / 2 : 0;
    if (layer->kind == LAYER_FC || layer->kind == LAYER_SOFTMAX) {
        in.shape = (struct shape){in.shape.channels * area_of(in.shape), 1, 1};
        stride = size = 1;
    }
    struct map out = map_new(shape);
    for (int channel = 0; channel < shape.channels; channel++)
        for (int i = 0; i < area_of(shape); i++) {
            int top = i / shape.width * stride - margin, left = i % shape.width * stride - margin;
            double *value = &out.values[channel * area_of(shape) + i];
            if (!layer_has_weights(layer)) {
                *value = pool(&in, layer->kind, size, channel, top, left);
                continue;
            }
            const float *kernel = weights->values + place->weight + (int64_t)channel * place->inputs * size * size;
            *value = convolve(&in, kernel, size, top, left);
            if (place->bias >= 0)
                *value += weights->values[place->bias + channel];
        }
    return out;
}

static void normalise_and_rectify(const struct weights *weights, int index, struct map *map)
{
    const struct weights_layer *place = &weights->layout.layers[index];
    if (place->gamma < 0)
        return;
    int area = area_of(map->shape);
    for (int i = 0; i < map->shape.channels * area; i++) {
        int channel = i / area;
        double gamma = weights->values[place->gamma + channel], beta = weights->values[place->beta + channel];
        double mean = weights->values[place->mean + channel], variance = weights->values[place->variance + channel];
        map->values[i] = fmax(0, gamma * (map->values[i] - mean) / sqrt(variance + BN_EPSILON) + beta);
    }
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
        if (i < layer)
            normalise_and_rectify(weights, i, &next);
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
