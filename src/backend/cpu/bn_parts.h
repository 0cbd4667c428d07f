/*
 * bn_parts.h - what both directions of BN (bn.c, bn_backward.c) need.
 */
#ifndef ESPALIER_BACKEND_CPU_BN_PARTS_H
#define ESPALIER_BACKEND_CPU_BN_PARTS_H

#include "backend/cpu/bn.h"
#include "backend/cpu/pool.h"

static inline bool has_addend(const struct bn *bn)
{
    return bn->run->op->kind == OP_CONV_BN_ADD;
}

/* A plane of the addend, or of its gradient. */
static inline float *addend_plane(const struct bn *bn, const void *tensor, int block, int channel)
{
    return (float *)tensor + block * bn->addend.block_stride + channel * bn->addend.plane;
}

static inline const float *values_of(const struct bn *bn, int block)
{
    return bn->x + block * bn->in.block_stride;
}

static inline float *selected_of(const struct bn *bn, int block, int channel)
{
    size_t plane = (size_t)bn->out.height * bn->out.width * BLOCK;
    return bn->selected ? bn->selected + block * bn->selected_block + channel * plane : NULL;
}

/* Adds a channel's sums of all blocks to those of the first, in the order of the blocks. */
static inline struct bn_sums reduce_sums(const struct bn *bn, int blocks, int channel)
{
    struct bn_sums *sums = bn->sums + channel;
    for (int block = 1; block < blocks; block++) {
        sums->sum += sums[block * bn->run->op->channels].sum;
        sums->square += sums[block * bn->run->op->channels].square;
    }
    return *sums;
}

static inline struct affine affine_of(const struct bn *bn, int channel)
{
    const struct op_run *run = bn->run;
    float scale = run->values[run->op->weights.gamma + channel] * bn->inverse_std[channel];
    return (struct affine){scale, run->values[run->op->weights.beta + channel] - bn->mean[channel] * scale};
}

#endif
