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

static void sums_item(void *context, int block, int member)
{
    const struct bn *bn = context;
    int images = images_in(bn->run->count, block);
    for (int k = 0; k < bn->in.channels; k++)
        bn->sums[block * bn->in.channels + k] =
            bn_sum_plane(&bn->in, bn->x + block * bn->in.block_stride + k * bn->in.plane, bn->minus_shift[k], images);
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
