/*
 * bn.h - BN (Ioffe and Szegedy 2015) and what follows it in one operation, for all operations that have a BN: ReLU and
 * pool, hard-swish, or the addend of OP_CONV_BN_ADD.
 *
 * BN reads the linear part of a convolution or an FC layer, or a tensor (OP_BN_RELU).  A shift near the running mean is
 * subtracted, so that sums of squares lose no digits to a large mean: from a linear part before it is saved, from a
 * tensor in the sums alone.
 *
 * With c such a value, r = relu(scale * c + offset); OP_CONV_BN_ADD has r = scale * c + offset + addend.  The sign of
 * the scale is known, so the largest r of a window is at its largest (or smallest) c.  Forward saves that c,
 * `selected`, and backward sends the gradient to the first place of the window that equals it.  No mask is saved.
 *
 * In a walk over a whole network BN's output need not exist: where one operation reads it, a depthwise or a 1×1
 * convolution, that reader applies BN and ReLU to what it reads, forward and backward, while it is in the cache.  Its
 * backward pass also leaves the gradient of `linear` in the place of `linear`.  A 1×1 convolution behind a depthwise
 * one leaves even its own gradients to that one, where the gradient of its linear part fits a cache
 * (bn_leaves_gradients). All sums are the same to the bit, in the same order.
 *
 * Backward, with g the gradient of scale * c + offset (0 where r is 0; a hard-swish gets scale * c + offset once more,
 * from what is saved), n values a channel and x^ = (c - mean) / std:
 *
 *     d beta = sum g    d gamma = sum g x^    d c = scale * (g - d beta / n - x^ d gamma / n)
 */
#ifndef ESPALIER_BACKEND_CPU_BN_H
#define ESPALIER_BACKEND_CPU_BN_H

#include "backend/cpu/gemm.h"
#include "nn/backend.h"

#define bn_saved_bytes        ISA_SYMBOL(bn_saved_bytes)
#define bn_new                ISA_SYMBOL(bn_new)
#define bn_begin              ISA_SYMBOL(bn_begin)
#define bn_writer_op          ISA_SYMBOL(bn_writer_op)
#define bn_reader_op          ISA_SYMBOL(bn_reader_op)
#define bn_writer_of          ISA_SYMBOL(bn_writer_of)
#define bn_reader_of          ISA_SYMBOL(bn_reader_of)
#define bn_leaves_gradients   ISA_SYMBOL(bn_leaves_gradients)
#define bn_add_moments        ISA_SYMBOL(bn_add_moments)
#define bn_add_values         ISA_SYMBOL(bn_add_values)
#define bn_sum_plane          ISA_SYMBOL(bn_sum_plane)
#define bn_batch_statistics   ISA_SYMBOL(bn_batch_statistics)
#define bn_channel_statistics ISA_SYMBOL(bn_channel_statistics)
#define bn_running_statistics ISA_SYMBOL(bn_running_statistics)
#define bn_forward_block      ISA_SYMBOL(bn_forward_block)
#define bn_forward_plane      ISA_SYMBOL(bn_forward_plane)
#define bn_apply_rows         ISA_SYMBOL(bn_apply_rows)
#define bn_forward            ISA_SYMBOL(bn_forward)
#define bn_gradient_sums      ISA_SYMBOL(bn_gradient_sums)
#define bn_channel_sums       ISA_SYMBOL(bn_channel_sums)
#define bn_backward_in_place  ISA_SYMBOL(bn_backward_in_place)
#define bn_backward_block     ISA_SYMBOL(bn_backward_block)
#define bn_backward_plane     ISA_SYMBOL(bn_backward_plane)

/* Sums over one channel. */
struct bn_sums {
    double sum, square; /* of values and their squares; backward: of d beta, and of d gamma times std */
};

/* A BN in one batch. */
struct bn {
    const struct op_run *run;
    struct team *team;
    struct map in, out, addend; /* `addend`: OP_CONV_BN_ADD */
    int blocks;
    const float *dy; /* gradient of the output: of map `dy_map`, from channel `dy_first` on */
    struct map dy_map;
    int dy_first;
    const float *x;            /* what it reads, of map `in`: `linear`, or the tensor of OP_BN_RELU */
    float *minus_shift;        /* scratch, by channel */
    struct bn_sums *sums;      /* scratch, [block][channel]; after a reduction the first block's are those of all */
    float *mean, *inverse_std; /* of `x`; in training saved, in inference scratch */
    /* Saved in training, NULL in inference. */
    float *linear;         /* [block][channel][y][x], less the shift, no border; OP_BN_RELU: NULL */
    float *selected;       /* [block][channel][y][x] of the output; NULL without a max pool */
    size_t selected_block; /* from block to block */
};

size_t bn_saved_bytes(const struct plan *plan, const struct op *op, int batch);
/* A BN that has only its scratch memory, taken from the workspace. */
struct bn bn_new(struct workspace *scratch, const struct plan *plan, const struct op *op, int blocks);
/* A BN that is ready for a run. */
struct bn bn_begin(struct workspace *scratch, const struct op_run *run, bool training);

/* The operation before `op` whose BN `op` applies in a walk, and the one behind it that applies the BN of `op`; or
   NULL. */
const struct op *bn_writer_op(const struct plan *plan, const struct op *op);
const struct op *bn_reader_op(const struct plan *plan, const struct op *op);
/* Their runs, where this is such a walk; or NULL.  Only in float32. */
const struct op_run *bn_writer_of(const struct op_run *run);
const struct op_run *bn_reader_of(const struct op_run *run);
/* Whether the operation before this one computes the gradients of this one's weights and input. */
bool bn_leaves_gradients(const struct op_run *run);

/* --- forward: sums of each block, statistics, then the blocks --- */

/* Adds the moments of one block. */
void bn_add_moments(struct bn_sums *sums, int channels, const struct moments *moments);
/* Adds the first `images` images of one block. */
void bn_add_values(struct bn_sums *sums, const struct map *map, const float *values, int images);
/* The sums of value + bias over one plane, of the first `images` images; row by row, as moments are. */
struct bn_sums bn_sum_plane(const struct map *map, const float *plane, float bias, int images);
/* Sets `mean` and `inverse_std` from the sums of the first `blocks` blocks, and updates the running statistics. */
void bn_batch_statistics(const struct bn *bn, int blocks);
/* The same for one channel: channels are independent. */
void bn_channel_statistics(const struct bn *bn, int blocks, int channel);
/* Sets them from the running statistics. */
void bn_running_statistics(const struct bn *bn);
/* Write the output: of all blocks of `x`; of one block, or of one channel of it, whose values may lie elsewhere. */
void bn_forward(const struct bn *bn);
void bn_forward_block(const struct bn *bn, int block, const float *values);
void bn_forward_plane(const struct bn *bn, int block, int channel, const float *values);
/* Writes BN and ReLU of `rows` rows of one channel of `x`, from `first` on, to the first rows of `y`, a plane of map
   `to`; without its border. */
void bn_apply_rows(const struct bn *bn, int block, int channel, int first, int rows, const struct map *to, float *y);

/* --- backward: sums over all blocks, then the blocks --- */

/* Computes the sums, and from them the gradients of gamma and beta; also the gradient of the addend. */
void bn_gradient_sums(const struct bn *bn);
/* The same for one channel. */
void bn_channel_sums(const struct bn *bn, int channel);
/* Writes the gradient of one block of `x` to `out`, of map `gradient`, or adds it where the operation says so.  The
   border is not written; missing images get zeros. */
void bn_backward_block(const struct bn *bn, int block, const struct map *gradient, float *out);
/* The same for one channel; `out` is its plane. */
void bn_backward_plane(const struct bn *bn, int block, int channel, const struct map *gradient, float *out);
/* Writes the gradient of one channel of `linear`, in all blocks, in the place of `linear`; not behind a pool. */
void bn_backward_in_place(const struct bn *bn, int channel);

#endif
