/*
 * op_dropout.c - OP_DROPOUT.  Forward and backward compute the same mask (nn/dropout.h); input and output have one
 * shape and border.
 */
#include "backend/cpu/operations.h"

#include "backend/cpu/layout.h"
#include "nn/dropout.h"
#include "util/bug.h"

struct dropout {
    const struct op_run *run;
    struct map from_map, to_map;
    const float *from;
    float *to;
};

static void dropout_item(void *context, int block, int member)
{
    const struct dropout *dropout = context;
    const struct map *from_map = &dropout->from_map, *to_map = &dropout->to_map;
    uint64_t key = dropout->run->dropout_key;
    int32_t threshold = dropout_threshold(dropout->run->op->drop);
    float scale = 1 / (1 - dropout->run->op->drop);
    uint32_t size = (uint32_t)(from_map->height * from_map->width * from_map->channels); /* of an image */
    uint32_t element = (uint32_t)block * BLOCK * size;
    for (int c = 0; c < from_map->channels; c++) {
        const float *from = dropout->from + block * from_map->block_stride + c * from_map->plane;
        float *to = dropout->to + block * to_map->block_stride + c * to_map->plane;
        map_clear_border(to_map, to);
        for (int y = 0; y < from_map->height; y++)
            for (int x = 0; x < from_map->width; x++, element++) {
                const float *f = from + map_at(from_map, 0, y, x);
                float *t = to + map_at(to_map, 0, y, x);
                for (uint32_t image = 0; image < BLOCK; image++) {
                    float value = f[image] * scale;
                    t[image] = dropout_keeps(key, element + image * size, threshold) ? value : 0;
                }
            }
    }
}

void ISA_SYMBOL(dropout_forward)(const struct op_run *run)
{
    struct map in = map_of(&run->plan->tensors[run->op->inputs[0]]), out = map_of(&run->plan->tensors[run->op->output]);
    ASSERT(in.border == out.border);
    if (run->training)
        team_do(run->team, blocks_of(run->count), dropout_item, &(struct dropout){run, in, out, run->x, run->y});
    for (int b = 0; !run->training && b < blocks_of(run->count); b++)
        memcpy((float *)run->y + b * out.block_stride, (const float *)run->x + b * in.block_stride,
               in.channels * in.plane * sizeof(float));
}

void ISA_SYMBOL(dropout_backward)(const struct op_run *run)
{
    struct map in = map_of(&run->plan->tensors[run->op->inputs[0]]), out = map_of(&run->plan->tensors[run->op->output]);
    if (run->dx)
        team_do(run->team, blocks_of(run->count), dropout_item, &(struct dropout){run, out, in, run->dy, run->dx});
}
