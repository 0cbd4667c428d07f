/*
 * op_bn.c - OP_BN_RELU: BN, ReLU and the pool behind them, of a tensor: a dense block's buffer, or the first channels
 * of one.  The tensor holds no shift: the sums take it off, and the mean gets it back.
 */
#include "backend/cpu/operations.h"

#include "backend/cpu/bn.h"
#include "util/bug.h"

static struct bn begin(const struct op_run *run, bool training)
{
    struct bn bn = bn_begin(&(struct workspace){run->scratch, 0}, run, training);
    ASSERT(bn.in.border == 0);
    return bn;
}

/* The sums of value + bias over one plane, of the images in the mask; row by row, as moments are. */
static void plane_sums(const struct map *map, const float *plane, float bias, const int32_t mask[BLOCK],
                       struct bn_sums *sums)
{
    vector sum = {0}, square = {0};
    for (int y = 0; y < map->height; y++, plane += map->pitch) {
        vector row_sum[PARTS], row_square[PARTS];
#pragma GCC unroll 4
        for (int part = 0; part < PARTS; part++)
            row_sum[part] = row_square[part] = (vector){0};
        for (size_t i = 0; i < map->pitch; i += BLOCK)
#pragma GCC unroll 4
            for (int part = 0; part < PARTS; part++) {
                vector_bits real = *(const vector_bits *)(mask + part * VECTOR_WIDTH);
                vector value = vector_load(plane + i + part * VECTOR_WIDTH) + vector_all(bias);
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
    *sums = (struct bn_sums){vector_sum(sum), vector_sum(square)};
}

static void sums_item(void *context, int block, int member)
{
    const struct bn *bn = context;
    int images = images_in(bn->run->count, block);
    int32_t mask[BLOCK] __attribute__((aligned(64)));
    for (int image = 0; image < BLOCK; image++)
        mask[image] = image < images ? -1 : 0;
    for (int k = 0; k < bn->in.channels; k++)
        plane_sums(&bn->in, bn->x + block * bn->in.block_stride + k * bn->in.plane, bn->minus_shift[k], mask,
                   &bn->sums[block * bn->in.channels + k]);
}

void ISA_SYMBOL(bn_relu_forward)(const struct op_run *run)
{
    struct bn bn = begin(run, run->training);
    if (run->training) {
        team_do(run->team, bn.blocks, sums_item, &bn);
        bn_batch_statistics(&bn, bn.blocks);
    } else {
        bn_running_statistics(&bn);
    }
    for (int k = 0; k < run->op->channels; k++)
        bn.mean[k] -= bn.minus_shift[k];
    bn_forward(&bn);
}

static void backward_item(void *context, int block, int member)
{
    const struct bn *bn = context;
    bn_backward_block(bn, block, &bn->in, (float *)bn->run->dx + block * bn->in.block_stride);
}

void ISA_SYMBOL(bn_relu_backward)(const struct op_run *run)
{
    struct bn bn = begin(run, true);
    bn_gradient_sums(&bn);
    if (run->dx)
        team_do(run->team, bn.blocks, backward_item, &bn);
}
