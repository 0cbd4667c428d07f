/*
 * naive_forward.c - the parts of kinds.h, one loop each.
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

/* Of `count` channels from `first` on. */
static double convolve(const struct map *in, int first, int count, const float *weight, int kernel, int top, int left)
{
    double sum = 0;
    for (int channel = first; channel < first + count; channel++)
        for (int y = 0; y < kernel; y++)
            for (int x = 0; x < kernel; x++)
                sum += *weight++ * value_at(in, channel, top + y, left + x);
    return sum;
}

static double pool(const struct map *in, enum part_kind kind, int size, int channel, int top, int left)
{
    double sum = 0, largest = -INFINITY;
    for (int y = top; y < top + size; y++)
        for (int x = left; x < left + size; x++) {
            sum += value_at(in, channel, y, x);
            largest = fmax(largest, value_at(in, channel, y, x));
        }
    return kind == PART_MAX_POOL ? largest : sum / (size * size);
}

static float channel_value(const struct weights *weights, int64_t offset, int channel)
{
    return weights->values[offset + channel];
}

static double hard_swish(double value)
{
    return value * fmin(fmax(value + 3, 0), 6) / 6;
}

/* BN and the part's activation, in place. */
static void normalise(const struct weights *weights, const struct weights_layer *place, const struct part *part,
                      struct map *map)
{
    int area = area_of(map->shape);
    for (int i = 0; i < map->shape.channels * area; i++) {
        int channel = i / area;
        double gamma = channel_value(weights, place->gamma, channel);
        double beta = channel_value(weights, place->beta, channel);
        double mean = channel_value(weights, place->mean, channel);
        double variance = channel_value(weights, place->variance, channel);
        double value = gamma * (map->values[i] - mean) / sqrt(variance + BN_EPSILON) + beta;
        map->values[i] = part->kind == PART_BN ? value : part->hard_swish ? hard_swish(value) : fmax(0, value);
    }
}

/* A convolution, depthwise where it reads one channel of several, or a linear part, which is a convolution of the
   flattened map. */
static struct map linear(const struct weights *weights, const struct weights_layer *place, struct map in, int stride,
                         struct shape shape)
{
    bool depthwise = place->inputs < in.shape.channels;
    struct map out = map_new(shape);
    int margin = place->kernel / 2;
    for (int channel = 0; channel < shape.channels; channel++)
        for (int i = 0; i < area_of(shape); i++) {
            int top = i / shape.width * stride - margin, left = i % shape.width * stride - margin;
            const float *kernel =
                weights->values + place->weight + (int64_t)channel * place->inputs * place->kernel * place->kernel;
            double *value = &out.values[channel * area_of(shape) + i];
            *value = convolve(&in, depthwise ? channel : 0, place->inputs, kernel, place->kernel, top, left);
            if (place->bias >= 0)
                *value += weights->values[place->bias + channel];
        }
    return out;
}

static struct map pooled(const struct part *part, const struct map *in)
{
    struct map out = map_new(part->out);
    for (int channel = 0; channel < part->out.channels; channel++)
        for (int i = 0; i < area_of(part->out); i++)
            out.values[channel * area_of(part->out) + i] =
                pool(in, part->kind, part->kernel, channel, i / part->out.width * part->stride,
                     i % part->out.width * part->stride);
    return out;
}

static int size_of(const struct map *map)
{
    return map->shape.channels * area_of(map->shape);
}

/* Both parts of squeeze-and-excitation. */
static struct map squeeze_and_excite(const struct weights *weights, int layer, const struct map *in)
{
    const struct weights_layer *squeeze = &weights->layout.parts[WEIGHTS_SQUEEZE][layer];
    const struct weights_layer *excite = &weights->layout.parts[WEIGHTS_EXCITE][layer];
    struct map means = map_new((struct shape){in->shape.channels, 1, 1}), out = map_new(in->shape);
    int area = area_of(in->shape);
    for (int i = 0; i < size_of(in); i++)
        means.values[i / area] += in->values[i] / area;
    struct map squeezed = linear(weights, squeeze, means, 1, (struct shape){squeeze->outputs, 1, 1});
    for (int i = 0; i < squeeze->outputs; i++)
        squeezed.values[i] = fmax(0, squeezed.values[i]);
    struct map gates = linear(weights, excite, squeezed, 1, (struct shape){excite->outputs, 1, 1});
    for (int i = 0; i < size_of(in); i++)
        out.values[i] = in->values[i] * fmin(fmax(1 + gates.values[i / area] / 3, 0), 2);
    free(means.values);
    free(squeezed.values);
    free(gates.values);
    return out;
}

/* What a part makes of `in`.  `layer_in`: what the layer reads. */
static struct map apply(const struct weights *weights, int layer, const struct part *part, struct map in,
                        const struct map *layer_in)
{
    const struct weights_layer *place = &weights->layout.parts[part->weights][layer];
    struct map out;
    switch (part->kind) {
    case PART_LINEAR:
        in.shape = (struct shape){size_of(&in), 1, 1};
        return linear(weights, place, in, 1, part->out);
    case PART_CONV:
        return linear(weights, place, in, part->stride, part->out);
    case PART_MAX_POOL:
    case PART_AVERAGE_POOL:
        return pooled(part, &in);
    case PART_SQUEEZE: /* with the PART_EXCITE behind it */
        return squeeze_and_excite(weights, layer, &in);
    default:
        break;
    }
    out = map_new(part->out);
    int own = part->kind == PART_CONCAT ? size_of(layer_in) : 0;
    for (int i = 0; i < size_of(&out); i++)
        out.values[i] = i < own ? layer_in->values[i] : in.values[i - own];
    for (int i = 0; i < size_of(&out) && part->kind == PART_ADD; i++)
        out.values[i] += layer_in->values[i];
    if (part_is_bn(part))
        normalise(weights, place, part, &out);
    return out;
}

/* `whole`: with the BN at its end. */
static struct map apply_layer(const struct weights *weights, int layer, const struct map *in, bool whole)
{
    struct layer_parts parts;
    layer_parts_of(&weights->arch, layer, in->shape, &parts);
    if (!whole && parts.parts[parts.count - 1].kind == PART_BN_RELU)
        parts.count--;
    struct map map = apply(weights, layer, &parts.parts[0], *in, in);
    for (int p = 1; p < parts.count; p++) {
        struct map next = apply(weights, layer, &parts.parts[p], map, in);
        free(map.values);
        map = next;
    }
    return map;
}

double *naive_forward(const struct weights *weights, int layer, const float *image, struct shape *shape)
{
    struct map map = map_new(weights->input);
    for (int i = 0; i < size_of(&map); i++)
        map.values[i] = image[i];
    for (int i = 0; i <= layer; i++) {
        struct map next = apply_layer(weights, i, &map, i < layer);
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
