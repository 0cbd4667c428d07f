/*
 * norm.h - OP_NORM: BN, ReLU and the pool behind it, of a map that is there already.
 *
 * Its input takes the place of the linear part that OP_CONV keeps (normalise.h).  It is a dense block's buffer, or the
 * beginning of one, and holds no shift: the sums take it off, the statistics put it back.
 */
#ifndef ESPALIER_BACKEND_CPU_NORM_H
#define ESPALIER_BACKEND_CPU_NORM_H

#include "backend/cpu/normalise.h"
#include "util/bug.h"

struct norm_scratch {
    struct kept kept; /* inference only */
    struct channel_sums *sums;
    float *start;
};

static struct norm_scratch norm_scratch_new(struct pieces *pieces, const struct plan *plan, const struct op *op)
{
    struct map out = map_of(&plan->tensors[op->output]);
    struct norm_scratch scratch = {.kept = kept_new(pieces, op, &out, 1, false)};
    scratch.sums = piece(pieces, (size_t)op->channels * sizeof *scratch.sums);
    scratch.start = piece(pieces, (size_t)op->channels * sizeof(float));
    return scratch;
}

/* Adds the sums of value + start over one plane, of the lanes that the mask has: in two levels, as moments are. */
static void plane_sums(const struct map *map, const float *plane, float start, const int32_t mask[LANES],
                       struct channel_sums *sums)
{
    vector sum = {0}, square = {0};
    for (int y = 0; y < map->height; y++, plane += map->pitch) {
        vector row_sum[PARTS], row_square[PARTS];
#pragma GCC unroll 4
        for (int part = 0; part < PARTS; part++)
            row_sum[part] = row_square[part] = (vector){0};
        for (size_t i = 0; i < map->pitch; i += LANES)
#pragma GCC unroll 4
            for (int part = 0; part < PARTS; part++) {
                vector_bits real = *(const vector_bits *)(mask + part * VECTOR_WIDTH);
                vector value = vector_load(plane + i + part * VECTOR_WIDTH) + vector_all(start);
                value = vector_where(real, value);
                row_sum[part] += value;
                row_square[part] += value * value;
            }
#pragma GCC unroll 4
        for (int part = 0; part < PARTS; part++) {
            sum += row_sum[part];
            square += row_square[part];
        }
    }
    sums->sum += vector_sum(sum);
    sums->square += vector_sum(square);
}

static void group_sums(const struct map *map, const float *group, const float *start, int lanes,
                       struct channel_sums *sums)
{
    int32_t mask[LANES] __attribute__((aligned(64)));
    for (int lane = 0; lane < LANES; lane++)
        mask[lane] = lane < lanes ? -1 : 0;
    for (int c = 0; c < map->channels; c++)
        plane_sums(map, group + c * map->plane, start[c], mask, &sums[c]);
}

static void norm_forward(const struct op_run *run)
{
    const struct op *op = run->op;
    struct map in = map_of(&run->plan->tensors[op->input]), out = map_of(&run->plan->tensors[op->output]);
    int groups = groups_of(run->count);
    struct norm_scratch scratch = norm_scratch_new(&(struct pieces){run->scratch, 0}, run->plan, op);
    struct kept kept = scratch.kept;
    const float *x = run->x;
    ASSERT(in.border == 0);
    start_from_shift(run, scratch.start);
    if (run->training) {
        kept = kept_new(&(struct pieces){run->saved, 0}, op, &out, groups, op->pool == POOL_MAX);
        memset(scratch.sums, 0, (size_t)op->channels * sizeof *scratch.sums);
        for (int g = 0; g < groups; g++)
            group_sums(&in, x + g * in.group, scratch.start, lanes_of(run->count, g), scratch.sums);
        batch_statistics(run, scratch.sums, &kept);
    } else {
        running_statistics(run, &kept);
    }
    for (int k = 0; k < op->channels; k++)
        kept.mean[k] -= scratch.start[k];
    /* The last group is still in the cache, and the next operation begins with the first. */
    for (int g = groups - 1; g >= 0; g--)
        normalise_forward(run, &kept, x + g * in.group, (float *)run->y + g * out.group, selected_of(&kept, g));
}

static void norm_backward(const struct op_run *run)
{
    const struct op *op = run->op;
    struct map in = map_of(&run->plan->tensors[op->input]), out = map_of(&run->plan->tensors[op->output]);
    int groups = groups_of(run->count);
    struct norm_scratch scratch = norm_scratch_new(&(struct pieces){run->scratch, 0}, run->plan, op);
    struct kept kept = kept_new(&(struct pieces){run->saved, 0}, op, &out, groups, op->pool == POOL_MAX);
    const float *x = run->x, *dy = run->dy;
    memset(scratch.sums, 0, (size_t)op->channels * sizeof *scratch.sums);
    for (int g = 0; g < groups; g++)
        normalise_sums(run, &kept, x + g * in.group, selected_of(&kept, g), dy + g * out.group, scratch.sums);
    parameter_gradients(run, &kept, scratch.sums);
    for (int g = 0; run->dx && g < groups; g++)
        normalise_backward(run, &kept, scratch.sums, &in, lanes_of(run->count, g), x + g * in.group,
                           selected_of(&kept, g), dy + g * out.group, (float *)run->dx + g * in.group);
}

#endif
