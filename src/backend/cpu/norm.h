/*
 * norm.h - OP_BN_RELU: BN, ReLU and the pool behind it, of a map that is there already.
 *
 * Its input takes the place of the linear part that OP_CONV_BN_RELU keeps (normalise.h).  It is a dense block's buffer, or the
 * beginning of one, and holds no shift: the sums take it off, the statistics put it back.
 */
#ifndef ESPALIER_BACKEND_CPU_NORM_H
#define ESPALIER_BACKEND_CPU_NORM_H

#include "backend/cpu/normalise.h"
#include "util/bug.h"

struct norm {
    const struct op_run *run;
    struct map in, out;
    int groups;
    struct kept kept;          /* in training what is saved, in inference in scratch */
    struct channel_sums *sums; /* [group][channel] */
    float *start;
};

static struct norm norm_new(struct pieces *pieces, const struct plan *plan, const struct op *op, int groups)
{
    struct norm norm = {.groups = groups};
    norm.in = map_of(&plan->tensors[op->inputs[0]]);
    norm.out = map_of(&plan->tensors[op->output]);
    ASSERT(norm.in.border == 0);
    norm.kept = kept_new(pieces, op, &norm.out, 1, false);
    norm.sums = piece(pieces, (size_t)groups * op->channels * sizeof *norm.sums);
    norm.start = piece(pieces, (size_t)op->channels * sizeof(float));
    return norm;
}

static struct norm norm_begin(const struct op_run *run, bool training)
{
    const struct op *op = run->op;
    struct norm norm = norm_new(&(struct pieces){run->scratch, 0}, run->plan, op, groups_of(run->count));
    norm.run = run;
    if (training)
        norm.kept = kept_new(&(struct pieces){run->saved, 0}, op, &norm.out, norm.groups, op->pool == POOL_MAX);
    return norm;
}

static const float *norm_x(const struct norm *norm, int group)
{
    return (const float *)norm->run->x + group * norm->in.group;
}

static const float *norm_dy(const struct norm *norm, int group)
{
    return (const float *)norm->run->dy + group * norm->out.group;
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

static void norm_sums_group(void *context, int group, int member)
{
    const struct norm *norm = context;
    struct channel_sums *sums = norm->sums + (size_t)group * norm->in.channels;
    memset(sums, 0, (size_t)norm->in.channels * sizeof *sums);
    group_sums(&norm->in, norm_x(norm, group), norm->start, lanes_of(norm->run->count, group), sums);
}

/* The last group is still in the cache, and the next operation begins with the first. */
static void norm_forward_group(void *context, int item, int member)
{
    const struct norm *norm = context;
    int group = norm->groups - 1 - item;
    normalise_forward(norm->run, &norm->kept, norm_x(norm, group), (float *)norm->run->y + group * norm->out.group,
                      selected_of(&norm->kept, group));
}

static void norm_forward(const struct op_run *run)
{
    struct norm norm = norm_begin(run, run->training);
    start_from_shift(run, norm.start);
    if (run->training) {
        team_do(run->team, norm.groups, norm_sums_group, &norm);
        channel_sums_fold(norm.sums, run->op->channels, norm.groups);
        batch_statistics(run, norm.sums, &norm.kept);
    } else {
        running_statistics(run, &norm.kept);
    }
    for (int k = 0; k < run->op->channels; k++)
        norm.kept.mean[k] -= norm.start[k];
    team_do(run->team, norm.groups, norm_forward_group, &norm);
}

static void norm_gradient_sums_group(void *context, int group, int member)
{
    const struct norm *norm = context;
    struct channel_sums *sums = norm->sums + (size_t)group * norm->in.channels;
    memset(sums, 0, (size_t)norm->in.channels * sizeof *sums);
    normalise_sums(norm->run, &norm->kept, norm_x(norm, group), selected_of(&norm->kept, group), norm_dy(norm, group),
                   sums);
}

static void norm_backward_group(void *context, int group, int member)
{
    const struct norm *norm = context;
    normalise_backward(norm->run, &norm->kept, norm->sums, &norm->in, lanes_of(norm->run->count, group),
                       norm_x(norm, group), selected_of(&norm->kept, group), norm_dy(norm, group),
                       (float *)norm->run->dx + group * norm->in.group);
}

static void norm_backward(const struct op_run *run)
{
    struct norm norm = norm_begin(run, true);
    team_do(run->team, norm.groups, norm_gradient_sums_group, &norm);
    channel_sums_fold(norm.sums, run->op->channels, norm.groups);
    parameter_gradients(run, &norm.kept, norm.sums);
    if (run->dx)
        team_do(run->team, norm.groups, norm_backward_group, &norm);
}

#endif
