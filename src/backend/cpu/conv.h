/*
 * conv.h - the linear part of a convolution, one block of images at a time: forward, input gradient, weight gradient.
 *
 * Each is computed directly (gemm.h) or by Winograd's minimal filtering (winograd.h), whichever is faster for these
 * shapes.  A `begin` prepares weights and tables.  Then `run` is called for each block, in any order, also by the
 * members of a team at the same time: each member has its own part of the scratch that is written.
 *
 * The weight gradient is a sum over all images, which must be the same to the bit whoever helps.  So its columns (input
 * channels, taps of the kernel) are cut into shares: a share is run by one member at a time, on all blocks in their
 * order, and `end` finishes it.
 *
 * The input gradient is a convolution of the output's gradient with the flipped, transposed kernel.  With stride s the
 * input's pixels fall into s x s phases (y mod s, x mod s): a phase meets only the taps that lead to it in the forward
 * pass, and is a dense convolution of its own.
 */
#ifndef ESPALIER_BACKEND_CPU_CONV_H
#define ESPALIER_BACKEND_CPU_CONV_H

#include "backend/cpu/winograd.h"
#include "nn/backend.h"

#define conv_new                   ISA_SYMBOL(conv_new)
#define conv_forward_begin         ISA_SYMBOL(conv_forward_begin)
#define conv_pass_run              ISA_SYMBOL(conv_pass_run)
#define conv_input_gradient_begin  ISA_SYMBOL(conv_input_gradient_begin)
#define conv_input_gradient_run    ISA_SYMBOL(conv_input_gradient_run)
#define conv_weight_gradient_begin ISA_SYMBOL(conv_weight_gradient_begin)
#define conv_weight_gradient_run   ISA_SYMBOL(conv_weight_gradient_run)
#define conv_weight_gradient_end   ISA_SYMBOL(conv_weight_gradient_end)

struct conv {
    int kernel, stride, inputs, outputs;
    struct map in, linear, gradient; /* `linear`: the output, no border; `gradient`: its gradient, with the border that
                                        the input gradient wants */
    bool pairs;                      /* in bf16 */
    int tile;                        /* of minimal filtering; 0: direct sums */
    int blocks_at_once;              /* that the weight gradient takes */
    int round_blocks; /* blocks whose output gradients exist at once: a multiple of blocks_at_once, or all */
    /* Scratch; sizes are those of one member's part, in floats. */
    int32_t *offsets, *gradient_offsets;   /* direct sums */
    int32_t *gemm_offsets, *outer_offsets; /* minimal filtering */
    float *packed;                         /* weights, in the order of the method */
    float *winograd_gradient;              /* of the transformed weights */
    float *gradients;                      /* of the output, `round_blocks` blocks */
    float *tiles_in, *tiles_out;           /* chunks of tiles, for each member */
    size_t tiles_size;
    float *paired, *paired_gradient; /* direct sums in bf16: a block in pairs, for each member */
    size_t paired_size, paired_gradient_size;
};

/* Forward, or one phase of the input gradient: `winograd` where the convolution has a tile, else `gemm`. */
struct pass {
    struct gemm gemm;
    struct winograd winograd;
};

/* A convolution in batches of `blocks` blocks; its scratch is taken from the workspace. */
struct conv conv_new(struct workspace *workspace, const struct plan *plan, const struct op *op,
                     enum precision precision, int blocks, int members);

/* `bias`: what the sums of each output channel start from, or NULL. */
struct pass conv_forward_begin(const struct conv *c, const float *weights, const float *bias, struct team *team);
/* Runs one block: `x` and `out` are its first pixels, `in` is the map of `x`.  `moments` may be NULL. */
void conv_pass_run(const struct conv *c, const struct pass *pass, int member, const struct map *in, const float *x,
                   float *out, const struct moments *moments);

struct pass conv_input_gradient_begin(const struct conv *c, const float *weights, struct team *team);
/* Runs one block: reads `gradient`, of the output, and writes `dx`, of the input; both point at the block's beginning,
   border included. */
void conv_input_gradient_run(const struct conv *c, const struct pass *begun, int member, const float *gradient,
                             float *dx);

/* Where share `item` of `items` shares of whole steps begins, of `count` things. */
static inline int conv_share(int count, int step, int item, int items)
{
    int steps = (count + step - 1) / step, first = (int)((int64_t)steps * item / items) * step;
    return first < count ? first : count;
}

/* `out` is the weight gradient, [output][input][ky][kx]; it is complete after the `end` of every share. */
void conv_weight_gradient_begin(const struct conv *c, float *out);
/* Adds `blocks` blocks to share `share` of `shares`.  `x` and `gradient` point at the first block's beginning, border
   included. */
void conv_weight_gradient_run(const struct conv *c, int share, int shares, int member, int blocks, const float *x,
                              const float *gradient, float *out);
void conv_weight_gradient_end(const struct conv *c, int share, int shares, float *out);

#endif
