/*
 * simple.h - what has no weights: OP_POOL, OP_DROPOUT, the layout's conversions, loading a batch, the update.
 */
#ifndef ESPALIER_BACKEND_CPU_SIMPLE_H
#define ESPALIER_BACKEND_CPU_SIMPLE_H

#include "backend/cpu/layout.h"
#include "nn/backend.h"
#include "nn/dropout.h"
#include "util/bug.h"

/* Plane number `number` of a tensor, counted over groups. */
static inline size_t plane_at(const struct map *map, int number)
{
    return (size_t)(number / map->channels) * map->group + (size_t)(number % map->channels) * map->plane;
}

static void pool_forward(const struct op_run *run)
{
    const struct op *op = run->op;
    struct map in = map_of(&run->plan->tensors[op->inputs[0]]), out = map_of(&run->plan->tensors[op->output]);
    int planes = groups_of(run->count) * in.channels, size = op->pool_size, stride = op->pool_stride;
    vector share = vector_all(1.0f / (float)(size * size));
    for (int plane = 0; plane < planes; plane++) {
        const float *x = (const float *)run->x + plane_at(&in, plane);
        float *y = (float *)run->y + plane_at(&out, plane);
        map_clear_border(&out, y);
        for (int row = 0; row < out.height; row++)
            for (int column = 0; column < out.width; column++)
                for (int part = 0; part < LANES; part += VECTOR_WIDTH) {
                    const float *window = x + map_at(&in, 0, row * stride, column * stride) + part;
                    vector best = vector_load(window), sum = {0};
                    for (int i = 0; i < size; i++)
                        for (int j = 0; j < size; j++) {
                            vector value = vector_load(window + i * in.pitch + j * LANES);
                            best = vector_max(value, best);
                            sum += value;
                        }
                    if (op->pool == POOL_AVERAGE)
                        best = sum * share;
                    vector_store(y + map_at(&out, 0, row, column) + part, best);
                }
    }
}

static void pool_backward(const struct op_run *run)
{
    const struct op *op = run->op;
    struct map in = map_of(&run->plan->tensors[op->inputs[0]]), out = map_of(&run->plan->tensors[op->output]);
    int planes = groups_of(run->count) * in.channels, size = op->pool_size, stride = op->pool_stride;
    vector share = vector_all(1.0f / (float)(size * size));
    if (!run->dx)
        return;
    for (int plane = 0; plane < planes; plane++) {
        const float *x = (const float *)run->x + plane_at(&in, plane);
        const float *y = (const float *)run->y + plane_at(&out, plane);
        const float *dy = (const float *)run->dy + plane_at(&out, plane);
        float *dx = (float *)run->dx + plane_at(&in, plane);
        memset(dx, 0, in.plane * sizeof *dx);
        for (int row = 0; row < out.height; row++)
            for (int column = 0; column < out.width; column++)
                for (int part = 0; part < LANES; part += VECTOR_WIDTH) {
                    size_t window = map_at(&in, 0, row * stride, column * stride) + part;
                    size_t output = map_at(&out, 0, row, column) + part;
                    vector d = vector_load(dy + output), best = vector_load(y + output);
                    for (int i = 0; i < size; i++)
                        for (int j = 0; j < size; j++) {
                            size_t at = window + i * in.pitch + j * LANES;
                            vector add = d * share;
                            if (op->pool == POOL_MAX) {
                                vector_bits wins = (vector_bits)(vector_load(x + at) == best);
                                add = vector_where(wins, d);
                                d = vector_where(~wins, d);
                            }
                            vector_store(dx + at, vector_load(dx + at) + add);
                        }
                }
    }
}

/* Both tensors have one shape; the border of what is written is cleared. */
struct drop {
    const struct op_run *run;
    struct map from_map, to_map;
    const float *from;
    float *to;
};

static void drop_group(void *context, int group, int member)
{
    const struct drop *drop = context;
    const struct map *from_map = &drop->from_map, *to_map = &drop->to_map;
    uint64_t key = drop->run->dropout_key;
    int32_t threshold = dropout_threshold(drop->run->op->drop);
    float scale = 1 / (1 - drop->run->op->drop);
    uint32_t pixels = (uint32_t)(from_map->height * from_map->width), image = pixels * (uint32_t)from_map->channels;
    uint32_t element = (uint32_t)group * LANES * image;
    for (int c = 0; c < from_map->channels; c++) {
        const float *from = drop->from + group * from_map->group + c * from_map->plane;
        float *to = drop->to + group * to_map->group + c * to_map->plane;
        map_clear_border(to_map, to);
        for (int y = 0; y < from_map->height; y++)
            for (int x = 0; x < from_map->width; x++, element++) {
                const float *f = from + map_at(from_map, 0, y, x);
                float *t = to + map_at(to_map, 0, y, x);
                for (uint32_t lane = 0; lane < LANES; lane++) {
                    float value = f[lane] * scale;
                    t[lane] = dropout_keeps(key, element + lane * image, threshold) ? value : 0;
                }
            }
    }
}

static void dropout_forward(const struct op_run *run)
{
    struct map in = map_of(&run->plan->tensors[run->op->inputs[0]]), out = map_of(&run->plan->tensors[run->op->output]);
    ASSERT(in.border == out.border);
    if (run->training)
        team_do(run->team, groups_of(run->count), drop_group, &(struct drop){run, in, out, run->x, run->y});
    for (int g = 0; !run->training && g < groups_of(run->count); g++)
        memcpy((float *)run->y + g * out.group, (const float *)run->x + g * in.group,
               in.channels * in.plane * sizeof(float));
}

static void dropout_backward(const struct op_run *run)
{
    struct map in = map_of(&run->plan->tensors[run->op->inputs[0]]), out = map_of(&run->plan->tensors[run->op->output]);
    if (run->dx)
        team_do(run->team, groups_of(run->count), drop_group, &(struct drop){run, out, in, run->dy, run->dx});
}

static size_t tensor_bytes(const struct tensor *tensor, int batch)
{
    return groups_of(batch) * map_of(tensor).group * sizeof(float);
}

static size_t tensor_offset(const struct tensor *tensor)
{
    return tensor->before * map_of(tensor).plane * sizeof(float);
}

static void tensor_write(const struct tensor *tensor, int count, const float *plain, void *data)
{
    struct map map = map_of(tensor);
    float *values = data;
    for (int plane = 0; plane < groups_of(count) * map.channels; plane++)
        memset(values + plane_at(&map, plane), 0, map.plane * sizeof *values);
    for (int n = 0; n < count; n++)
        for (int c = 0; c < map.channels; c++)
            for (int y = 0; y < map.height; y++)
                for (int x = 0; x < map.width; x++)
                    values[n / LANES * map.group + map_at(&map, c, y, x) + n % LANES] = *plain++;
}

static void tensor_read(const struct tensor *tensor, int count, const void *data, float *plain)
{
    struct map map = map_of(tensor);
    const float *values = data;
    for (int n = 0; n < count; n++)
        for (int c = 0; c < map.channels; c++)
            for (int y = 0; y < map.height; y++)
                for (int x = 0; x < map.width; x++)
                    *plain++ = values[n / LANES * map.group + map_at(&map, c, y, x) + n % LANES];
}

static void update(void *context, const struct sgd *sgd, int64_t count, float *values, const float *gradients,
                   float *velocity)
{
    float rate = sgd->rate, momentum = sgd->momentum, decay = sgd->weight_decay;
    float current = sgd->nesterov ? 1 : 0, ahead = sgd->nesterov ? momentum : 1;
    int64_t i = 0;
    for (; i + VECTOR_WIDTH <= count; i += VECTOR_WIDTH) {
        vector_unaligned *value = (vector_unaligned *)(values + i), *speed = (vector_unaligned *)(velocity + i);
        vector g = *(const vector_unaligned *)(gradients + i) + decay * (vector)*value;
        vector v = momentum * (vector)*speed + g;
        *speed = v;
        *value = (vector)*value - rate * (current * g + ahead * v);
    }
    for (; i < count; i++) {
        float g = gradients[i] + decay * values[i];
        velocity[i] = momentum * velocity[i] + g;
        values[i] -= rate * (current * g + ahead * velocity[i]);
    }
}

#endif
